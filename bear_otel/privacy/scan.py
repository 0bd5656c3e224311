"""Run the detectors over one text, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.assignments import find_assignments
from bear_otel.privacy.emails import find_emails
from bear_otel.privacy.findings import Finding, merge
from bear_otel.privacy.markers import CUT
from bear_otel.privacy.tokens import find_tokens

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
    Detector(find_emails, ("@", "%40", "\\u0040", "&#64;", "＠", " at ", "at)", "at]")),
    Detector(find_tokens),
)
ALL: Final[tuple[Detector, ...]] = (*STRONG, Detector(find_assignments, ("=", ":")))


def find_all(text: str, detectors: tuple[Detector, ...] = ALL) -> list[Finding]:
    """Return what must not leave a text, in order."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change length; offsets must fit the text
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    found: list[Finding] = []
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
