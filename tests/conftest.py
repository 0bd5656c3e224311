"""Fixtures for all tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# The commands of this environment, also when it is not the active one.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# The same examples in each run of CI: a new one is a finding, not a reason to hold a change back.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

pytest_plugins = ["bear_otel.testing"]
