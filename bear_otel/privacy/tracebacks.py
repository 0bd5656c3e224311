"""Tell the parts of a stack trace: frames and source lines are code, messages are data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.markers import FILLER
from bear_otel.privacy.shapes import SERVICE_USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

# A Python frame and the source lines below it, up to the next frame or an unindented line.
_FRAME = re.compile(
    r'^[ \t|+-]*File "[^"\n]{1,1024}", line \d+[^\n]*\n((?:[ \t'
    r'|]{4,}(?!File ")[^\n]*(?:\n|\Z)){0,12})',
    re.MULTILINE,
)
_HOME = re.compile(
    r"(?:(?<![\w.-])(?:/(?:mnt|export|data|nfs|var|net))?/(?:home|Users)/"
    r"|\b[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings)(?:\\{1,2}|/))"
    r"([^/\\\s\"':;,<>|)\]]{1,64}(?: [A-Z][\w.-]{1,32}(?=[\\/]))?)"
)


# The path of a module that is installed somewhere: words and versions, nothing else.
_MODULE = re.compile(
    r'(?<=File ")/(?!home/|Users/)(?:[a-z0-9_.-]{1,32}/){0,16}[\w.-]{1,48}\.py(?=", line )'
)


def without_modules(text: str) -> str:
    """Return the text with the paths of modules filled over: they are most of a stack trace."""
    if 'File "' not in text:
        return text
    return _MODULE.sub(lambda found: FILLER * len(found.group()), text)


def code_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Return where the source lines of Python stack traces stand."""
    if 'File "' not in text:
        return ()
    return tuple(found.span(1) for found in _FRAME.finditer(text) if found[1])


def find_homes(source: Source) -> Iterator[Finding]:
    """Yield the user names in paths to home directories; names of services stay."""
    text = source.text
    for found in _HOME.finditer(text):
        name = found[1].lower()
        if (
            name in SERVICE_USERS
            or name in ("shared", "all users", "app", "linuxbrew")
            or name[0] in "{<$%*["
        ):
            continue
        yield Finding(found.start(1), found.end(1), "user", "home directory")
