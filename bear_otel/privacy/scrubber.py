"""Scrub texts, attributes and bodies at the doors of the process."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bear_otel.privacy.cache import BoundedCache
from bear_otel.privacy.findings import Finding, merge, replace, stands_alone
from bear_otel.privacy.keys import SCAN, classify
from bear_otel.privacy.known import Known, judge
from bear_otel.privacy.markers import (
    CUT,
    DROPPED,
    ERROR,
    PSEUDONYM_KINDS,
    is_clean,
    marker,
    masked,
)
from bear_otel.privacy.policy import PrivacyPolicy
from bear_otel.privacy.pseudonyms import Pseudonymizer
from bear_otel.privacy.scan import cut
from bear_otel.privacy.values import find_in_value
from bear_otel.privacy.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_POLICY: Final = PrivacyPolicy()
_CACHED_LENGTH: Final = 1024
_MOST_ROUNDS: Final = 4
_MOST_COUNTS: Final = 1024
# Smaller numbers are neither cards nor national numbers.
_LARGE: Final = 10**11


class Explanation(NamedTuple):
    """Why something is replaced: the rule, the kind, and where it stands; never the value."""

    rule: str
    kind: str
    start: int
    end: int


class Clean(NamedTuple):
    """The result for one text: what may leave, and the kinds that were replaced."""

    key: str
    text: str
    kinds: tuple[str, ...]


class Scrubber:
    """Returns clean copies; never raises, never shows a part of what it removes.

    An error inside turns the value into `[REDACTED:error]` and counts in `errors`. Several threads
    may use one scrubber; a count may then be short by a few.

    Args:
        policy: What may leave.
        pseudonyms: Makes the pseudonyms that the policy asks for; random keys of this process when
            left out.

    Attributes:
        counts: How often a kind was replaced at a door.
        errors: How often a value could not be judged and went as a whole.
    """

    def __init__(
        self,
        policy: PrivacyPolicy = _DEFAULT_POLICY,
        pseudonyms: Pseudonymizer | None = None,
    ) -> None:
        self.policy = policy
        self.counts: dict[tuple[str, str], int] = {}
        self.errors = 0
        self._pseudonyms = None
        if policy.personal == "pseudonym":
            self._pseudonyms = pseudonyms or Pseudonymizer()
        self._keys: BoundedCache[str, Known] = BoundedCache(2048)
        # Values by key. What stands under a secret or personal key never enters a cache.
        self._values: BoundedCache[tuple[str, str], Clean] = BoundedCache(4096)
        self._in_context: BoundedCache[tuple[str, str, str], Clean] = BoundedCache(2048)
        self._text = Known("", SCAN, "", False, policy.personal == "clear", None, numbers=True)

    def scrub_text(self, text: str, *, door: str) -> str:
        """Return free text without what is secret or personal."""
        try:
            return self._string(self._text, text, door)
        except Exception:  # noqa: BLE001 telemetry never raises into the application
            return self._failed(door)

    def scrub_name(self, text: str, *, door: str) -> str:
        """Return the name of a span, event or instrument; route templates stay."""
        return self.scrub_text(text, door=door)

    def scrub_value(self, key: str, value: object, *, door: str) -> Any:
        """Return one clean attribute value, or `DROPPED`."""
        try:
            return Walk(self, door).value(self.known(key), value)
        except Exception:  # noqa: BLE001 telemetry never raises into the application
            return self._failed(door)

    def scrub_attributes(self, attrs: Mapping[str, object] | None, *, door: str) -> dict[str, Any]:
        """Return a clean copy of attributes; the keys are scrubbed, too."""
        clean: dict[str, Any] = {}
        if not attrs:
            return clean
        values, keys = self._values.young, self._keys.young
        for key, value in attrs.items():
            try:
                kind = type(value)
                if kind is str:
                    hit = values.get((key, value))  # type: ignore[arg-type]  kind is str
                    if hit is not None:
                        clean[hit.key] = hit.text
                        for found in hit.kinds:
                            self.count(found, door)
                        continue
                known = keys.get(key) or self.known(key)
                if known.constant is not None and kind is str:
                    clean[known.key] = self.text(known, value, door)  # type: ignore[arg-type]  kind is str
                elif known.numbers and (
                    kind is bool or ((kind is int or kind is float) and -_LARGE < value < _LARGE)  # type: ignore[operator]  a number
                ):
                    clean[known.key] = value
                else:
                    self._slow(clean, known, value, attrs, door)
            except Exception:  # noqa: BLE001 telemetry never raises into the application
                known = keys.get(key)
                clean[known.key if known else "bear.privacy.error"] = self._failed(door)
        return clean

    def scrub_body(self, value: object, *, door: str) -> Any:
        """Return a clean copy of a log body of any type."""
        try:
            return Walk(self, door).value(self._text, value)
        except Exception:  # noqa: BLE001 telemetry never raises into the application
            return self._failed(door)

    def scrub_tracestate(self, text: str) -> str:
        """Return a W3C tracestate header without the members that hold something personal."""
        try:
            members = [member.strip() for member in text.split(",")]
            kept = [m for m in members if not self._find(self._text, m)]
            for _ in range(len(members) - len(kept)):
                self.count("query", "tracestate")
            return ",".join(kept)
        except Exception:  # noqa: BLE001 telemetry never raises into the application
            self._failed("tracestate")
            return ""

    def scrub_baggage(self, mapping: Mapping[str, object] | None) -> dict[str, Any]:
        """Return a clean copy of baggage: entries that would need a marker are left out."""
        clean = self.scrub_attributes(mapping, door="baggage")
        try:
            return {key: value for key, value in clean.items() if (mapping or {}).get(key) == value}
        except Exception:  # noqa: BLE001 telemetry never raises into the application
            self._failed("baggage")
            return {}

    def explain(self, text: str, key: str | None = None) -> list[Explanation]:
        """Return which rules fire on a text, or on the value of an attribute."""
        known = self._text if key is None else self.known(key)
        if known.dropped:
            return [Explanation(known.rule.source, "dropped", 0, len(text))]
        found = self._find(known, cut(text, self.policy.scan_limit))
        return [Explanation(f.rule, f.kind, f.start, f.end) for f in found]

    def known(self, key: str) -> Known:
        """Return what the policy says about a key."""
        known = self._keys.get(key)
        if known is None:
            # The clean key decides, so that a scrubbed record means the same when scrubbed again.
            clean = self._string(self._text, key, "attribute.key")
            known = judge(key, clean, classify(clean), self.policy)
            self._keys.put(key, known)
        return known

    def text(self, known: Known, text: str, door: str, context: str = "") -> str:
        """Return one clean text under a key; the context is what keys beside it say."""
        if known.constant is not None:
            if not text or is_clean(text):
                return text
            self.count(known.rule.kind, door)
            return known.constant
        return self._string(known, text, door, context)

    def count(self, kind: str, door: str) -> None:
        """Count one replacement."""
        counts = self.counts
        key = (kind, door)
        if key in counts or len(counts) < _MOST_COUNTS:
            counts[key] = counts.get(key, 0) + 1

    def _slow(
        self,
        clean: dict[str, Any],
        known: Known,
        value: object,
        attrs: Mapping[str, object],
        door: str,
    ) -> None:
        walk = Walk(self, door)
        if known.rule.cls in ("sql", "likely"):
            walk.read_context(attrs)
        result = walk.value(known, value)
        if result is not DROPPED:
            clean[known.key] = result

    def _string(self, known: Known, text: str, door: str, context: str = "") -> str:
        in_context = known.rule.cls in ("sql", "likely")
        cache: BoundedCache[Any, Clean] = self._in_context if in_context else self._values
        cache_key = (known.name, text, context) if in_context else (known.name, text)
        hit = cache.get(cache_key)
        if hit is None:
            hit = self._scrub(known, text, context)
            if len(text) <= _CACHED_LENGTH and not self._moving(known, hit.kinds):
                cache.put(cache_key, hit)
        for kind in hit.kinds:
            self.count(kind, door)
        return hit.text

    def _moving(self, known: Known, kinds: tuple[str, ...]) -> bool:
        """Say whether a result must not be remembered: it is secret, or changes with the period."""
        if known.rule.cls in ("secret", "personal"):
            return True
        return self._pseudonyms is not None and not PSEUDONYM_KINDS.isdisjoint(kinds)

    def _scrub(self, known: Known, text: str, context: str) -> Clean:
        limit = self.policy.scan_limit
        clean = cut(text, limit)
        shortened = len(clean) < len(text)
        kinds: list[str] = []
        for _ in range(_MOST_ROUNDS):
            # What was replaced may have hidden something: a number that touched a token, say.
            found = self._find(known, clean, context)
            if not found:
                break
            kinds += [one.kind for one in found]
            lone = all(map(stands_alone, itertools.repeat(clean), found))
            clean = replace(clean, found, self._render)
            if len(clean) > limit:
                clean, shortened = cut(clean, limit), True
            if lone:
                break
        if shortened:
            kinds.append("cut")
            clean = f"{cut(clean, limit - len(CUT) - 1)} {CUT}"
        return Clean(known.key, clean, tuple(kinds))

    def _find(self, known: Known, text: str, context: str = "") -> list[Finding]:
        found = find_in_value(known.rule, text, context, cleared=known.cleared)
        if self.policy.patterns:
            own = [
                Finding(*hit.span(), "custom", f"own pattern: {pattern.name}")
                for pattern in self.policy.patterns
                for hit in pattern.compiled.finditer(text)
            ]
            found = merge(masked(text), [*found, *own]) if own else found
        return found

    def _render(self, kind: str, value: str) -> str:
        if self._pseudonyms is not None and kind in PSEUDONYM_KINDS:
            return self._pseudonyms.pseudonym(kind, value)
        return marker(kind)

    def _failed(self, door: str) -> str:
        self.errors += 1
        self.count("error", door)
        return ERROR
