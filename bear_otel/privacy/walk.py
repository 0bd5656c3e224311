"""Walk through a value of any type and return a clean copy, within bounds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from bear_otel.privacy.cards import cards_within
from bear_otel.privacy.commands import find_in_arguments
from bear_otel.privacy.findings import merge, replace
from bear_otel.privacy.keys import KeyRule, classify_words, split_words
from bear_otel.privacy.known import judge
from bear_otel.privacy.likely import is_likely
from bear_otel.privacy.markers import CUT, DROPPED, PERSONAL_KINDS, marker
from bear_otel.privacy.scan import read
from bear_otel.privacy.values import PERSON

if TYPE_CHECKING:
    from bear_otel.privacy.known import Known
    from bear_otel.privacy.scrubber import Scrubber

_DEEPEST: Final = 16
_MOST_NODES: Final = 4096
_MOST_TEXT: Final = 131_072
# So many keys tell whose record it is.
_MOST_KEYS: Final = 256
_MOST_ARGUMENTS: Final = 256
_LONGEST_KEY: Final = 64
_LARGE: Final = 10**11
# `auth=("user", "password")`, as HTTP clients take it.
_CREDENTIALS: Final = KeyRule("secret", "password", "key word: auth")
# Values that cannot hold a text.
_INERT: Final = (date, time, timedelta, tzinfo, Decimal, UUID, complex)
_PERSONAL: Final = frozenset(("email", "phone", "birthdate", "address", "id", "iban", "name"))


class Walk:
    """One walk: it counts nodes and characters, so that no value can hold the process up.

    Args:
        scrubber: Cleans the single texts.
        door: Where the value leaves.
    """

    __slots__ = ("_nodes", "_scrubber", "_text", "context", "door")

    def __init__(self, scrubber: Scrubber, door: str) -> None:
        self._scrubber = scrubber
        self.door = door
        self.context = ""
        self._nodes = _MOST_NODES
        self._text = _MOST_TEXT

    def value(self, known: Known, value: object, depth: int = 0) -> Any:
        """Return the clean copy of a value under a key, or `DROPPED`."""
        if known.dropped:
            self._scrubber.count("dropped", self.door)
            return DROPPED
        if value is None or isinstance(value, bool):
            return value
        self._nodes -= 1
        if depth > _DEEPEST or self._nodes < 0 or self._text < 0:
            return CUT
        if isinstance(value, str):
            text = value if type(value) is str else str.__str__(value)
            self._text -= len(text)
            return self._scrubber.text(known, text, self.door, self.context)
        if isinstance(value, (int, float)):
            return self._number(known, value)
        if isinstance(value, (bytes, bytearray)):
            return self._bytes(known, bytes(value))
        if known.constant is not None or known.rule.cls in ("secret", "personal"):
            return self._whole(known, value)
        if known.rule.source == "key word: auth" and isinstance(value, (list, tuple)):
            return self._whole(
                judge(known.name, known.key, _CREDENTIALS, self._scrubber.policy), value
            )
        if isinstance(value, Mapping):
            return self._mapping(known, value, depth)
        if isinstance(value, (Sequence, AbstractSet)):
            return self._sequence(
                known,
                list(itertools.islice(value, _MOST_NODES)),
                depth,
                tuple_=isinstance(value, tuple),
            )
        if isinstance(value, _INERT):
            return value
        return self.value(known, str(value), depth + 1)

    def read_context(self, attributes: Mapping[Any, object]) -> None:
        """Learn from the keys of one record which database it names, or that it is a person's."""
        system = attributes.get("db.system.name") or attributes.get("db.system")
        known = self._scrubber.known
        if isinstance(system, str):
            self.context = system[:64]
        elif any(
            type(key) is str
            and known(key).rule.kind in _PERSONAL
            and known(key).rule.cls != "likely"
            for key in itertools.islice(attributes, _MOST_KEYS)
        ):
            self.context = PERSON

    def _whole(self, known: Known, value: object) -> Any:
        """Replace a value that goes whatever it is; a list stays a list, as headers are."""
        if isinstance(value, (Mapping, Sequence, AbstractSet)) and not value:
            return value
        if isinstance(value, (list, tuple)):
            clean = [self._scrubber.text(known, str(item), self.door) for item in value[:64]]
            return tuple(clean) if isinstance(value, tuple) else clean
        return self._scrubber.text(known, str(value), self.door)

    def _number(self, known: Known, value: float) -> Any:
        rule = known.rule
        if known.constant is not None or rule.cls in ("secret", "personal"):
            return self._scrubber.text(known, str(value), self.door)
        if rule.cls == "geo" and isinstance(value, float) and not known.cleared:
            return round(value, 1)
        open_door = known.cleared and rule.kind in PERSONAL_KINDS
        if (
            rule.cls == "likely"
            and not open_door
            and is_likely(str(value), rule.kind, person=True, quoted=True)
        ):
            self._scrubber.count(rule.kind, self.door)
            return marker(rule.kind)
        if isinstance(value, int) and abs(value) >= _LARGE and rule.cls != "keep":
            digits = str(value)[:64]
            if any(True for _ in cards_within(digits, 0, len(digits))):
                self._scrubber.count("card", self.door)
                return marker("card")
        return value

    def _bytes(self, known: Known, value: bytes) -> Any:
        head = value[: self._scrubber.policy.scan_limit]
        text = head.decode("utf-8", "surrogateescape")
        self._text -= len(text)
        clean = self._scrubber.text(known, text, self.door, self.context)
        if clean == text and len(head) == len(value):
            return value
        if len(head) < len(value) and not clean.endswith(CUT):
            clean = f"{clean} {CUT}"
        return clean.encode("utf-8", "surrogateescape")

    def _mapping(self, parent: Known, value: Mapping[Any, object], depth: int) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        outer, self.context = self.context, ""
        self.read_context(value)
        context = (
            split_words(parent.rule.source[10:])[-1:]
            if parent.rule.source.startswith("key word: ")
            else []
        )
        for key, item in value.items():
            if self._nodes < 0:
                clean["bear.privacy.cut"] = CUT
                break
            known = self._child(context, key if type(key) is str else str(key))
            result = self.value(known, item, depth + 1)
            if result is not DROPPED:
                clean[known.key] = result
        self.context = outer
        return clean

    def _child(self, context: list[str], key: str) -> Known:
        """Return what is known about a key inside a mapping: `name` under `patient` is a name."""
        known = self._scrubber.known(key)
        if context and known.rule.cls in ("likely", "scan") and not known.dropped:
            hit = classify_words([*context, *split_words(known.key)])
            if hit is not None and hit[0] == "personal":
                rule = KeyRule("personal", hit[1], f"key word: {hit[2]}")
                return judge(key, known.key, rule, self._scrubber.policy)
        return known

    def _sequence(self, known: Known, value: list[object], depth: int, *, tuple_: bool) -> Any:
        value = self._without_flags(value)
        pair = self._pair(value)
        clean: list[Any] = []
        for place, item in enumerate(value):
            if self._nodes < 0:
                clean.append(CUT)
                break
            item_known = pair if pair is not None and place else known
            clean.append(self.value(item_known, item, depth + 1))
        return tuple(clean) if tuple_ else clean

    def _without_flags(self, value: list[object]) -> list[object]:
        """Return an argument vector without what stands behind flags such as `--password`."""
        if not 1 < len(value) <= _MOST_ARGUMENTS or not all(type(item) is str for item in value):
            return value
        arguments: list[str] = value  # type: ignore[assignment]  just checked
        if not any(item[:1] in ("-", "/") for item in arguments):
            return value
        clean: list[object] = list(arguments)
        for place, found in find_in_arguments(arguments, read(" ".join(arguments))).items():
            for one in found:
                self._scrubber.count(one.kind, self.door)
            clean[place] = replace(arguments[place], merge(arguments[place], found))
        return clean

    def _pair(self, value: list[object]) -> Known | None:
        """Return what is known about the first of two, if that is a key, as in raw headers."""
        if len(value) != 2 or not isinstance(value[0], (str, bytes)):
            return None
        key = _as_key(value[0])
        if len(key) > _LONGEST_KEY or " " in key:
            return None  # a sentence
        known = self._scrubber.known(key)
        return known if known.rule.cls in ("secret", "personal", "content") else None


def _as_key(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
