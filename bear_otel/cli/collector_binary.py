"""The Collector's binary: found, or built once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bear_otel.cli.collector_files import load_version
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

BINARY = "bear-otelcol"
_VARIABLE = "BEAR_OTEL_COLLECTOR"
_BUILDER = "go.opentelemetry.io/collector/cmd/builder"


def find_binary(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the binary: the one named, the one on the PATH, or the one built before.

    Raises:
        ConfigurationError: There is none; the message says how to get one.
    """
    named = environment.get(_VARIABLE)
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            raise ConfigurationError(_VARIABLE, named, "the path of a Collector binary")
        return Path(named)
    for name in (BINARY, "otelcol-contrib"):
        if found := shutil.which(name, path=environment.get("PATH")):
            return Path(found)
    built = cached_binary(folder, environment)
    if built.exists():
        return built
    raise ConfigurationError(
        _VARIABLE,
        "",
        f"no Collector found: install otelcol-contrib {load_version(folder)}, "
        "or run `bear-otel collector build` (needs Go 1.26)",
    )


def cached_binary(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return where the binary of this version and manifest is kept."""
    home = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    inputs = load_version(folder).encode() + (folder / "manifest.yaml").read_bytes()
    key = hashlib.sha256(inputs).hexdigest()[:16]
    return Path(home) / "bear-otel" / "collector" / key / BINARY


def build(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the binary from the cache, built first if it is not there: minutes, from source.

    Raises:
        ConfigurationError: There is no Go.
        subprocess.CalledProcessError: Go or the builder failed; it has said why.
    """
    binary = cached_binary(folder, environment)
    if binary.exists():
        return binary
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise ConfigurationError("PATH", environment.get("PATH", ""), "a folder that holds `go`")
    binary.parent.mkdir(parents=True, exist_ok=True)
    # A name that is made at the end and at once: an interrupted build leaves nothing to run.
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        work = Path(scratch)
        go_environment = {**environment, "GOBIN": scratch, "CGO_ENABLED": "0", "GOWORK": "off"}
        # Builder and components must be of one version, or core and contrib do not fit.
        for command in (
            [go, "install", f"{_BUILDER}@v{load_version(folder)}"],
            [str(work / "builder"), "--config", str(folder / "manifest.yaml")],
        ):
            subprocess.run(command, cwd=work, env=go_environment, check=True)
        (work / "out" / BINARY).replace(binary)
    return binary
