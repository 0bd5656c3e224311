"""Decide whether something about a person may be recorded: signals first, then consent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Reason = Literal["consent", "gpc", "dnt", "no_consent"]

_GPC = b"sec-gpc"
_DNT = b"dnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided.

    Args:
        allowed: Whether it may be recorded.
        reason: What decided: an agreement, a signal of the browser, or that nobody has agreed.
    """

    allowed: bool
    reason: Reason


def decide(
    headers: Iterable[tuple[bytes, bytes]], consent: bool | None, *, respect_dnt: bool = True
) -> Decision:
    """Decide for one request, or for none.

    Nothing is allowed unless somebody has agreed, and a signal of the browser beats an agreement:
    `Sec-GPC: 1` always (https://www.w3.org/TR/gpc/), `DNT: 1` unless it is switched off.

    Args:
        headers: As in an ASGI scope; empty outside of a request.
        consent: What the person has said, None if nobody knows.
        respect_dnt: Whether `DNT` counts.
    """
    sent = [(name.lower(), value) for name, value in headers]
    # Any other value means nothing, says the specification.
    if (_GPC, b"1") in sent:
        return Decision(allowed=False, reason="gpc")
    # What may stand behind the digit are extensions (https://www.w3.org/TR/tracking-dnt/).
    if respect_dnt and any(name == _DNT and value.startswith(b"1") for name, value in sent):
        return Decision(allowed=False, reason="dnt")
    if consent is True:
        return Decision(allowed=True, reason="consent")
    return Decision(allowed=False, reason="no_consent")


def join_consent(answers: Iterable[bool | None]) -> bool | None:
    """Return what several have said together: one refusal is a refusal, then one yes is a yes."""
    said = list(answers)
    if any(answer is False for answer in said):
        return False
    return True if any(answer is True for answer in said) else None
