"""Read the texts inside a text that are written with escapes, as JSON and `repr` write them."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.offsets import Offsets

if TYPE_CHECKING:
    from collections.abc import Iterator

# A quoted text; one that was cut off has no end.
_QUOTED = re.compile(
    r'(?<!\\)"([^"\\]*\\.(?:[^"\\]|\\.)*)(?:"|\\?\Z)'
    r"|(?<![\w\\])'([^'\\]*\\.(?:[^'\\]|\\.)*)(?:'|\\?\Z)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\"'\\/nrtbfv0]))")
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_SHORTEST: Final = 8
_MOST: Final = 64


def escaped_texts(text: str) -> Iterator[tuple[int, str, Offsets]]:
    """Yield where a quoted text with escapes begins, what it says, and its places."""
    quoted = (q for q in _QUOTED.finditer(text) if q.end() - q.start() > _SHORTEST)
    for found in itertools.islice(quoted, _MOST):
        group = found.lastindex or 0
        offsets = Offsets()

        def read(escape: re.Match[str], offsets: Offsets = offsets) -> str:
            offsets.shorten(*escape.span())
            code = escape[1] or escape[2]
            return chr(int(code, 16)) if code else _LETTERS.get(escape[3], escape[3])

        yield found.start(group), _ESCAPE.sub(read, found[group]), offsets
