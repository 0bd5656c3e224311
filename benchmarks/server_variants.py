"""What is compared: each variant's packages, in an environment of its own, and its command."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The same in all variants. SQLAlchemy is the newest that the contrib instrumentation accepts.
_SHARED = ("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools")
_SQLALCHEMY = "sqlalchemy==2.0.58"

_STOCK = ("fastapi", "sqlalchemy", "logging", "system-metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run the same service.

    Attributes:
        name: As it stands in the tables.
        requirements: What pip installs besides the service's own packages.
        launcher: Command in front of uvicorn.
        module: What uvicorn imports; some products are set up in code.
        environment: Variables; `{endpoint}` is the address of the sink.
        share: Of the requests whose caller has kept the trace.
    """

    name: str
    requirements: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    module: str = "service"
    environment: dict[str, str] = field(default_factory=dict)
    share: float = 1.0


_OTLP = {
    "OTEL_SERVICE_NAME": "benchmark",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "{endpoint}",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    # So that little is left to send when the last request has been answered.
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BLRP_SCHEDULE_DELAY": "1000",
}
BARE = Variant(name="bare")
STOCK = Variant(
    name="stock",
    requirements=(
        "opentelemetry-distro",
        "opentelemetry-exporter-otlp-proto-http",
        *(f"opentelemetry-instrumentation-{library}" for library in _STOCK),
    ),
    launcher=("opentelemetry-instrument",),
    environment=_OTLP,
)
OURS = Variant(
    name="bear-otel",
    requirements=(f"--editable={ROOT}",),
    launcher=("bear-otel-instrument",),
    environment=_OTLP,
)
SAMPLED = replace(
    OURS,
    name="bear-otel, 10 %",
    environment={**_OTLP, "BEAR_OTEL_SAMPLING_PERFORMANCE": "0.1"},
    share=0.1,
)
PREVIOUS = "previous"
# On request.
OTHERS = {
    variant.name: variant
    for variant in (
        Variant(name="floor", requirements=("opentelemetry-sdk",), module="service_floor"),
        Variant(
            name="ddtrace",
            requirements=("ddtrace",),
            launcher=("ddtrace-run",),
            environment={"DD_TRACE_AGENT_URL": "{endpoint}", "DD_SERVICE": "benchmark"},
        ),
        Variant(
            name="logfire",
            requirements=("logfire[fastapi,sqlalchemy,system-metrics]",),
            module="service_logfire",
            environment=_OTLP,
        ),
        Variant(
            name="sentry",
            requirements=("sentry-sdk>=2,<3",),
            module="service_sentry",
            environment={"BENCHMARK_SENTRY_DSN": "{endpoint}/1"},
        ),
    )
}


def create_previous(checkout: Path) -> Variant:
    """Return the variant that runs another checkout of bear-otel, to see what a change brings."""
    return Variant(
        name=PREVIOUS,
        requirements=OURS.requirements,
        launcher=OURS.launcher,
        environment={**_OTLP, "PYTHONPATH": str(checkout)},
    )


def install(variant: Variant) -> Path:
    """Return the `bin` directory of a variant's environment, made once and kept in the cache."""
    requirements = (*_pin_shared(), _SQLALCHEMY, *variant.requirements)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    contents = (
        *requirements,
        sys.version,
        repr(project) if variant.launcher == OURS.launcher else "",
    )
    digest = hashlib.sha256("\0".join(contents).encode()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    venv = cache / "bear-otel" / "venvs" / f"benchmark-{digest[:12]}"
    if not (venv / "complete").exists():
        print(f"installing {variant.name} ...", file=sys.stderr)
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install")
        subprocess.run([*pip, "--quiet", *requirements], check=True)
        (venv / "complete").touch()
    return venv / "bin"


def list_versions(bin_directory: Path) -> dict[str, str]:
    """Return the packages of an environment."""
    command = [bin_directory / "python", "-m", "pip", "--disable-pip-version-check", "freeze"]
    frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(line.split("==") for line in frozen.splitlines() if "==" in line)


def _pin_shared() -> list[str]:
    constraints = (ROOT / "constraints.txt").read_text()
    return re.findall(rf"^(?:{'|'.join(_SHARED)})==.*$", constraints, re.MULTILINE)
