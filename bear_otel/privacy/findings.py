"""Hold what detectors found in a text, and put the replacements in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.markers import SHORTENED, is_filled, marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Finding(NamedTuple):
    """One stretch of text that must not leave.

    Args:
        start: Offset of its first character.
        end: Offset behind its last character.
        kind: What it is, such as `email`.
        rule: The detector that found it.
        replacement: What stands for it, where that is not the marker of its kind.
    """

    start: int
    end: int
    kind: str
    rule: str
    replacement: str | None = None


def merge(text: str, found: Iterable[Finding]) -> list[Finding]:
    """Return the findings in order, without overlaps, and without what is clean already.

    Overlapping findings become one that covers both, so nothing is left between two opinions: the
    longer one names the kind.

    Args:
        text: The text that was searched, masked.
        found: The findings in any order.
    """
    merged: list[Finding] = []
    for one in sorted(found, key=lambda f: (f.start, -f.end, f.kind in SHORTENED)):
        if one.start >= one.end or is_filled(text[one.start : one.end]):
            continue
        if merged and one.start < merged[-1].end:
            last = merged[-1]
            if one.end > last.end:
                longer = last if last.end - last.start >= one.end - one.start else one
                merged[-1] = Finding(last.start, one.end, longer.kind, longer.rule)
            elif last.kind in SHORTENED and one.kind not in SHORTENED:
                merged[-1] = Finding(last.start, last.end, one.kind, one.rule)
            continue
        merged.append(one)
    return merged


def stands_alone(text: str, one: Finding) -> bool:
    """Say whether a finding has separators on both sides, so that it can hide no other."""
    behind = text[one.end : one.end + 1]
    if behind in _CLOSING:
        behind = text[one.end + 1 : one.end + 2]
    return text[one.start - 1 : one.start] in _BEFORE and behind in _BEHIND


_BEFORE: Final = frozenset(("", " ", "\n", "=", ":", '"', "'", "<"))
_BEHIND: Final = frozenset(("", " ", "\n", ",", ";", "&"))
_CLOSING: Final = frozenset(('"', "'", ")", "]", "}", ">"))


def replace(
    text: str, findings: list[Finding], render: Callable[[str, str], str] | None = None
) -> str:
    """Return the text with each finding replaced.

    Args:
        text: The text that was searched.
        findings: Ordered and without overlaps, as `merge` returns them.
        render: Makes the replacement from kind and found text; constant markers when left out.
    """
    parts: list[str] = []
    position = 0
    for one in findings:
        parts.append(text[position : one.start])
        if one.replacement is not None:
            parts.append(one.replacement)
        elif render is not None:
            parts.append(render(one.kind, text[one.start : one.end]))
        else:
            parts.append(marker(one.kind))
        position = one.end
    parts.append(text[position:])
    return "".join(parts)
