"""The share: the same traces in every service, the caller's word, and weights that add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.span import TraceState
from sampling_harness import LUCKY, UNLUCKY, Service, fragments, set_in, weights

from bear_otel.pipeline.sampling import ShareSampler, create_sampling
from bear_otel.pipeline.weights import NEVER, create_threshold, find_threshold
from bear_otel.settings import SamplingSettings

SHARES = st.floats(0.0001, 0.9999)
TRACE_IDS = st.integers(1, (1 << 128) - 1)
PARENT = "00-0000000000000000000000000000{:04x}-00000000000000bb-{}"


@given(SHARES, TRACE_IDS)
def test_services_with_the_same_share_keep_the_same_traces(share: float, trace_id: int) -> None:
    """Nothing but the trace id and the share decides."""
    first, second = (ShareSampler(share).should_sample(None, trace_id, "x") for _ in range(2))
    assert first.decision == second.decision
    assert first.trace_state == second.trace_state


@given(SHARES, SHARES, TRACE_IDS)
def test_a_larger_share_keeps_all_that_a_smaller_one_keeps(
    one: float, other: float, trace_id: int
) -> None:
    """So services with different shares still have whole traces in common."""
    small, large = sorted((one, other))
    if ShareSampler(small).should_sample(None, trace_id, "x").decision.is_sampled():
        assert ShareSampler(large).should_sample(None, trace_id, "x").decision.is_sampled()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_share_of_random_traces_is_kept(share: float) -> None:
    """Of a hundred thousand from the SDK's own generator, within four standard deviations."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    count = 100_000
    sampler, ids = ShareSampler(share), RandomIdGenerator()
    kept = sum(
        sampler.should_sample(None, ids.generate_trace_id(), "x").decision.is_sampled()
        for _ in range(count)
    )
    assert abs(kept - share * count) < 4 * math.sqrt(count * share * (1 - share))


@pytest.mark.parametrize(
    ("share", "trace_id", "kept"),
    [
        pytest.param(0.0001, LUCKY, True, id="the last random value"),
        pytest.param(0.9999, UNLUCKY, False, id="the first random value"),
        pytest.param(0.0, LUCKY, False, id="a share of nothing"),
    ],
)
def test_what_is_not_kept_is_recorded_with_its_attributes(
    share: float, trace_id: int, kept: bool
) -> None:
    """The tail needs them."""
    result = ShareSampler(share).should_sample(None, trace_id, "x", attributes={"a": 1})
    assert result.decision is (Decision.RECORD_AND_SAMPLE if kept else Decision.RECORD_ONLY)
    assert dict(result.attributes) == {"a": 1}


@pytest.mark.parametrize(
    ("flags", "given_state", "sampled", "expected_state"),
    [
        pytest.param(3, "", True, "", id="sampled, weight unknown"),
        pytest.param(3, "v=1,w=2", True, "v=1,w=2", id="other vendors"),
        pytest.param(3, "ot=th:8,v=1", True, "ot=th:8,v=1", id="weight of the caller"),
        pytest.param(2, "v=1", False, "v=1", id="not sampled"),
        pytest.param(2, "ot=th:8;xx:y,v=1", False, "ot=xx:y,v=1", id="not sampled, yet a weight"),
        pytest.param(3, "ot=th:c,v=1", True, "v=1", id="sampled against its weight"),
        pytest.param(
            3, "ot=rv:ffffffffffffff;th:c", True, "ot=rv:ffffffffffffff;th:c", id="random value"
        ),
    ],
)
def test_the_caller_decides(
    flags: int, given_state: str, sampled: bool, expected_state: str
) -> None:
    """Its sampled flag holds; a weight that contradicts the flag is not handed on."""
    trace_id = 0xA0000000000000
    remote = SpanContext(
        trace_id,
        2,
        is_remote=True,
        trace_flags=TraceFlags(flags),
        trace_state=TraceState.from_header([given_state]),
    )
    sampler = ShareSampler(0.1)
    result = sampler.should_sample(set_in(NonRecordingSpan(remote)), trace_id, "x")
    assert result.decision.is_sampled() is sampled
    assert result.decision.is_recording()
    assert result.trace_state is not None
    assert result.trace_state.to_header() == expected_state


