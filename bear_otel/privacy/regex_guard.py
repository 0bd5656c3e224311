"""Refuse regular expressions that a hostile text could make slow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 512
_UNBOUNDED: Final = 1 << 30
# Ways to split a text between neighbouring repeats, for each place where a match may begin.
_MOST_WAYS: Final = 1024
# A longer repeat counts as unbounded.
_LONG_REPEAT: Final = 256
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d*)(,?)(\d*)\})[?+]?")
_GROUP = re.compile(r"\(\?(?:P<\w+>|[aiLmsux]*(?:-[imsx]+)?:|>|(=|!|<=|<!))|\((?!\?)")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ZERO_WIDTH: Final = frozenset(("^", "$", r"\b", r"\B", r"\A", r"\Z"))
_SAMPLES: Final = "".join(map(chr, range(128))) + "éßя中"


@dataclass(frozen=True, slots=True)
class _Item:
    """One element of a pattern and how often it repeats; a group has branches."""

    letters: frozenset[str]
    branches: tuple[tuple[_Item, ...], ...]
    least: int
    most: int
    zero_width: bool = False


def check_pattern(pattern: str) -> None:
    """Accept an expression that takes time linear in the text, whatever the text.

    The rules are stricter than need be, so that they can be told in one sentence each.

    Raises:
        ValueError: The expression is wrong, or may be slow; the text says why, and what to write.
    """
    if not 0 < len(pattern) <= _LONGEST:
        msg = f"an expression has 1 to {_LONGEST} characters"
        raise ValueError(msg)
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        msg = f"not a regular expression: {error}"
        raise ValueError(msg) from None
    if compiled.match(""):
        raise ValueError("it matches the empty text, so it would match everywhere")
    if re.search(r"\\[1-9]|\(\?P=|\(\?\(|\(\?#", pattern):
        raise ValueError("back-references and conditions are not accepted")
    flags = re.match(r"\(\?[aimsux]+\)", pattern)
    start = flags.end() if flags else 0
    branches, end = _parse(pattern, start, compiled.flags & (re.IGNORECASE | re.DOTALL))
    if end != len(pattern):
        raise ValueError("it has parts that cannot be judged; write it more simply")
    for branch in branches:
        _check(branch, outermost=True)


def _parse(pattern: str, position: int, flags: int) -> tuple[tuple[tuple[_Item, ...], ...], int]:
    """Return the branches from a position to the closing bracket or the end, and where that is."""
    branches: list[tuple[_Item, ...]] = []
    items: list[_Item] = []
    while position < len(pattern) and pattern[position] != ")":
        if pattern[position] == "|":
            branches.append(tuple(items))
            items = []
            position += 1
            continue
        item, position = _atom(pattern, position, flags)
        quantifier = _QUANTIFIER.match(pattern, position)
        if quantifier is not None and quantifier.group()[:2] != "{}":
            least, most = _bounds(quantifier)
            item = _Item(item.letters, item.branches, least, most, item.zero_width)
            position = quantifier.end()
        items.append(item)
    return (*branches, tuple(items)), position


def _atom(pattern: str, position: int, flags: int) -> tuple[_Item, int]:
    if pattern[position] == "(":
        opened = _GROUP.match(pattern, position)
        if opened is None:
            raise ValueError("it has parts that cannot be judged; write it more simply")
        branches, end = _parse(pattern, opened.end(), flags)
        return _Item(frozenset(), branches, 1, 1, zero_width=opened[1] is not None), end + 1
    matched = _CLASS.match(pattern, position) or _ESCAPE.match(pattern, position)
    text = matched.group() if matched else pattern[position]
    end = position + len(text)
    if text in _ZERO_WIDTH:
        return _Item(frozenset((text,)), (), 1, 1, zero_width=True), end
    one = re.compile(text, flags)
    letters = frozenset(c for c in _SAMPLES if one.fullmatch(c))
    return _Item(letters or frozenset(text[-1:]), (), 1, 1), end


def _bounds(quantifier: re.Match[str]) -> tuple[int, int]:
    if quantifier[1]:
        return {"*": (0, _UNBOUNDED), "+": (1, _UNBOUNDED), "?": (0, 1)}[quantifier[1]]
    least = int(quantifier[2] or 0)
    if not quantifier[3]:
        return least, least
    return least, int(quantifier[4]) if quantifier[4] else _UNBOUNDED


def _check(items: tuple[_Item, ...], *, outermost: bool) -> None:
    ways = 1
    anchors: list[
        frozenset[str]
    ] = []  # what must stand before: it keeps a match from beginning inside
    for place, item in enumerate(items):
        if item.branches:
            if item.most > 1 and any(map(_varies, item.branches)):
                raise ValueError(
                    "a repeat inside a repeat, such as (a+)+; repeat single letters or classes"
                )
            for branch in item.branches:
                _check(branch, outermost=False)
            if item.most > 1 and len(item.branches) > 1:
                raise ValueError(
                    "a repeat of alternatives, such as (a|b)+; write a class, such as [ab]"
                )
            continue
        if item.zero_width:
            continue
        if item.most > _LONG_REPEAT:
            # At the end it takes what is there, and nothing behind it can fail.
            last = outermost and all(rest.letters == {r"\b"} for rest in items[place + 1 :])
            if not last and not any(letters.isdisjoint(item.letters) for letters in anchors):
                raise ValueError(
                    "an unbounded repeat that could begin anywhere; give it a bound, such as {1,64}"
                )
        if item.least:
            anchors.append(item.letters)
        following = next((rest for rest in items[place + 1 :] if not rest.zero_width), None)
        overlaps = following is not None and (
            bool(following.branches) or not following.letters.isdisjoint(item.letters)
        )
        if overlaps and item.most > item.least:
            ways *= _width(item) * (_width(following) if following else 1)
    if ways > _MOST_WAYS:
        raise ValueError("neighbouring repeats of the same letters; give them smaller bounds")


def _width(item: _Item) -> int:
    return min(item.most - item.least, _MOST_WAYS) + 1


def _varies(branch: tuple[_Item, ...]) -> bool:
    """Say whether a branch can match texts of different lengths."""
    return any(
        item.most != item.least or any(map(_varies, item.branches))
        for item in branch
        if not item.zero_width
    )
