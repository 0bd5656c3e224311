"""Name what was found: the kinds and their constant markers."""

from __future__ import annotations

import re
from typing import Final, final


@final
class Dropped:
    """The type of `DROPPED`: an attribute that must not be written at all."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DROPPED"

    def __bool__(self) -> bool:
        return False


DROPPED: Final = Dropped()

# Secrets never leave, whatever the policy: credentials, payment data (PCI DSS 3.2 forbids storing
# it), and values that nobody can judge, such as the parameters of a statement.
SECRET_KINDS: Final = frozenset(
    (
        "password",
        "token",
        "secret",
        "key",
        "cookie",
        "card",
        "sql",
        "row",
        "content",
        "custom",
        "error",
        "cut",
    )
)
# One person, stably named: these may become pseudonyms. The other personal kinds have too few
# values to hide behind a keyed hash, or say too much in themselves.
PSEUDONYM_KINDS: Final = frozenset(("email", "phone", "user", "session", "id", "iban", "device"))
PERSONAL_KINDS: Final = PSEUDONYM_KINDS | frozenset(
    ("name", "address", "birthdate", "geo", "ip", "mac", "personal", "query")
)

# Of these a part may stay: the network of an address, the neighbourhood of a place.
SHORTENED: Final = frozenset(("ip", "geo"))

_MARKERS: Final[dict[str, str]] = {
    kind: f"[REDACTED:{kind}]" for kind in sorted(SECRET_KINDS | PERSONAL_KINDS)
}
CUT: Final = _MARKERS["cut"]
ERROR: Final = _MARKERS["error"]
_CLEAN = re.compile(r"\[REDACTED:(?:" + "|".join(_MARKERS) + r")\]|ps1\.\d{1,6}\.[a-z2-7]{20}")


def marker(kind: str) -> str:
    """Return the constant that stands for a value of this kind."""
    return _MARKERS.get(kind, _MARKERS["custom"])


def is_clean(text: str) -> bool:
    """Say whether the text is one marker or one pseudonym."""
    return _CLEAN.fullmatch(text) is not None


# Stands for a marker while a text is searched: no letter, no blank, no bracket, and ASCII.
FILLER: Final = "\x1a"
_NOTHING = re.compile(r"[\W_]*")


def masked(text: str) -> str:
    """Return the text with its markers and pseudonyms filled over, so that nothing reads them."""
    if "[REDACTED:" not in text and "ps1." not in text:
        return text
    return _CLEAN.sub(lambda found: FILLER * len(found.group()), text)


def is_filled(text: str) -> bool:
    """Say whether a part of a masked text holds nothing but markers and signs."""
    return FILLER in text and _NOTHING.fullmatch(text) is not None
