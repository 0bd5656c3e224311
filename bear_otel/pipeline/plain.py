"""Tell attributes that the SDK would keep as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The SDK counts and drops what is beyond its limits, of which this is half the default.
MOST_ATTRIBUTES = 64

# Values that nobody can change, so that they need no copy, and keys that need no check.
_SCALARS = frozenset({str, int, float, bool})
_TEXT = frozenset({str})


def are_plain(attributes: Mapping[str, Any]) -> bool:
    """Return whether there is nothing to copy, convert or warn of, but perhaps their number."""
    return (
        _SCALARS.issuperset(map(type, attributes.values()))
        and _TEXT.issuperset(map(type, attributes))
        and "" not in attributes
    )
