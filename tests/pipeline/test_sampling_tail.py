"""The tail: errors and slow traces whole, a share of the rest, bounded, nothing lost or doubled."""

from __future__ import annotations

import gc
import os
import threading
import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode
from sampling_harness import (
    AMPLE,
    LUCKY,
    SECOND,
    UNLUCKY,
    Service,
    fragments,
    set_in,
    weights,
)

from bear_otel.pipeline.tail import Limits

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TENTH = pytest.approx(10)


@pytest.mark.parametrize(
    ("trace_id", "request_", "decision", "kept", "weight", "fragment"),
    [
        pytest.param(UNLUCKY, {}, "dropped", 0, None, None, id="nothing happened"),
        pytest.param(LUCKY, {}, "share", 2, TENTH, None, id="in the share"),
        pytest.param(UNLUCKY, {"failing": "request"}, "error", 2, 1.0, "error", id="root failed"),
        pytest.param(UNLUCKY, {"failing": "query"}, "error", 2, 1.0, "error", id="child failed"),
        pytest.param(LUCKY, {"failing": "query"}, "error", 2, 1.0, None, id="failed in the share"),
        pytest.param(UNLUCKY, {"seconds": 1.0}, "slow", 2, 1.0, "slow", id="slow"),
        pytest.param(LUCKY, {"seconds": 1.0}, "slow", 2, 1.0, None, id="slow in the share"),
        pytest.param(UNLUCKY, {"seconds": 0.999}, "dropped", 0, None, None, id="nearly slow"),
        pytest.param(
            UNLUCKY, {"failing": "query", "seconds": 2}, "error", 2, 1.0, "error", id="both"
        ),
    ],
)
def test_a_trace_is_kept_whole_or_not_at_all(
    trace_id: int,
    request_: dict[str, Any],
    decision: str,
    kept: int,
    weight: object,
    fragment: str | None,
) -> None:
    """With the weight of its kind, marked where other services do not keep theirs."""
    service = Service(0.1)
    service.serve(trace_id=trace_id, **request_)
    assert service.names() == ["query", "request"][:kept]
    assert list(weights(service.kept)) == [weight] * kept
    assert fragments(service.kept) == [fragment] * kept
    assert all(span.context and span.context.trace_flags.sampled for span in service.kept)
    assert service.tail.decisions == {decision: 1}
    assert service.tail.held_bytes == 0


def test_the_callers_no_is_kept_but_for_what_went_wrong_here() -> None:
    """And the trace state of others goes with what is kept."""
    service = Service(0.1)
    headers = {"traceparent": f"00-{1:032x}-{2:016x}-02", "tracestate": "v=1"}
    service.serve(headers)
    assert service.kept == []
    service.serve(headers, failing="request")
    assert fragments(service.kept) == ["error", "error"]
    for span in service.kept:
        assert span.context is not None
        assert span.context.trace_state.to_header() == "ot=th:0,v=1"


def test_nothing_leaves_before_the_local_root_has_ended() -> None:
    """Then all of it, in the order in which it ended."""
    service = Service(0.1)
    root = service.begin()
    for number in range(3):
        child = service.tracer.start_span(str(number), set_in(root))
        if number == 1:
            child.set_status(StatusCode.ERROR)
        child.end()
    service.front.force_flush()
    assert service.kept == []
    root.end(1)
    assert service.names() == ["0", "1", "2", "request"]


@pytest.mark.parametrize("failing", [True, False])
def test_what_ends_late_follows_the_decision(failing: bool) -> None:
    """A background task outlives the request that has started it."""
    service = Service(0.1)
    service.ids.chosen = [UNLUCKY]
    root = service.begin()
    late = service.tracer.start_span("late", set_in(root))
    if failing:
        root.set_status(StatusCode.ERROR)
    root.end(1)
    late.end()
    assert service.names() == (["request", "late"] if failing else [])
    assert fragments(service.kept) == ["error"] * len(service.kept)
    assert service.tail.decisions.total() == 1


def test_an_error_that_comes_late_is_kept_alone() -> None:
    """The rest of its trace is gone, but no error is."""
    service = Service(0.1)
    service.ids.chosen = [UNLUCKY]
    root = service.begin()
    late = service.tracer.start_span("late", set_in(root))
    root.end(1)
    late.set_status(StatusCode.ERROR)
    late.end()
    assert service.names() == ["late"]
    assert list(weights(service.kept)) == [1.0]
    assert fragments(service.kept) == ["error"]


def test_requests_of_one_trace_at_the_same_time_are_decided_together() -> None:
    """A caller may ask twice at once, or a service itself; the last to end decides."""
    service = Service(0.1)
    headers = {"traceparent": f"00-{1:032x}-{2:016x}-02"}
    first, second = service.begin("first", headers), service.begin("second", headers)
    first.end(1)
    assert service.kept == []
    second.set_status(StatusCode.ERROR)
    second.end(1)
    assert service.names() == ["first", "second"]


