"""The weight of a kept span: read, written, and nothing else in the trace state touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace.span import TraceState

from bear_otel.pipeline.weights import (
    NEVER,
    create_threshold,
    find_randomness,
    find_threshold,
    set_threshold,
)

THRESHOLDS = st.integers(0, NEVER - 1)
WORDS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
# Other things that `ot` may say.
OTHERS = st.lists(st.from_regex(r"[a-qsu-z][a-z]{1,3}:[a-z0-9]{1,9}", fullmatch=True), max_size=4)


@pytest.mark.parametrize(
    ("share", "threshold"),
    [
        pytest.param(1.0, 0, id="everything"),
        pytest.param(0.5, 0x80000000000000, id="half"),
        pytest.param(0.1, 0xE6666666666666, id="a tenth"),
        pytest.param(0.0, NEVER, id="nothing"),
    ],
)
def test_a_share_is_a_threshold(share: float, threshold: int) -> None:
    """As the specification defines it."""
    assert create_threshold(share) == threshold


@pytest.mark.parametrize(
    ("value", "threshold"),
    [
        ("th:0", 0),
        ("th:8", 0x80000000000000),
        ("rv:00000000000001;th:c", 0xC0000000000000),
        ("th:e6666666666666;xx:1", 0xE6666666666666),
        ("th:", None),
        ("th:123456789012345", None),
        ("th:G", None),
        ("xth:8", None),
        ("p:8;r:62", None),
    ],
)
def test_a_threshold_is_read_or_taken_for_none(value: str, threshold: int | None) -> None:
    """What is not written as the specification asks says nothing."""
    assert find_threshold(TraceState([("ot", value)])) == threshold


def test_the_trace_state_may_name_the_random_value() -> None:
    """Else the trace id ends with it."""
    trace_id = 0xABCDEF_0123456789ABCD
    assert find_randomness(trace_id, TraceState()) == 0x23456789ABCD | 0x01 << 48
    named = TraceState([("ot", "th:8;rv:0000000000000f")])
    assert find_randomness(trace_id, named) == 15
    assert find_randomness(trace_id, TraceState([("ot", "rv:f")])) == trace_id % NEVER


@given(THRESHOLDS, OTHERS, st.dictionaries(WORDS.filter(lambda key: key != "ot"), WORDS))
def test_what_is_written_is_read_again_and_all_else_stays(
    threshold: int, others: list[str], vendors: dict[str, str]
) -> None:
    """Also when it is written twice, and when it is taken out again."""
    vendors = dict(list(vendors.items())[:31])
    before = TraceState([*vendors.items(), *([("ot", ";".join(others))] if others else [])])
    for state in (
        set_threshold(before, threshold),
        set_threshold(set_threshold(before, 0), threshold),
    ):
        assert find_threshold(state) == threshold
        assert next(iter(state)) == "ot"
        assert [part for part in state["ot"].split(";") if part[:3] != "th:"] == others
        assert {key: state[key] for key in state if key != "ot"} == vendors
    without = set_threshold(set_threshold(before, threshold), None)
    assert dict(without) == dict(before)


def test_the_oldest_member_gives_way_in_a_full_trace_state() -> None:
    """W3C allows 32, and drops from the right."""
    full = TraceState([(f"vendor{n}", "x") for n in range(32)])
    assert list(set_threshold(full, 0)) == ["ot", *(f"vendor{n}" for n in range(31))]


def test_a_member_that_grows_too_long_loses_its_end() -> None:
    """W3C allows 256 characters; the weight stands first and stays."""
    long = TraceState([("ot", ";".join(["ab:" + "x" * 80, "cd:" + "x" * 80, "ef:" + "x" * 80]))])
    state = set_threshold(long, 0xE6666666666666)
    assert find_threshold(state) == 0xE6666666666666
    assert "cd:" in state["ot"]
    assert "ef:" not in state["ot"]
