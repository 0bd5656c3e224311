"""The privacy corpus: records that leak, harmless look-alikes, in a dev part and a hold-out part.

`dev_*.py` may be used for tuning. `holdout_*.py` was written from the list of kinds alone, and
nothing may ever be tuned to it. Every token is made at import from a seed (see `make.py`).
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .case import Case

Part = Literal["dev", "holdout"]


def load(part: Part) -> list[Case]:
    """Return all cases of one part, in file order."""
    stems = sorted(path.stem for path in Path(__file__).parent.glob(f"{part}_*.py"))
    return [case for stem in stems for case in import_module(f".{stem}", __name__).CASES]