def test_a_trace_that_was_kept_is_kept_when_it_comes_again() -> None:
    """So that there is more of a trace that went wrong; one that was dropped has another chance."""
    service = Service(0.1)
    headers = {"traceparent": f"00-{1:032x}-{2:016x}-02"}
    service.serve(headers)
    service.serve(headers, failing="request")
    service.serve(headers)
    assert service.names() == ["query", "request"] * 2
    assert service.tail.decisions == {"dropped": 1, "error": 2}


def test_memory_of_decisions_is_bounded() -> None:
    """What is forgotten is judged alone."""
    service = Service(0.1, limits=replace(AMPLE, traces=2))
    roots = []
    for number in range(3):
        service.ids.chosen = [UNLUCKY + number]
        roots.append(service.begin())
        roots[-1].set_status(StatusCode.ERROR)
        roots[-1].end(1)
    for root in roots:
        service.tracer.start_span("late", set_in(root)).end()
    assert service.names() == ["request"] * 3 + ["late"] * 2


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        pytest.param(replace(AMPLE, traces=2), "traces", id="traces"),
        pytest.param(replace(AMPLE, spans=20), "spans", id="spans"),
        pytest.param(replace(AMPLE, bytes=30_000), "bytes", id="bytes"),
    ],
)
def test_the_oldest_trace_is_decided_early_when_the_buffer_is_full(
    limits: Limits, limit: str
) -> None:
    """By what is known: what has failed is kept, the rest follows the share; each is counted."""
    service = Service(0.1, limits=limits)
    roots = []
    for number in range(120):
        service.ids.chosen = [UNLUCKY + number]
        roots.append(service.begin(f"root {number}"))
        child = service.tracer.start_span(f"child {number}", set_in(roots[-1]))
        if number == 0:
            child.set_status(StatusCode.ERROR)
        child.end()
    assert service.names() == ["child 0"]
    evicted = service.tail.evictions[limit]  # type: ignore[index]
    assert evicted == service.tail.decisions.total() > 0
    for root in roots:
        root.end(1)
    # The first was kept, so its root follows; nothing happened in the others.
    assert service.names() == ["child 0", "root 0"]


@pytest.mark.parametrize(
    ("limits", "text"), [(replace(AMPLE, spans=50), ""), (replace(AMPLE, bytes=50_000), "x" * 9000)]
)
def test_a_trace_that_is_too_large_does_not_drive_out_the_others(limits: Limits, text: str) -> None:
    """It is decided as soon as it takes a tenth of the buffer, and what follows it goes on."""
    service = Service(0.1, limits=limits)
    service.ids.chosen = [UNLUCKY, LUCKY]
    small, large = service.begin("small"), service.begin("large")
    for _ in range(100):
        service.tracer.start_span("child", set_in(large), attributes={"text": text}).end()
    assert service.names() == ["child"] * 100
    assert service.tail.evictions.total() == 1
    small.set_status(StatusCode.ERROR)
    small.end(1)
    large.end(1)
    assert service.names()[100:] == ["small", "large"]


def test_an_idle_trace_does_not_make_room_for_spans() -> None:
    """Open connections without a span yet hold no memory worth freeing."""
    service = Service(0.1, limits=replace(AMPLE, spans=20))
    service.ids.chosen = [UNLUCKY + n for n in range(20)]
    idle = service.begin("idle")
    busy = [service.begin("busy") for _ in range(19)]
    for root in [*busy, *busy]:
        service.tracer.start_span("child", set_in(root)).end()
    assert service.tail.evictions["spans"] > 0
    for root in busy:
        root.end(1)
    service.tracer.start_span("child", set_in(idle)).end()
    idle.set_status(StatusCode.ERROR)
    idle.end(1)
    assert service.names() == ["child", "idle"]


def test_a_trace_that_never_ends_leaves_by_age_as_slow() -> None:
    """At the next start of a trace, or when metrics are collected."""
    service = Service(0.1, limits=replace(AMPLE, age_seconds=60.0))
    service.ids.chosen = [UNLUCKY, UNLUCKY + 1]
    hanging = service.begin("hanging")
    service.tracer.start_span("child", set_in(hanging)).end()
    service.now = 60.0
    service.front.expire()
    assert service.kept == []
    service.now = 60.1
    service.front.expire()
    assert service.names() == ["child"]
    assert fragments(service.kept) == ["slow"]
    assert service.tail.evictions == {"age": 1}
    hanging.end(70 * SECOND)
    assert service.names() == ["child", "hanging"]


def test_the_end_of_the_process_decides_what_is_left() -> None:
    """What has failed so far or is in the share goes out; a flush before that changes nothing."""
    service = Service(0.1)
    service.ids.chosen = [UNLUCKY, LUCKY, UNLUCKY + 1]
    for name in ("failed", "lucky", "dropped"):
        child = service.tracer.start_span(name, set_in(service.begin()))
        if name == "failed":
            child.set_status(StatusCode.ERROR)
        child.end()
    service.front.force_flush()
    assert service.kept == []
    service.front.settle()
    assert service.names() == ["failed", "lucky"]