@pytest.mark.parametrize(("trace_id", "flag"), [(LUCKY, "03"), (UNLUCKY, "02")])
def test_other_services_see_what_the_share_keeps(trace_id: int, flag: str) -> None:
    """And with which weight; an error that happens later changes nothing of that."""
    headers = Service().serve(trace_id=trace_id, failing="request")
    assert headers["traceparent"].endswith(flag)
    assert headers.get("tracestate") == ("ot=th:e6666666666666" if flag == "03" else None)


def test_three_services_in_a_row_keep_the_same_traces() -> None:
    """Whole traces of the share, with one weight, and a third vendor's state kept all the way."""
    services = [Service(0.1), Service(0.1), Service(0.5)]
    headers: dict[str, str] = {}
    for number in range(200):
        headers = {}
        for service in services:
            headers = service.serve(headers)
            if number == 0:
                headers["tracestate"] = ",".join(filter(None, [headers.get("tracestate"), "v=1"]))
    found = [{span.context.trace_id for span in each.kept if span.context} for each in services]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 20
    for service in services:
        assert len(service.kept) == 40
        assert sum(weight or 0 for weight in weights(service.kept)) == pytest.approx(400)


def test_errors_count_once_each_whether_the_share_keeps_them_or_not() -> None:
    """All errors are kept, so that the share must not multiply those that it holds."""
    front, back = Service(0.1), Service(0.1)
    for number in range(1000):
        headers = front.serve(failing="request" if number % 40 == 0 else "")
        back.serve(headers, failing="query" if number % 50 == 0 else "")
    for service, errors in ((front, 25), (back, 20)):
        requests = [span for span in service.kept if span.name == "request"]
        failed = service.tail.decisions["error"]
        assert failed == errors
        assert sum(weight or 0 for weight in weights(requests)) == pytest.approx(1000, rel=0.02)
        whole = [span.context.trace_id for span in service.kept if span.context]
        assert all(whole.count(trace_id) == 2 for trace_id in whole)


def test_a_sampled_caller_that_hides_its_weight_leaves_errors_countable() -> None:
    """Nobody knows how many others stand behind the trace, but an error is always kept."""
    service = Service(0.1)
    headers = {"traceparent": PARENT.format(1, "03")}
    service.serve(headers)
    service.serve({"traceparent": PARENT.format(2, "03")}, failing="request")
    assert list(weights(service.kept)) == [None, None, 1.0, 1.0]
    assert fragments(service.kept) == [None] * 4


@given(st.floats(0.01, 0.99), st.floats(0.01, 1.0), st.lists(st.integers(0, NEVER - 1)))
def test_the_share_of_errors_is_consistent_too(
    share: float, error_share: float, randoms: list[int]
) -> None:
    """An error is kept as often as the larger share says, and its weight says so."""
    service = Service(share, max(share, error_share))
    for random in randoms:
        service.serve(trace_id=(1 << 100) | random, failing="query")
    for span, weight in zip(service.kept, weights(service.kept), strict=True):
        assert span.context is not None
        assert weight == pytest.approx(1 / max(share, error_share), rel=1e-6)
        assert span.context.trace_id % NEVER >= (find_threshold(span.context.trace_state) or 0)
    expected = sum(random >= create_threshold(max(share, error_share)) for random in randoms)
    assert len(service.kept) == 2 * expected


@pytest.mark.parametrize(
    ("settings", "samples"),
    [
        pytest.param(SamplingSettings(), False, id="the default keeps everything"),
        pytest.param(SamplingSettings(performance_sampling=0.1), True, id="a share"),
        pytest.param(
            SamplingSettings(performance_sampling=0.1, decided_by="collector"),
            False,
            id="the Collector decides",
        ),
        pytest.param(SamplingSettings(error_sampling=0.5), False, id="errors are in all"),
    ],
)
def test_nothing_stands_in_the_way_where_everything_is_sent(
    settings: SamplingSettings, samples: bool
) -> None:
    """No sampler of ours, no tail."""
    assert (create_sampling(settings) is not None) is samples


def test_errors_are_never_kept_less_often_than_the_rest() -> None:
    """The share of errors is at least that of all traces."""
    sampling = create_sampling(SamplingSettings(performance_sampling=0.5, error_sampling=0.1))
    assert sampling is not None
    assert sampling.sampler.get_description() == "ShareSampler{0.5}"
    service = Service(0.5, 0.5)
    service.front.tail = sampling.tail
    for _ in range(100):
        service.serve(failing="request")
    assert sampling.tail.decisions["error"] == 50
