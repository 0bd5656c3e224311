"""Find the places of a text again in the longer text that it was made from."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bear_otel.privacy.findings import Finding


class Offsets:
    """The stretches of a text for which one character stands in the short one.

    Attributes:
        ahead: How far the text is ahead of the short one behind the last stretch.
    """

    __slots__ = ("_ahead", "_behind", "ahead")

    def __init__(self) -> None:
        self.ahead = 0
        # Where the short text goes on behind each stretch, and how far ahead the text is there.
        self._behind: list[int] = []
        self._ahead: list[int] = []

    def shorten(self, start: int, end: int) -> None:
        """Add a stretch of the text; stretches come in order."""
        self.ahead += end - start - 1
        self._behind.append(end - self.ahead)
        self._ahead.append(self.ahead)

    def restore(self, found: list[Finding], start: int = 0) -> list[Finding]:
        """Return findings of the short text as findings of the text.

        Args:
            found: The findings.
            start: Where the text begins in another one, of which the findings shall be.
        """
        if not self._behind and not start:
            return found
        return [
            one._replace(start=start + self._whole(one.start), end=start + self._whole(one.end))
            for one in found
        ]

    def _whole(self, offset: int) -> int:
        place = bisect_right(self._behind, offset)
        return offset + (self._ahead[place - 1] if place else 0)