def test_the_end_waits_for_nobody_who_holds_the_lock_for_ever() -> None:
    """A signal handler has interrupted him, and he will not go on."""
    service = Service(0.1)
    service.ids.chosen = [LUCKY]
    service.tracer.start_span("child", set_in(service.begin())).end()
    lock = service.tail._lock
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    service.front.settle()
    over.set()
    thread.join()
    assert service.names() == ["child"]


def test_a_forked_child_begins_with_nothing() -> None:
    """Its parent has the spans and the counts; the trace goes on in both."""
    service = Service(0.1)
    service.ids.chosen = [LUCKY]
    service.serve()
    service.ids.chosen = [LUCKY + (1 << 60)]
    root = service.begin()
    service.tracer.start_span("before", set_in(root)).end()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        service.kept.clear()
        service.tracer.start_span("in the child", set_in(root)).end()
        counts = service.tail.decisions.total(), service.tail.held_bytes
        os.write(write, repr((service.names(), counts)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1000).decode() == "(['in the child'], (0, 0))"
    os.close(read)
    os.close(write)
    root.end(1)
    assert service.names()[2:] == ["before", "request"]


def test_threads_neither_lose_nor_double_a_span() -> None:
    """Many requests of the same few traces at the same time, all of them with an error."""
    service = Service(0.1)
    headers = [{"traceparent": f"00-{n + 1:032x}-{n + 1:016x}-02"} for n in range(4)]
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for each in range(100):
            service.serve(headers[(number + each) % 4], failing="request")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = Counter(span.context.span_id for span in service.kept if span.context)
    assert len(ids) == len(service.kept) == 1600
    assert service.tail.held_bytes == 0


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["root", "child", "end", "fail", "wait", "settle"]),
        st.integers(0, 30),
    ),
    max_size=80,
)


@pytest.mark.parametrize("unweighed", [1, 7, 50])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_whatever_happens_bounds_hold_and_no_span_is_lost_or_doubled(
    actions: list[tuple[str, int]], unweighed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans of a few traces start, fail and end in any order while the buffer is tiny."""
    monkeypatch.setattr("bear_otel.pipeline.tail._UNWEIGHED", unweighed)
    limits = Limits(traces=3, spans=12, bytes=40_000, age_seconds=5.0)
    service = Service(0.1, limits=limits)
    # Half of the traces are in the share.
    service.ids.chosen = [LUCKY - n if n % 2 else UNLUCKY + n for n in range(200)]
    spans: list[Any] = []
    ended: list[Any] = []
    failed: set[int] = set()

    def span_id(span: Span) -> int:
        return span.get_span_context().span_id

    for action, number in actions:
        chosen = spans[number % len(spans)] if spans else None
        if action == "root":
            spans.append(service.begin())
        elif action == "wait":
            service.now += number
        elif action == "settle":
            service.front.settle()
        elif chosen is None:
            continue
        elif action == "child":
            text = "x" * (number * 100)
            context = set_in(chosen)
            spans.append(service.tracer.start_span("child", context, {}, attributes={"t": text}))
        elif chosen not in ended:
            if action == "fail":
                chosen.set_status(StatusCode.ERROR)
                failed.add(span_id(chosen))
            ended.append(chosen)
            chosen.end(1)
        assert len(service.tail._traces) <= limits.traces
        assert sum(len(each.spans) for each in service.tail._traces.values()) <= limits.spans
        assert service.tail.held_bytes <= limits.bytes
        assert service.tail._unweighed == sum(
            len(each.spans) - each.weighed for each in service.tail._traces.values()
        )
    service.front.settle()

    kept = Counter(span.context.span_id for span in service.kept if span.context)
    assert set(kept.values()) <= {1}
    assert failed <= kept.keys()
    sampled = {span_id(s) for s in ended if s.get_span_context().trace_flags.sampled}
    assert sampled <= kept.keys() <= {span_id(span) for span in ended}
    assert (service.tail.held_bytes, service.tail._spans, service.tail._traces) == (0, 0, {})


def test_memory_is_estimated_about_right() -> None:
    """Within a third of what the interpreter says, with few attributes and with large ones."""
    for attributes in ({}, {f"key.{n}": f"value {n}" for n in range(20)}, {"text": "x" * 10_000}):
        service = Service(0.1, limits=replace(AMPLE, bytes=1_000_000_000))
        root = service.begin()
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(500):
                own = {key: f"{value}{number}" for key, value in attributes.items()}
                service.tracer.start_span("child", set_in(root), attributes=own).end()
            gc.collect()
            truth, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        service.front.expire()
        assert service.tail.held_bytes == pytest.approx(truth, rel=0.33)
