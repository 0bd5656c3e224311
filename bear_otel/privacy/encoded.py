"""Look inside texts that are URL-encoded or base64: what is found there takes the whole run."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_RUN = re.compile(r"[^\s\"'<>&=?;,]+")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,4096}={0,2}")
_MOST: Final = 16


def decoded_runs(source: Source) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and decoded text of the encoded runs of a text."""
    text = source.text
    if "%" in text:
        runs = (run for run in _RUN.finditer(text) if _PERCENT.search(run.group()))
        for run in itertools.islice(runs, _MOST):
            decoded = unquote_plus(run.group(), errors="replace")
            if decoded != run.group():
                yield *run.span(), decoded
    base64_runs = _BASE64.finditer(text) if source.random_runs else ()
    for run in itertools.islice(base64_runs, _MOST):
        decoded = _from_base64(run.group())
        if decoded is not None:
            yield *run.span(), decoded


def _from_base64(run: str) -> str | None:
    """Return the text that a run encodes, or None if it encodes no text."""
    run = run.rstrip("=").translate(_STANDARD)
    if len(run) == 36 and run[8] == "+":
        return None  # a UUID
    try:
        decoded = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return decoded if decoded.isprintable() else None


_STANDARD: Final = str.maketrans("-_", "+/")
