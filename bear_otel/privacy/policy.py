"""Say what may leave: the policy that a scrubber obeys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from bear_otel.privacy.regex_guard import check_pattern

_NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")
Personal = Literal["drop", "pseudonym", "clear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPattern:
    """One detector of the user's own; what it matches is always replaced.

    Args:
        name: What `explain` and the counts call it: letters, digits, `_` and `-`.
        pattern: A regular expression; see `check_pattern` for what it may hold.

    Raises:
        ValueError: The name or the expression is not acceptable; the text says which and why.
    """

    name: str
    pattern: str
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            msg = f"pattern name {self.name!r}: use 1 to 48 letters, digits, '_' and '-'"
            raise ValueError(msg)
        try:
            check_pattern(self.pattern)
        except ValueError as error:
            msg = f"pattern {self.name!r}: {error}"
            raise ValueError(msg) from None
        object.__setattr__(self, "compiled", re.compile(self.pattern))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyPolicy:
    """What may leave the process.

    Secrets (credentials, tokens, cookies, payment cards) never leave, whatever stands here.

    Args:
        personal: What happens to personal data: a constant marker, a keyed pseudonym, or nothing.
        allow_keys: Attribute keys whose personal data may leave; a trailing `*` matches any rest.
        deny_keys: Attribute keys that are dropped whole; a trailing `*` matches any rest.
        patterns: Detectors of the user's own.
        strict: Drop every attribute whose key is neither in the semantic conventions nor allowed.
        scan_limit: Characters of one text that are looked at; what stands behind them is cut off.
        content_allowed: Whether prompts, answers and tool arguments of GenAI spans may leave,
            scrubbed; they are dropped otherwise.

    Raises:
        ValueError: A value is out of range.
    """

    personal: Personal = "drop"
    allow_keys: frozenset[str] = frozenset()
    deny_keys: frozenset[str] = frozenset()
    patterns: tuple[CustomPattern, ...] = ()
    strict: bool = False
    scan_limit: int = 16_384
    content_allowed: bool = False

    def __post_init__(self) -> None:
        if self.personal not in ("drop", "pseudonym", "clear"):
            msg = f"personal={self.personal!r}: choose 'drop', 'pseudonym' or 'clear'"
            raise ValueError(msg)
        if not 256 <= self.scan_limit <= 1_048_576:
            msg = f"scan_limit={self.scan_limit!r}: choose 256 to 1048576 characters"
            raise ValueError(msg)
