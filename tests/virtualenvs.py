"""Virtual environments with other versions, made once and kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def python_with(*requirements: str, without_dependencies: tuple[str, ...] = ()) -> Path:
    """Return the interpreter of an environment that has this checkout and the requirements.

    It is made anew when the requirements, the interpreter or the project's metadata change; our own
    code is installed editable, so it is always the current one.

    Args:
        requirements: As `pip install` takes them, such as `sqlalchemy==1.4.*`.
        without_dependencies: Requirements that pin what we do not have, and work all the same.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    venvs = cache / "bear-otel" / "venvs"
    venvs.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    contents = repr((requirements, *without_dependencies, sys.version, ROOT, project))
    digest = hashlib.sha256(contents.encode()).hexdigest()[:12]
    venv = venvs / f"{''.join(c for c in requirements[0] if c.isalnum())}-{digest}"
    python = venv / "bin" / "python"
    with (venvs / f"{venv.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, "--editable", ROOT, *requirements], check=True)
            for requirement in without_dependencies:
                subprocess.run([*pip, "--no-deps", requirement], check=True)
            (venv / "complete").touch()
    return python


def python_with_contrib() -> Path:
    """Return the interpreter of an environment with OpenTelemetry's instrumentors of HTTP.

    That of Starlette has no release for our SDK; `bear-otel doctor` and the documentation name this
    way to install it.
    """
    return python_with(
        "fastapi<0.142",
        "opentelemetry-instrumentation-fastapi",
        "opentelemetry-instrumentation-httpx",
        "uvicorn",
        "httpx",
        without_dependencies=("opentelemetry-instrumentation-starlette",),
    )
