"""Nothing is allowed without an agreement, and a signal of the browser beats one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bear_otel.privacy.consent import Decision, decide, join_consent

GPC = (b"sec-gpc", b"1")
DNT = (b"dnt", b"1")


@pytest.mark.parametrize(
    ("headers", "consent", "reason"),
    [
        ([], True, "consent"),
        ([(b"accept", b"*/*")], True, "consent"),
        ([], None, "no_consent"),
        ([], False, "no_consent"),
        ([GPC], True, "gpc"),
        ([DNT], True, "dnt"),
        ([DNT, GPC], True, "gpc"),
        ([GPC], None, "gpc"),
        # As HTTP/1 writes them, if a server does not lower them.
        ([(b"Sec-GPC", b"1")], True, "gpc"),
        ([(b"DNT", b"1")], True, "dnt"),
        # Sent twice: one refusal is a refusal.
        ([(b"sec-gpc", b"0"), GPC], True, "gpc"),
        # `1` with extensions is a refusal; null and 0 are not.
        ([(b"dnt", b"1xyz")], True, "dnt"),
        ([(b"dnt", b"0")], True, "consent"),
        ([(b"dnt", b"null")], True, "consent"),
        # Only the exact value is defined for GPC.
        ([(b"sec-gpc", b"0")], True, "consent"),
        ([(b"sec-gpc", b"true")], True, "consent"),
        ([(b"sec-gpc", b"")], True, "consent"),
        ([(b"x-sec-gpc", b"1")], True, "consent"),
    ],
    ids=repr,
)
def test_who_decides(headers: list[tuple[bytes, bytes]], consent: bool | None, reason: str) -> None:
    """The reason says it, for the count of what was not recorded."""
    decision = decide(headers, consent)
    assert (decision.reason, decision.allowed) == (reason, reason == "consent")


def test_dnt_may_be_switched_off_and_gpc_may_not() -> None:
    """The one never became a standard, the other is law in places."""
    assert decide([DNT], True, respect_dnt=False) == Decision(allowed=True, reason="consent")
    assert decide([DNT, GPC], True, respect_dnt=False) == Decision(allowed=False, reason="gpc")


HEADERS = st.lists(
    st.tuples(st.sampled_from([b"sec-gpc", b"dnt", b"cookie"]), st.binary(max_size=3)), max_size=5
)


@given(headers=HEADERS, consent=st.sampled_from([True, False, None]), respect_dnt=st.booleans())
def test_whatever_is_sent_only_an_agreement_without_a_refusal_is_enough(
    headers: list[tuple[bytes, bytes]], consent: bool | None, respect_dnt: bool
) -> None:
    """And the order of the headers does not matter."""
    decision = decide(headers, consent, respect_dnt=respect_dnt)
    refused = GPC in headers or (
        respect_dnt and any(name == b"dnt" and value[:1] == b"1" for name, value in headers)
    )
    assert decision.allowed == (consent is True and not refused)
    assert decide(headers[::-1], consent, respect_dnt=respect_dnt) == decision


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), None),
        ((None, None), None),
        ((True, None), True),
        ((None, False), False),
        ((True, False), False),
        ((False, True), False),
        ((1, "yes"), None),
    ],
)
def test_one_refusal_is_a_refusal(answers: tuple[bool | None, ...], expected: bool | None) -> None:
    """And only a plain True is an agreement."""
    assert join_consent(answers) is expected
