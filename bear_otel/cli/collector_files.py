"""The Collector's configuration files: where they are, which variables each one reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLES = ("standalone", "agent", "gateway")

_REFERENCE = re.compile(r"\$\{env:(\w+)(:-([^}]*))?\}")
_SENDS = "# Sends: "


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One file of `collector-config/`."""

    name: str
    path: Path
    sends: str
    needs: tuple[str, ...]
    """Variables that the file reads without a default."""
    defaults: Mapping[str, str]
    """Variables that the file reads with a default."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that the file reads."""
        return (*self.needs, *self.defaults)


def load_version(folder: Path) -> str:
    """Return the Collector version that the files are tested with."""
    return (folder / "VERSION").read_text().strip()


def load_files(folder: Path) -> dict[str, ConfigFile]:
    """Return every configuration file by name, such as `backends/datadog`."""
    top = ("base", "privacy", "sampling")
    rooms = ("roles", "agent", "gateway", "sources", "security", "backends")
    paths = [folder / f"{name}.yaml" for name in top]
    paths += [path for room in rooms for path in sorted((folder / room).glob("*.yaml"))]
    return {file.name: file for file in (_load(path, folder) for path in paths)}


def _load(path: Path, folder: Path) -> ConfigFile:
    text = path.read_text()
    found = _REFERENCE.findall(text)
    defaults = {name: default for name, mark, default in found if mark}
    return ConfigFile(
        name=str(path.relative_to(folder).with_suffix("")),
        path=path,
        sends=next(line for line in text.splitlines() if line.startswith(_SENDS))[len(_SENDS) :],
        needs=tuple(dict.fromkeys(name for name, *_ in found if name not in defaults)),
        defaults=defaults,
    )
