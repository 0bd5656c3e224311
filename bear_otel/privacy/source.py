"""Hold a text in the forms that detectors read: as it is, in lower case, and as a set of words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Everything that is no letter separates words; so do the quotes and signs of other scripts.
_SEPARATORS: Final = {
    **{code: " " for code in range(128) if not chr(code).isalpha()},
    **dict.fromkeys(map(ord, "\uff1a\uff1d“”\u2018\u2019«»„、。\uff0c\uff08\uff09「」\u00a0"), " "),
}
# With a digit or a capital in it.
_RUN = re.compile(r"[A-Za-z0-9_-]{12,}")
_MIXED = re.compile(r"[0-9A-Z]")
# `create_async_engine_2`, `IntegrityError`: random letters hardly make one.
_NAME = re.compile(
    r"_{0,2}[A-Z]?[a-z]{3,}(?:[_-]{1,2}[A-Z]?[a-z]{2,}|[A-Z][a-z]{2,}|_\d{1,2})*_{0,2}"
)


class Source:
    """One text under search.

    Args:
        text: The text.
        vocabulary: The words that detectors wait for.
        stems: Words of scripts without spaces, which stand inside longer runs.
        code: Where source lines stand in the text.

    Attributes:
        telling: Whether a key was found that names something secret or personal.
    """

    __slots__ = ("_random_runs", "code", "lower", "telling", "text", "words")

    def __init__(
        self,
        text: str,
        vocabulary: frozenset[str],
        stems: frozenset[str],
        code: Sequence[tuple[int, int]] = (),
    ) -> None:
        lower = text.lower()
        if len(lower) != len(text):  # a few letters change length; offsets must fit the text
            lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        self._random_runs: list[tuple[int, int]] | None = None
        self.text = text
        self.telling = False
        self.code = code
        self.lower = lower
        self.words = vocabulary.intersection(lower.translate(_SEPARATORS).split())
        if not text.isascii():
            self.words |= {stem for stem in stems if stem in lower}

    @property
    def random_runs(self) -> list[tuple[int, int]]:
        """Where runs of letters and digits stand that are no words, as every credential has one."""
        if self._random_runs is None:
            self._random_runs = [
                found.span()
                for found in _RUN.finditer(self.text)
                if _MIXED.search(run := found.group())
                and not (len(run) == 36 and run[8] == "-")  # a UUID
                and _NAME.fullmatch(run) is None
            ]
        return self._random_runs

    def places(self, words: frozenset[str]) -> Iterator[int]:
        """Yield the offsets at which any of the words stands."""
        for word in self.words & words:
            yield from self.places_of(word)

    def places_of(self, word: str) -> Iterator[int]:
        """Yield the offsets of one word, also within longer ones."""
        position = self.lower.find(word)
        while position >= 0:
            yield position
            position = self.lower.find(word, position + len(word))


class Phrases:
    """Phrases that introduce something; each pattern is compiled when its first word is met.

    Args:
        phrases: Comma-separated; a blank may be a blank, an underscore or a hyphen in the text.
        pattern: What is looked for, from the phrase on; `PHRASE` stands for the phrases.
    """

    __slots__ = ("_by_word", "_compiled", "_pattern", "words")

    def __init__(self, phrases: str, pattern: str) -> None:
        self._by_word: dict[str, list[str]] = {}
        for phrase in phrases.split(","):
            first = phrase.lower().translate(_SEPARATORS).split()
            if first:
                self._by_word.setdefault(first[0], []).append(" ".join(phrase.split()))
        self._pattern = pattern
        self._compiled: dict[str, re.Pattern[str]] = {}
        self.words = frozenset(self._by_word)

    def find(self, source: Source) -> Iterator[re.Match[str]]:
        """Yield what the phrases of a text introduce."""
        for word in source.words & self.words:
            compiled = self._compiled.get(word) or self._compile(word)
            for place in source.places_of(word):
                found = compiled.match(source.text, place)
                if found is not None:
                    yield found

    def _compile(self, word: str) -> re.Pattern[str]:
        longest_first = sorted(self._by_word[word], key=len, reverse=True)
        alternatives = "|".join(phrase.replace(" ", r"[\s_-]") for phrase in longest_first)
        compiled = re.compile(self._pattern.replace("PHRASE", alternatives), re.IGNORECASE)
        self._compiled[word] = compiled
        return compiled


# UUIDs, trace and span ids. Digits alone may be a card, two letters before them an account.
_ID = re.compile(
    r"(?=..[0-9-]{0,30}[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9a-f]{8}(?:[0-9a-f]{16})?)(?!\w)"
)
_DIGITS: Final = str.maketrans("123456789", "000000000")
_LONGEST_OUTLINE: Final = 512


def outline(text: str) -> str | None:
    """Return the text with its digits levelled and its ids filled over; None where that misleads.

    An escape such as `%40` means something by its digits.
    """
    if len(text) > _LONGEST_OUTLINE or "%" in text or "\\" in text or "&" in text:
        return None
    return _ID.sub("#", text).translate(_DIGITS)


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text that lists them."""
    return frozenset(text.split())


def alternatives(phrases: str) -> str:
    """Return comma-separated phrases as the alternatives of a pattern, the longest first."""
    listed = sorted({" ".join(p.split()) for p in phrases.split(",")} - {""}, key=len, reverse=True)
    return "|".join(phrase.replace(" ", r"[\s_-]") for phrase in listed)


def first_words(phrases: str) -> frozenset[str]:
    """Return the words that comma-separated phrases begin with, as `Source` splits them."""
    words = (p.translate(_SEPARATORS).split() for p in phrases.lower().split(","))
    return frozenset(split[0] for split in words if split)
