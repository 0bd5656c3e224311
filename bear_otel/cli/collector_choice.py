"""Which configuration files to load, from the role, the keys that are set and the wish."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bear_otel.cli.collector_variables import (
    DECIDED_BY,
    ORIGIN,
    PREFIX,
    STATE_DIRECTORY,
    check_names,
    check_values,
    derive,
    unset_empty,
)
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bear_otel.cli.collector_files import ConfigFile

BACKENDS = "backends/"
OPTIONAL = (BACKENDS, "sources/", "security/")
GATEWAYS = f"{PREFIX}GATEWAYS"
KAFKA = f"{PREFIX}KAFKA_BROKERS"
_LOOPBACK = ("127.", "localhost:", "[::1]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What will run: files in the order of loading, and the environment they read."""

    role: str
    files: tuple[ConfigFile, ...]
    extra: tuple[Path, ...]
    environment: Mapping[str, str]
    unused: tuple[str, ...]
    """Variables that are set, but that no chosen file reads."""

    @property
    def backends(self) -> tuple[ConfigFile, ...]:
        """The files of the back ends."""
        return tuple(file for file in self.files if file.name.startswith(BACKENDS))

    @property
    def arguments(self) -> list[str]:
        """What the Collector's command line is made of."""
        paths = [*(file.path for file in self.files), *self.extra]
        return [argument for path in paths for argument in ("--config", f"file:{path}")]

    def value(self, variable: str) -> str:
        """Return what the Collector will use for `variable`; nothing if no file reads it."""
        for file in self.files:
            if variable in file.variables:
                return self.environment.get(variable, file.defaults.get(variable, ""))
        return ""


def choose(
    files: Mapping[str, ConfigFile],
    environment: Mapping[str, str],
    *,
    role: str,
    backends: Sequence[str] = (),
    extra: Sequence[Path] = (),
) -> Choice:
    """Choose the files to load.

    Args:
        files: All files by name.
        environment: The variables of the process.
        role: One of `standalone`, `agent`, `gateway`.
        backends: Names of back ends; without any, those whose keys are set. An agent holds no
            keys, so it takes none by itself.
        extra: The operator's own files, loaded last.

    Raises:
        ConfigurationError: A variable is missing, misspelt or malformed, or nothing would be sent.
    """
    known = {variable for file in files.values() for variable in file.variables}
    environment = derive(unset_empty(environment, known))
    check_names(environment, known)
    chosen = [files[name] for name in _fixed(role, environment)]
    for name, file in files.items():
        if name.startswith(BACKENDS) and (backends or role == "agent"):
            if name.removeprefix(BACKENDS) in backends:
                chosen.append(file)
        elif name.startswith(OPTIONAL) and _is_on(file, files, environment):
            chosen.append(file)
    for file in chosen:
        _check_needs(file, environment)
    used = {variable for file in chosen for variable in file.variables}
    check_values(environment, sorted(used))
    if role != "agent" and not extra and not any(file.name.startswith(BACKENDS) for file in chosen):
        raise _nothing_to_send(files)
    return Choice(
        role=role,
        files=tuple(chosen),
        extra=tuple(extra),
        environment=environment,
        unused=tuple(sorted({_origin(name) for name in known - used if name in environment})),
    )


def describe(choice: Choice) -> str:
    """Say what listens, where each signal goes and what is not used; no value of a key."""
    grpc, http = (choice.value(f"{PREFIX}{door}_LISTEN") for door in ("GRPC", "HTTP"))
    fixed = {"base", f"roles/{choice.role}", *(file.name for file in choice.backends)}
    rows = [("takes", f"OTLP on {grpc} (gRPC) and {http} (HTTP)")]
    ways = {"gateway": f"{PREFIX}GATEWAY", "traces to": GATEWAYS, "kafka": KAFKA}
    rows += [(way, choice.value(name)) for way, name in ways.items() if choice.value(name)]
    rows += [(file.name.removeprefix(BACKENDS), file.sends) for file in choice.backends]
    rows.append(("also", ", ".join(f.name for f in choice.files if f.name not in fixed)))
    rows += [("extra", str(path)) for path in choice.extra]
    rows.append(("state", choice.value(STATE_DIRECTORY)))
    rows.append(("health", f"http://{choice.value(f'{PREFIX}HEALTH_LISTEN')}"))
    if choice.unused:
        rows.append(("not used", ", ".join(choice.unused)))
    secured = any(file.name.startswith("security/") for file in choice.files)
    if not secured and not (grpc.startswith(_LOOPBACK) and http.startswith(_LOOPBACK)):
        rows.append(("warning", f"anyone who reaches {grpc} may send; see {PREFIX}TOKENS_FILE"))
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {text}" for name, text in rows]
    return "\n".join([f"bear-otel collector: {choice.role}", *lines])


def _fixed(role: str, environment: Mapping[str, str]) -> list[str]:
    names = ["base", "privacy", f"roles/{role}"]
    if role == "agent" and KAFKA in environment:
        names.append("agent/kafka")
    elif role == "agent":
        traces = "agent/many-gateways" if GATEWAYS in environment else "agent/one-gateway"
        names += ["agent/gateway", traces]
    elif environment.get(DECIDED_BY) == "collector":
        names.append("sampling")
    if role == "gateway" and KAFKA in environment:
        names.append("gateway/kafka")
    return names


def _is_on(
    file: ConfigFile, files: Mapping[str, ConfigFile], environment: Mapping[str, str]
) -> bool:
    """Return whether what the file needs is set, and refuse a half of it."""
    if not file.needs:
        return False
    readers = Counter(variable for other in files.values() for variable in other.variables)
    own = [variable for variable in file.variables if readers[variable] == 1]
    if any(variable in environment for variable in own):
        _check_needs(file, environment)
    return all(variable in environment for variable in file.needs)


def _check_needs(file: ConfigFile, environment: Mapping[str, str]) -> None:
    for variable in file.needs:
        if variable not in environment:
            others = [_origin(v) for v in file.variables if v in environment]
            because = f", since {others[0]} is set" if others else ""
            name = _origin(variable)
            raise ConfigurationError(name, "", f"{file.name} needs a value{because}")


def _nothing_to_send(files: Mapping[str, ConfigFile]) -> ConfigurationError:
    names = {
        _origin(file.needs[0])
        for key, file in files.items()
        if key.startswith(BACKENDS) and file.needs
    }
    return ConfigurationError(
        "back ends", "", f"set one of {', '.join(sorted(names))}, or pass --backend debug"
    )


def _origin(variable: str) -> str:
    return ORIGIN.get(variable, variable)
