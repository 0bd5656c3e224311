"""Find the folders that ship beside the package: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

import bear_otel


def find_folder(name: str) -> Path:
    """Return a folder of the repository, `collector-config` or `examples`.

    The wheel holds it inside of the package, a checkout beside it.
    """
    package = Path(bear_otel.__file__).resolve().parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
