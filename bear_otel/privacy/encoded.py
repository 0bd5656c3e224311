"""Look inside texts that are URL-encoded or base64: what is found there takes the whole run."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERCENT = re.compile(r"[^\s\"'<>&=?;,]{0,2048}%[0-9A-Fa-f]{2}[^\s\"'<>&;,]{0,2048}")
_BASE64 = re.compile(r"(?<![\w+/.-])[A-Za-z0-9+/_-]{20,4096}={0,2}(?![\w+/.-])")
_MOST: Final = 16


def decoded_runs(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and decoded text of the encoded runs of a text."""
    if "%" in text:
        for number, run in enumerate(_PERCENT.finditer(text)):
            if number >= _MOST:
                break
            decoded = unquote(run.group(), errors="replace")
            if decoded != run.group():
                yield *run.span(), decoded
    for number, run in enumerate(_BASE64.finditer(text)):
        if number >= _MOST:
            break
        decoded = _from_base64(run.group())
        if decoded is not None:
            yield *run.span(), decoded


def _from_base64(run: str) -> str | None:
    """Return the text that a run encodes, or None if it encodes no text."""
    run = run.rstrip("=").translate(_STANDARD)
    try:
        decoded = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return decoded if decoded.isprintable() else None


_STANDARD: Final = str.maketrans("-_", "+/")
