"""Run the detectors over one text, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.assignments import find_assignments
from bear_otel.privacy.commands import find_flags, find_store_commands
from bear_otel.privacy.emails import find_emails
from bear_otel.privacy.errors import find_error_values
from bear_otel.privacy.findings import Finding, merge
from bear_otel.privacy.markers import CUT
from bear_otel.privacy.network import find_addresses
from bear_otel.privacy.numbers import find_cards, find_numbers
from bear_otel.privacy.prose import (
    SECRET_GATES,
    find_codes,
    find_numbers_in_prose,
    find_people_in_prose,
    find_places_in_prose,
    find_secrets_in_prose,
)
from bear_otel.privacy.sql import GATES as SQL_GATES
from bear_otel.privacy.sql import find_sql
from bear_otel.privacy.tokens import find_tokens
from bear_otel.privacy.tracebacks import code_spans, find_homes
from bear_otel.privacy.urls import find_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Detector(NamedTuple):
    """One family of findings.

    Args:
        find: Yields the findings in a text, given the text and its lower case.
        gates: The detector runs only when one of these occurs in the lower case.
    """

    find: Callable[[str, str], Iterator[Finding]]
    gates: tuple[str, ...] = ("",)


# What shows by its own format. These run on every text, also under keys that are kept.
STRONG: Final[tuple[Detector, ...]] = (
    Detector(
        find_emails, ("@", "%40", "\\u0040", "&#64;", "＠", " at ", "at)", "at]", "at}", "at>")
    ),
    Detector(find_tokens),
    Detector(find_cards),
    Detector(find_urls, ("://", "?", "@")),
)
ALL: Final[tuple[Detector, ...]] = (
    Detector(find_emails, STRONG[0].gates),
    Detector(find_tokens),
    Detector(find_numbers),
    Detector(find_addresses, (".", ":", "-")),
    Detector(find_urls, ("://", "?", "/", "@")),
    Detector(find_homes, ("/home/", "/users/", ":\\users", "documents and settings", ":/users")),
    Detector(find_sql, SQL_GATES),
    Detector(find_error_values),
    Detector(find_flags, ("-", "auth", "requirepass", "identified")),
    Detector(
        find_store_commands,
        ("set", "push", "add", "append", "publish", "eval", "db.", "db[", '] "'),
    ),
    Detector(find_secrets_in_prose, SECRET_GATES),
    Detector(find_codes, ("code", "pin", "otp", "2fa", "mfa", "factor", "pass")),
    Detector(find_people_in_prose),
    Detector(find_numbers_in_prose),
    Detector(find_places_in_prose),
)
# What a URL is searched for besides its own parts.
URL: Final[tuple[Detector, ...]] = (*STRONG[:3], Detector(find_addresses), Detector(find_homes))
# These need to know where source code stands.
_PAIR_GATES: Final = ("=", "%3", ":", "：", "＝", "</", "('", '["', "['", "(b'", '("')


def find_all(text: str, detectors: tuple[Detector, ...] = ALL) -> list[Finding]:
    """Return what must not leave a text, in order."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change length; offsets must fit the text
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found: list[Finding] = []
    if detectors is ALL and any(gate in text for gate in _PAIR_GATES):
        found.extend(find_assignments(text, lower, code_spans(text)))
    for find, gates in detectors:
        for gate in gates:
            if gate in lower:
                found.extend(find(text, lower))
                break
    return merge(text, found) if found else found


def cut(text: str, limit: int) -> str:
    """Return the text, or its head and a marker, at most `limit` characters long.

    The cut goes to the last space nearby, so that no half of a secret is left that no detector
    would know.
    """
    if len(text) <= limit:
        return text
    head = text[: limit - len(CUT) - 1]
    space = max(head.rfind(c, max(0, len(head) - 512)) for c in " \n\t")
    if space > 0:
        head = head[:space]
    opened = head.rfind("[REDACTED:")
    if opened >= 0 and "]" not in head[opened:]:
        head = head[:opened]
    return f"{head.rstrip()} {CUT}"
