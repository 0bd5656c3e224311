"""Scrub texts, attributes and bodies at the doors of the process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bear_otel.privacy.cache import BoundedCache
from bear_otel.privacy.findings import Finding, replace
from bear_otel.privacy.keys import KeyRule, classify
from bear_otel.privacy.markers import (
    DROPPED,
    ERROR,
    PERSONAL_KINDS,
    PSEUDONYM_KINDS,
    is_clean,
    marker,
)
from bear_otel.privacy.policy import PrivacyPolicy
from bear_otel.privacy.pseudonyms import Pseudonymizer
from bear_otel.privacy.scan import ALL, STRONG, Detector, cut, find_all

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_POLICY: Final = PrivacyPolicy()
_CACHED_LENGTH: Final = 512
_MOST_COUNTS: Final = 1024
_DEEPEST: Final = 12
_MOST_NODES: Final = 10_000


class Explanation(NamedTuple):
    """Why something is replaced: the rule, the kind, and where it stands; never the value."""

    rule: str
    kind: str
    start: int
    end: int


class _Known(NamedTuple):
    """What is known about a key: its rule, and the key as it may leave."""

    rule: KeyRule
    key: str


class Scrubber:
    """Returns clean copies; never raises, never shows a part of what it removes.

    An error inside turns the value into `[REDACTED:error]` and counts in `errors`.

    Args:
        policy: What may leave.
        pseudonyms: Makes the pseudonyms that the policy asks for; random keys of this process when
            left out.
    """

    def __init__(
        self,
        policy: PrivacyPolicy = _DEFAULT_POLICY,
        pseudonyms: Pseudonymizer | None = None,
    ) -> None:
        self.policy = policy
        self.counts: dict[tuple[str, str], int] = {}
        self.errors = 0
        if pseudonyms is None and policy.personal == "pseudonym":
            pseudonyms = Pseudonymizer()
        self._pseudonyms = pseudonyms
        self._lock = threading.Lock()
        self._keys: BoundedCache[str, _Known] = BoundedCache(2048)
        self._texts: BoundedCache[tuple[str, bool], tuple[str, tuple[str, ...]]] = BoundedCache(
            2048
        )

    def scrub_text(self, text: str, *, door: str) -> str:
        """Return free text without what is secret or personal."""
        try:
            return self._text(text, ALL, door)
        except Exception:  # noqa: BLE001 the promise: telemetry never raises into the application
            return self._failed(door)

    def scrub_name(self, text: str, *, door: str) -> str:
        """Return the name of a span, event or instrument; route templates stay."""
        return self.scrub_text(text, door=door)

    def scrub_value(self, key: str, value: object, *, door: str) -> Any:
        """Return one clean attribute value, or `DROPPED`."""
        try:
            return self._value(self._known(key), value, door)
        except Exception:  # noqa: BLE001 see scrub_text
            return self._failed(door)

    def scrub_attributes(self, attrs: Mapping[str, object] | None, *, door: str) -> dict[str, Any]:
        """Return a clean copy of attributes; the keys are scrubbed, too."""
        clean: dict[str, Any] = {}
        if not attrs:
            return clean
        try:
            for key, value in attrs.items():
                known = self._known(key)
                result = self.scrub_value(key, value, door=door)
                if result is not DROPPED:
                    clean[known.key] = result
        except Exception:  # noqa: BLE001 see scrub_text
            clean["bear.privacy.error"] = self._failed(door)
        return clean

    def scrub_body(self, value: object, *, door: str) -> Any:
        """Return a clean copy of a log body of any type."""
        return self.scrub_value("body", value, door=door)

    def scrub_tracestate(self, text: str) -> str:
        """Return a W3C tracestate header whose values hold nothing personal or secret."""
        try:
            kept = [part for part in text.split(",") if not find_all(part)]
            return ",".join(kept)
        except Exception:  # noqa: BLE001 see scrub_text
            self._failed("tracestate")
            return ""

    def scrub_baggage(self, mapping: Mapping[str, object] | None) -> dict[str, Any]:
        """Return a clean copy of baggage."""
        return self.scrub_attributes(mapping, door="baggage")

    def explain(self, text: str, key: str | None = None) -> list[Explanation]:
        """Return which rules fire on a text, or on a value under a key."""
        if key is not None:
            rule = classify(key)
            if rule.cls in ("secret", "personal", "content"):
                return [Explanation(rule.source, rule.kind or rule.cls, 0, len(text))]
        limited = cut(text, self.policy.scan_limit)
        return [Explanation(f.rule, f.kind, f.start, f.end) for f in find_all(limited)]

    def _known(self, key: str) -> _Known:
        known = self._keys.get(key)
        if known is None:
            known = _Known(classify(key), self._text(key, ALL, "key"))
            self._keys.put(key, known)
        return known

    def _value(self, known: _Known, value: object, door: str, depth: int = 0) -> Any:
        rule = known.rule
        if rule.cls == "content" and not self.policy.content_allowed:
            self._count("content", door)
            return DROPPED
        if rule.cls in ("secret", "personal") and not isinstance(value, (bool, type(None))):
            if isinstance(value, str) and is_clean(value):
                return value
            self._count(rule.kind, door)
            return self._render(rule.kind, str(value))
        if type(value) is str:
            return self._text(value, STRONG if rule.cls == "keep" else ALL, door)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if depth > _DEEPEST:
            return marker("error")
        if isinstance(value, dict):
            return {
                self._known(str(k)).key: self._value(self._known(str(k)), v, door, depth + 1)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return type(value)(self._value(known, v, door, depth + 1) for v in value)
        if isinstance(value, bytes):
            return self._text(value.decode("latin-1"), ALL, door).encode("latin-1")
        return self._text(str(value), ALL, door)

    def _text(self, text: str, detectors: tuple[Detector, ...], door: str) -> str:
        cache_key = (text, detectors is ALL)
        hit = self._texts.get(cache_key)
        if hit is None:
            hit = self._scan(text, detectors)
            if len(text) <= _CACHED_LENGTH:
                self._texts.put(cache_key, hit)
        for kind in hit[1]:
            self._count(kind, door)
        return hit[0]

    def _scan(self, text: str, detectors: tuple[Detector, ...]) -> tuple[str, tuple[str, ...]]:
        limited = cut(text, self.policy.scan_limit)
        findings = [f for f in find_all(limited, detectors) if self._wanted(f)]
        clean = cut(replace(limited, findings, self._render), self.policy.scan_limit)
        return clean, tuple(f.kind for f in findings)

    def _wanted(self, finding: Finding) -> bool:
        return not (self.policy.personal == "clear" and finding.kind in PERSONAL_KINDS)

    def _render(self, kind: str, value: str) -> str:
        if self._pseudonyms is not None and kind in PSEUDONYM_KINDS:
            return self._pseudonyms.pseudonym(kind, value)
        return marker(kind)

    def _count(self, kind: str, door: str) -> None:
        with self._lock:
            key = (kind, door)
            if key in self.counts or len(self.counts) < _MOST_COUNTS:
                self.counts[key] = self.counts.get(key, 0) + 1

    def _failed(self, door: str) -> str:
        with self._lock:
            self.errors += 1
        self._count("error", door)
        return ERROR
