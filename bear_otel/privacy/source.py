"""Hold a text in the forms that detectors read: as it is, in lower case, and as a set of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Everything that is no letter separates words; so do the quotes and signs of other scripts.
_SEPARATORS: Final = {
    **{code: " " for code in range(128) if not chr(code).isalpha()},
    **dict.fromkeys(map(ord, "\uff1a\uff1d“”\u2018\u2019«»„、。\uff0c\uff08\uff09「」\u00a0"), " "),
}


class Source:
    """One text under search.

    Args:
        text: The text.
        vocabulary: The words that detectors wait for.
        stems: Words of scripts without spaces, which stand inside longer runs.
    """

    __slots__ = ("lower", "text", "words")

    def __init__(self, text: str, vocabulary: frozenset[str], stems: frozenset[str]) -> None:
        lower = text.lower()
        if len(lower) != len(text):  # a few letters change length; offsets must fit the text
            lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        self.text = text
        self.lower = lower
        self.words = vocabulary.intersection(lower.translate(_SEPARATORS).split())
        if not text.isascii():
            self.words |= {stem for stem in stems if stem in lower}

    def places(self, words: frozenset[str]) -> Iterator[int]:
        """Yield the offsets at which any of the words stands."""
        for word in self.words & words:
            position = self.lower.find(word)
            while position >= 0:
                yield position
                position = self.lower.find(word, position + len(word))


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
