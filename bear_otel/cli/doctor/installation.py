"""Look at what is installed: versions, entry points, and who would win them."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.bootstrap_gen import libraries
from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
from packaging.requirements import Requirement

from bear_otel.cli.doctor.finding import Finding, note, ok, problem
from bear_otel.environment import load_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "bear_otel"

# Instrumentors whose work our own sources do, or that are about no work of a service.
_OURS = frozenset({"logging", "system_metrics", "sqlalchemy", "fastapi", "asgi"})
_NO_MATTER = frozenset({"click", "asyncclick", "jinja2", "tortoiseorm", "urllib3"})
# Below SQLAlchemy they are measured already.
_DRIVERS = frozenset(
    {"asyncpg", "psycopg", "psycopg2", "pymysql", "mysqlclient", "mysql", "sqlite3", "aiopg"}
)


def check_python() -> Iterator[Finding]:
    """Look at the interpreter."""
    yield ok("Python", f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})")


def check_requirements() -> Iterator[Finding]:
    """Compare what is installed with what bear-otel asks for."""
    for line in requires("bear-otel") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = _find_version(requirement.name)
        if found and requirement.specifier.contains(found, prereleases=True):
            yield ok("package", f"{requirement.name} {found}")
        else:
            text = f"{requirement.name} {found or 'is missing'}, wanted {requirement.specifier}"
            yield problem(
                "package", text, f"pip install '{requirement.name}{requirement.specifier}'"
            )


def check_entry_points(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Find out which distribution would configure OpenTelemetry."""
    for group, variable in (
        ("opentelemetry_distro", "OTEL_PYTHON_DISTRO"),
        ("opentelemetry_configurator", "OTEL_PYTHON_CONFIGURATOR"),
    ):
        installed = [point.name for point in entry_points(group=group)]
        wanted = environ.get(variable)
        winner = wanted if wanted in installed else None if wanted else installed[0]
        if winner == NAME and (wanted or len(installed) == 1):
            yield ok(group, f"{NAME} configures OpenTelemetry")
        elif winner == NAME:
            others = ", ".join(name for name in installed if name != NAME)
            text = f"{NAME} comes first by luck, before {others}; bear-otel-instrument sees to it"
            yield note(group, text, f"export {variable}={NAME}")
        else:
            text = (
                f"{winner or f'{wanted}, which is not installed,'} would win: nothing is scrubbed"
            )
            yield problem(group, text, f"export {variable}={NAME}")


def check_instrumentors(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Compare each instrumentor with the library that it is for."""
    disabled = load_list(environ, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    for point in entry_points(group="opentelemetry_instrumentor"):
        conflict = get_dist_dependency_conflicts(point.dist) if point.dist else None
        if point.name in disabled or "*" in disabled:
            yield note(
                f"instrumentation of {point.name}",
                "switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
            )
        elif conflict and conflict.found and point.name not in _OURS:
            text = f"wants {conflict.required}, found {conflict.found}"
            yield problem(
                f"instrumentation of {point.name}", text, f"pip install '{conflict.required}'"
            )
        elif not conflict:
            yield ok(f"instrumentation of {point.name}", "fits")


def check_libraries() -> Iterator[Finding]:
    """Name the installed libraries that OpenTelemetry could measure, and does not."""
    instrumented = {point.name for point in entry_points(group="opentelemetry_instrumentor")}
    known = instrumented | _OURS | _NO_MATTER
    if _find_version("sqlalchemy"):
        known |= _DRIVERS
    if _find_version("fastapi"):  # which is built on it
        known |= {"starlette"}
    for entry in libraries:
        requirement = Requirement(entry["library"])
        package = entry["instrumentation"].partition("==")[0]
        name = package.removeprefix("opentelemetry-instrumentation-").replace("-", "_")
        found = _find_version(requirement.name)
        if name in known or name.removesuffix("_v2") in known or found is None:
            continue
        if requirement.specifier.contains(found, prereleases=True):
            # Together, or pip would rather take the SDK back than refuse an older instrumentor.
            mend = f"pip install bear-otel {package}"
            yield note("library", f"{requirement.name} {found} is not measured", mend)


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
