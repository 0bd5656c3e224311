"""The Collector's environment variables: emptied, derived and checked before anything starts."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

PREFIX = "BEAR_OTEL_COLLECTOR_"
DECIDED_BY = "BEAR_OTEL_SAMPLING_DECIDED_BY"
SENTRY_DSN = "SENTRY_DSN"
_SENTRY_URL = f"{PREFIX}SENTRY_URL"
_SENTRY_KEY = f"{PREFIX}SENTRY_KEY"
STATE_DIRECTORY = f"{PREFIX}STATE_DIR"

ORIGIN = {_SENTRY_URL: SENTRY_DSN, _SENTRY_KEY: SENTRY_DSN}
"""Variables that are derived, with the one that the operator sets."""

_SECRET = re.compile(r"(_KEY|_TOKEN|_AUTHORIZATION|_PASSWORD|_DSN)$")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and re.search(r"\s", value) is None


def _is_address(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and " " not in host and "/" not in host and _is_count(port, 65535)


def _is_count(value: str, maximum: int = 2**63 - 1) -> bool:
    return value.isascii() and value.isdigit() and 0 < int(value) <= maximum


def _is_percent(value: str) -> bool:
    return re.fullmatch(r"\d{1,3}(\.\d+)?", value) is not None and 0 <= float(value) <= 100


# The end of a name says what its value is, so a new back end brings no new check.
_CHECKS: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    (r"_URL$", _is_url, "http(s)://host[:port][/path]"),
    (r"_(LISTEN|ENDPOINT|GATEWAY)$", _is_address, "host:port"),
    (
        r"_(GATEWAYS|BROKERS)$",
        lambda v: all(map(_is_address, v.split(","))),
        "host:port,host:port without spaces",
    ),
    (r"_PORT$", lambda v: _is_count(v, 65535), "a port number"),
    (r"_(BYTES|MIB|SECONDS|MILLISECONDS|TRACES)$", _is_count, "a whole number above 0"),
    (r"_PERCENT$", _is_percent, "a number from 0 to 100"),
    (r"_ENABLED$", lambda v: v in {"true", "false"}, "true or false"),
    (r"_DIR$", lambda v: Path(v).is_absolute(), "an absolute path"),
    (r"_FILE$", lambda v: os.access(v, os.R_OK) and Path(v).is_file(), "a file that can be read"),
    (r"(^DD_SITE|_HOST)$", lambda v: re.fullmatch(r"[\w.:-]+", v) is not None, "a host name alone"),
    (r"_LEVEL$", lambda v: v in {"debug", "info", "warn", "error"}, "debug, info, warn or error"),
    (r"_AUTHORIZATION$", lambda v: v.isprintable() and v == v.strip(), "one printable line"),
    (
        r"(_KEY|_TOKEN|_PASSWORD|_USERNAME)$",
        lambda v: re.search(r"\s", v) is None,
        "no white space",
    ),
)


def unset_empty(environment: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """Return the environment without empty variables, for which the Collector takes no default.

    Args:
        environment: All variables.
        known: Names that are the Collector's; others are left alone.
    """
    names = {*known, SENTRY_DSN, DECIDED_BY}
    return {k: v for k, v in environment.items() if v.strip() or k not in names}


def derive(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with what follows from it: Sentry's address and public key.

    Raises:
        ConfigurationError: The DSN is not one.
    """
    dsn = environment.get(SENTRY_DSN)
    if dsn is None:
        return dict(environment)
    accepted = "a DSN, https://KEY@HOST/PROJECT (its value is not shown)"
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise ConfigurationError(SENTRY_DSN, "***", accepted) from None
    prefix, _, project = parts.path.rpartition("/")
    if parts.scheme not in {"http", "https"} or not (parts.username and parts.hostname):
        raise ConfigurationError(SENTRY_DSN, "***", accepted)
    if not project.isdigit():
        raise ConfigurationError(SENTRY_DSN, "***", accepted)
    host = parts.hostname if port is None else f"{parts.hostname}:{port}"
    return {
        _SENTRY_URL: f"{parts.scheme}://{host}{prefix}/api/{project}/integration/otlp",
        _SENTRY_KEY: parts.username,
        **environment,
    }


def check_names(environment: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse a misspelt variable, which would otherwise be a default that nobody chose.

    Raises:
        ConfigurationError: A variable has our prefix and no file reads it.
    """
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "no such variable"
            raise ConfigurationError(name, _shown(name, environment[name]), hint)


def check_values(environment: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse a malformed value.

    Raises:
        ConfigurationError: Names the variable and what is accepted.
    """
    for name in names:
        value = environment.get(name)
        if value is None:
            continue
        for pattern, accepts, accepted in _CHECKS:
            if re.search(pattern, name) and not accepts(value):
                raise ConfigurationError(name, _shown(name, value), accepted)
    decided_by = environment.get(DECIDED_BY, "app")
    if decided_by not in {"app", "collector"}:
        raise ConfigurationError(DECIDED_BY, decided_by, "app or collector")


def check_state_directory(directory: Path) -> None:
    """Refuse a state directory that the queues could not be written to.

    Raises:
        ConfigurationError: It cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        usable = os.access(directory, os.W_OK | os.X_OK)
    except OSError:
        usable = False
    if not usable:
        raise ConfigurationError(
            STATE_DIRECTORY, str(directory), "a directory that can be written to"
        )


def _shown(name: str, value: str) -> str:
    # An address may hold a password.
    return "***" if _SECRET.search(name) or "@" in value else value
