"""The same service with sentry-sdk, which is set up in code, tracing every request."""

from __future__ import annotations

import os

import sentry_sdk

sentry_sdk.init(dsn=os.environ["BENCHMARK_SENTRY_DSN"], traces_sample_rate=1.0, enable_logs=True)

from service import app  # noqa: E402, F401
