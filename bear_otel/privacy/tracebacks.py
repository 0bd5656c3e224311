"""Tell the parts of a stack trace: frames and source lines are code, messages are data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.cache import BoundedCache
from bear_otel.privacy.markers import FILLER
from bear_otel.privacy.offsets import Offsets

if TYPE_CHECKING:
    from bear_otel.privacy.findings import Finding

# A Python frame and the source lines below it, up to the next frame or an unindented line; with the
# words above the first one.
_FRAME = re.compile(
    r"^(?:[ \t|+-]*(?:Exception Group )?Traceback \(most recent call last\):\n)?"
    r'[ \t|+-]*File "([^"\n]{1,1024})", line \d+([^\n]*\n)((?:[ \t'
    r'|]{4,}(?!File ")[^\n]*(?:\n|\Z)){0,12})',
    re.MULTILINE,
)
# The path of a module that is installed somewhere: words and versions, nothing else.
_MODULE = re.compile(r"/(?!home/|Users/)(?:[a-z0-9_.-]{1,32}/){0,16}[\w.-]{1,48}\.py")
_LONGEST_FRAME: Final = 512
# Path, function and code of frames in which nothing was found. The number of the line makes no
# difference, and a frame is code: what surrounds it makes none either.
_HARMLESS: Final[BoundedCache[tuple[str, ...], bool]] = BoundedCache(1024)


class WithoutFrames:
    """A text without the frames that are known to be harmless, nor the places of the others.

    They are most of a stack trace. One filler stands for each stretch that was left out.

    Args:
        whole: The whole text.

    Attributes:
        text: What is left to search.
        code: Where source lines stand in it.
    """

    __slots__ = ("_offsets", "_unknown", "code", "text")

    def __init__(self, whole: str) -> None:
        self.text = whole
        self.code: list[tuple[int, int]] = []
        self._offsets = Offsets()
        self._unknown: list[tuple[int, int, tuple[str, ...]]] = []
        if 'File "' in whole:
            self._read(whole)

    def _read(self, whole: str) -> None:
        parts: list[str] = []
        position = 0
        for frame in _FRAME.finditer(whole):
            key = frame.groups()
            start, end = frame.span()
            harmless = _HARMLESS.get(key)
            if harmless:
                end -= whole[end - 1] == "\n"
            elif end - start <= _LONGEST_FRAME:
                self._unknown.append((start, end, key))
            if harmless or _MODULE.fullmatch(key[0]):
                parts += whole[position:start], FILLER
                position = end if harmless else frame.start(2)
                self._offsets.shorten(start, position)
            if not harmless and key[2]:
                ahead = self._offsets.ahead
                self.code.append((frame.start(3) - ahead, frame.end(3) - ahead))
        parts.append(whole[position:])
        self.text = "".join(parts)

    def restore(self, found: list[Finding]) -> list[Finding]:
        """Return findings of the short text as findings of the whole text."""
        return self._offsets.restore(found)

    def learn(self, found: list[Finding]) -> None:
        """Remember the frames without a finding, after all detectors have seen them."""
        for start, end, key in self._unknown:
            for one in found:
                if one.start < end and one.end > start:
                    break
            else:
                _HARMLESS.put(key, value=True)
