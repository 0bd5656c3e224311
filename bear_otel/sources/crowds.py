"""Let a description be told only if enough people share it (k-anonymity)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# Far more than there are descriptions that ever reach a crowd; each takes some kilobytes at most.
_MOST_DESCRIPTIONS = 1000


class Crowds:
    """Counts who shares a description; what is counted lives in memory alone.

    Args:
        least: How many have to share it.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._members: dict[Hashable, set[str]] = {}

    def join(self, description: Hashable, member: str) -> bool:
        """Count a member in; return whether enough share the description now."""
        members = self._members.get(description)
        if members is None:
            if len(self._members) >= _MOST_DESCRIPTIONS:
                return False
            members = self._members.setdefault(description, set())
        if len(members) < self._least:
            members.add(member)
        return len(members) >= self._least

    def disperse(self) -> None:
        """Forget everybody."""
        self._members.clear()
