"""Text for a terminal: width, shortening, wrapping, colours, numbers with their unit.

Everything drawn is written with box characters; `paint` translates them, one for one, where the
terminal has no such characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from time import localtime, strftime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the terminal can show."""

    width: int = 80
    color: bool = False
    unicode: bool = True


TIMES = "×"  # noqa: RUF001 - the sign for "so many times"

Piece = tuple[str, str]
"""A text and the name of its colour; `""` is the terminal's own."""

# The sixteen colours that every theme defines; no background but for what was redacted.
_CODES = {
    "dim": "2",
    "bold": "1",
    "red": "31",
    "bold red": "1;31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_MARKER_CODE = "7;35"
MARKER = re.compile(r"\[REDACTED:[^]\s]*]|ps1\.\d{1,6}\.[a-z2-7]{20}")
_ASCII = str.maketrans("─│├└╴━╸╺✗…·×→µ", "-||`-===x~.x>u")  # noqa: RUF001 - drawn, not read

_BYTES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COUNTS = ((1e9, "G"), (1e6, "M"))


def paint(pieces: list[Piece], style: Style) -> str:
    """Return one line of pieces that fits, is harmless, and lets redaction markers stand out."""
    pieces = clip(pieces, style.width)
    text = "".join(_paint_piece(text, color, style) for text, color in pieces).rstrip()
    return text if style.unicode else text.translate(_ASCII)


def _paint_piece(text: str, color: str, style: Style) -> str:
    # What arrives may hold escape sequences; no terminal should obey them.
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    if not style.color or not text:
        return text
    code = _CODES.get(color)
    if "[REDACTED:" not in text and "ps1." not in text:
        return _wrap_code(text, code)
    cuts = [0, *(cut for match in MARKER.finditer(text) for cut in match.span()), len(text)]
    return "".join(
        _wrap_code(text[start:end], _MARKER_CODE if index % 2 else code)
        for index, (start, end) in enumerate(pairwise(cuts))
    )


def _wrap_code(text: str, code: str | None) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def clip(pieces: list[Piece], width: int) -> list[Piece]:
    """Shorten the pieces at their end to a number of columns."""
    clipped: list[Piece] = []
    for text, color in pieces:
        text_fits = cut_end(text, width)
        clipped.append((text_fits, color))
        width -= cells(text_fits)
    return clipped


def cells(text: str) -> int:
    """Return how many columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        1 + (unicodedata.east_asian_width(letter) in "WF") - bool(unicodedata.combining(letter))
        for letter in text
    )


def pad(text: str, width: int) -> str:
    """Fill the text with spaces on the right."""
    return text + " " * (width - cells(text))


def cut_end(text: str, width: int) -> str:
    """Shorten at the end, never inside a redaction marker."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    cut = len(_take(text, width - 1))
    marker = _marker_around(text, cut)
    return text[: marker[0] if marker else cut].rstrip() + "…"


def cut_middle(text: str, width: int) -> str:
    """Shorten in the middle: a name is told by its two ends."""
    if cells(text) <= width:
        return text
    right = max(width - 1, 0) // 2
    cut = len(text) - len(_take(text[::-1], right))
    marker = _marker_around(text, cut)
    return cut_end(text, width - right) + text[marker[1] if marker else cut :]


def _marker_around(text: str, position: int) -> tuple[int, int] | None:
    for marker in MARKER.finditer(text):
        if marker.start() < position < marker.end():
            return marker.span()
    return None


def _take(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += cells(character)
        if used > width:
            return text[:index]
    return text


def wrap(text: str, width: int, lines: int) -> list[str]:
    """Break at spaces into at most so many lines; the last one is shortened."""
    words = text[: 4 * width * lines].split()
    wrapped: list[str] = []
    while words and len(wrapped) < lines:
        line = words.pop(0)
        while words and cells(line) + 1 + cells(words[0]) <= width:
            line += " " + words.pop(0)
        wrapped.append(line)
    if words:
        wrapped[-1] += " " + words[0]
        wrapped[-1] = cut_end(wrapped[-1] + " " * width, width)
    return [cut_end(line, width) for line in wrapped]


def format_duration(nanoseconds: float) -> str:
    """Return a duration with three digits: `950 µs`, `4.21 ms`, `48.3 ms`, `1.2 s`, `2m 05s`."""
    if not 0 <= nanoseconds < float("inf"):
        return "?"
    if nanoseconds < 999_500:
        return f"{nanoseconds / 1e3:.0f} µs"
    if nanoseconds < 999.5e6:
        return f"{_round(nanoseconds / 1e6)} ms"
    if nanoseconds < 99.95e9:
        return f"{_round(nanoseconds / 1e9)} s"
    minutes, seconds = divmod(round(nanoseconds / 1e9), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}h {minutes_left:02}m" if hours else f"{minutes}m {seconds:02}s"


def _round(value: float) -> str:
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def format_quantity(value: float, unit: str) -> str:
    """Return a number with its UCUM unit, in a form that is read at a glance."""
    if unit == "s":
        return format_duration(value * 1e9) if value >= 0 else f"{value:g} s"
    if unit == "ms":
        return format_duration(value * 1e6) if value >= 0 else f"{value:g} ms"
    if unit == "By":
        return _scaled(value, _BYTES, "B")
    # What is counted (`{request}`) is told by the metric's name; 1 is no unit.
    return _scaled(value, _COUNTS, "" if unit == "1" or unit.startswith("{") else unit)


def _scaled(value: float, steps: tuple[tuple[float, str], ...], unit: str) -> str:
    for factor, prefix in steps:
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)} {prefix}{unit}"
    return f"{_three_digits(value)} {unit}".rstrip()


def _three_digits(value: float) -> str:
    if isfinite(value) and value == int(value):
        return f"{int(value):,}"
    if abs(value) < 1 or not isfinite(value):
        return f"{value:.3g}"
    return ("-" if value < 0 else "") + _round(abs(value))


def format_value(value: Any) -> str:
    """Return an attribute's value on one line."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(str(value)[:4096].split())


def format_clock(nanoseconds: int) -> str:
    """Return the local time of day, with seconds."""
    try:
        return strftime("%H:%M:%S", localtime(nanoseconds / 1e9))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


def heading(left: list[Piece], right: str, style: Style) -> str:
    """Return a line with a thin rule between its two ends."""
    used = sum(cells(text) for text, _ in left) + cells(right)
    rule = "─" * max(style.width - used - 2, 1)
    return paint([*left, (f" {rule} {right}".rstrip(), "dim")], style)
