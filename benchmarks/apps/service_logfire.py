"""The same service with logfire, which is set up in code."""

from __future__ import annotations

import logging

import logfire

# Where to send comes from OpenTelemetry's variables; before the service connects.
logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_system_metrics()
logging.getLogger().addHandler(logfire.LogfireLoggingHandler())

from service import app, engine  # noqa: E402

logfire.instrument_sqlalchemy(engine)
logfire.instrument_fastapi(app)
