"""Say what a policy makes of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bear_otel.privacy.keys import KeyRule
from bear_otel.privacy.markers import PERSONAL_KINDS, PSEUDONYM_KINDS, marker

if TYPE_CHECKING:
    from bear_otel.privacy.policy import PrivacyPolicy


class Known(NamedTuple):
    """What is known about a key under this policy.

    Args:
        name: The key itself.
        rule: How its values are treated.
        key: The key as it may leave.
        dropped: Whether the attribute is not written at all.
        cleared: Whether personal values may leave.
        constant: What stands for any value, where the value makes no difference.
        numbers: Whether numbers that are not large pass as they are.
    """

    name: str
    rule: KeyRule
    key: str
    dropped: bool
    cleared: bool
    constant: str | None
    numbers: bool


def judge(key: str, clean: str, rule: KeyRule, policy: PrivacyPolicy) -> Known:
    """Return what the policy makes of a key and its rule."""
    allowed = _listed(key, policy.allow_keys)
    cleared = allowed or policy.personal == "clear"
    dropped = (
        _listed(key, policy.deny_keys)
        or (rule.cls == "content" and not policy.content_allowed)
        or (policy.strict and not rule.known and not allowed)
    )
    whole = rule.cls in ("secret", "personal") and not (cleared and rule.kind in PERSONAL_KINDS)
    if not whole and rule.cls in ("secret", "personal"):
        rule = KeyRule("scan", rule.kind, rule.source, rule.known)
    named = policy.personal == "pseudonym" and rule.kind in PSEUDONYM_KINDS
    return Known(
        name=key,
        rule=rule,
        key=clean,
        dropped=dropped,
        cleared=cleared,
        constant=marker(rule.kind) if whole and not dropped and not named else None,
        numbers=not dropped
        and rule.cls in ("keep", "scan", "url", "query", "sql", "trace", "command"),
    )


def _listed(key: str, listed: frozenset[str]) -> bool:
    """Say whether a key is listed, itself or by a prefix with a `*` behind it."""
    if not listed:
        return False
    return key in listed or any(one[-1:] == "*" and key.startswith(one[:-1]) for one in listed)
