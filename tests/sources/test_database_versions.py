"""The same tests pass on each SQLAlchemy that people run."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.virtualenvs import ROOT, python_with

TESTS = [
    "tests/sources/test_database.py",
    "tests/sources/test_database_pool.py",
    "tests/sources/test_database_servers.py",
]


@pytest.mark.server
@pytest.mark.parametrize("version", ["1.4", "2.0", "2.1"])
def test_every_sqlalchemy_passes_the_same_tests(version: str) -> None:
    """Each in an environment of its own, with every driver that the tests know."""
    python = python_with(
        f"sqlalchemy[asyncio]=={version}.*",
        "pytest>=8",
        "aiosqlite>=0.20",
        "asyncpg",
        "psycopg2-binary",
        "psycopg[binary]",
        "pymysql",
    )
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    # 1.4 warns of everything that 2.0 changes.
    environment = {**os.environ, "SQLALCHEMY_SILENCE_UBER_WARNING": "1"}
    environment.pop("PYTEST_ADDOPTS", None)  # meant for plugins that are not installed there
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
