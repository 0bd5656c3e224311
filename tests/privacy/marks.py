"""Read test texts in which « and » stand around what must not leave."""

from __future__ import annotations

import re

_MARKED = re.compile("«[^»]*»")


def plain(marked: str) -> str:
    """Return the text as an application writes it."""
    return marked.replace("«", "").replace("»", "")


def expected(marked: str) -> re.Pattern[str]:
    """Return what the clean text must match: the marked parts are constants or short addresses."""
    constant = r"(?:\[REDACTED:\w+\]|\?|(?:\d{1,3}\.){3}0|[0-9a-f:]+::)"
    return re.compile(constant.join(map(re.escape, _MARKED.split(marked))), re.DOTALL)
