"""Find the values that stand behind a telling key: `password=x`, JSON, YAML, logfmt, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.keys import classify_words, split_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAIR = re.compile(
    r"""(?<![\w.-])([^\W\d][\w.-]{0,63})\\{0,2}["'`]?\s{0,2}[=:]\s{0,2}(\\{0,2}["'`])?""",
)
_BARE = re.compile(r"""[^\s&;,"'<>|)\]}]{1,512}""")


def find_assignments(text: str, lower: str) -> Iterator[Finding]:  # noqa: ARG001 one signature for all
    """Yield the values behind keys that name something secret or personal."""
    for pair in _PAIR.finditer(text):
        hit = classify_words(split_words(pair[1]))
        if hit is None or hit[0] not in ("secret", "personal"):
            continue
        start = pair.end()
        if pair[2]:
            end = text.find(pair[2], start)
            end = len(text) if end < 0 else end
        else:
            bare = _BARE.match(text, start)
            end = bare.end() if bare else start
        yield Finding(start, end, hit[1], f"key word: {hit[2]}")
