"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# The commands of this environment, also when it is not the active one.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# A shell starts what it puts in the background with SIGINT ignored, and all below inherit that:
# then no server that a test starts would end by one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["bear_otel.testing"]


def pytest_configure(config: pytest.Config) -> None:
    """Set up hypothesis, where it is; the environments with other versions do without."""
    # The collector finds an open socket of one test while another one runs: it is told, and no
    # error of the other.
    config.addinivalue_line("filterwarnings", "default::pytest.PytestUnraisableExceptionWarning")
    if find_spec("hypothesis") is None:
        return
    from hypothesis import settings

    # Threads of the servers under test draw random numbers while hypothesis draws examples.
    random = "Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
    config.addinivalue_line("filterwarnings", f"ignore:{random}")
    # The same examples in each run of CI: a new one is a finding, no reason to hold a change back.
    settings.register_profile("ci", derandomize=True)
    if os.environ.get("CI"):
        settings.load_profile("ci")
