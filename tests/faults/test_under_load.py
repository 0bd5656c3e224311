"""Servers under load while their collector fails: nothing is lost, and nothing grows."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from load_harness import (
    UnreliableSink,
    arrived_spans,
    forget_repeats,
    look_at_rest,
    measure_memory,
    measure_spool,
    order_at_once,
    order_while_dead,
    order_while_flapping,
    order_while_silent,
    start,
    wait_for,
    wait_for_rest,
)

from tests.lifecycle.lifecycle_harness import HASTY, check_received, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

UVICORN = "uvicorn service:app --port {port}"
# uvicorn kills a worker that does not answer within 5 seconds, as one that starts on a machine
# that is busy. It waits as long for one that ends while it asks.
TWO_WORKERS = "--workers 2 --timeout-worker-healthcheck 20"
GUNICORN = (
    "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket "
    "-k uvicorn_worker.UvicornWorker -w 2"
)
HYPERCORN = "hypercorn service:app --bind 127.0.0.1:{port}"
GRANIAN = "granian service:app --interface asgi --port {port}"
# Command and number of workers: one process, forked workers, spawned ones.
SERVERS = {
    "uvicorn": (UVICORN, 1),
    "uvicorn-2-workers": (f"{UVICORN} {TWO_WORKERS}", 2),
    "gunicorn": (GUNICORN, 2),
    "hypercorn-2-workers": (f"{HYPERCORN} -w 2", 2),
    "granian-2-workers": (f"{GRANIAN} --workers 2", 2),
}
# A worker of it serves so few requests that several follow each other in every outage.
RECYCLING = f"{GUNICORN} --max-requests 40"
OUTAGES = (order_while_dead, order_while_silent, order_while_flapping)
# The allocator takes and gives back six at a time. This finds what holds on to requests and their
# bodies; a leak of a few bytes each is for `benchmarks/soak.py`.
MOST_MEGABYTES = 10.0
QUEUE, BATCH = 60, 10
SPOOL_BYTES = 100_000


@pytest.fixture
def sink() -> Iterator[UnreliableSink]:
    """A collector that is up until a test lets it fail."""
    with UnreliableSink() as sink:
        yield sink
        sink.answers.set()


@pytest.mark.parametrize(("command", "workers"), SERVERS.values(), ids=SERVERS)
def test_outages_under_load_lose_nothing_and_leave_nothing_behind(
    tmp_path: Path, sink: UnreliableSink, command: str, workers: int
) -> None:
    """Each record arrives once; threads, descriptors and memory are then as before."""
    with closing(start(command, sink, tmp_path)) as program:
        pids = program.find_workers(workers)
        sent = order_at_once(program, 20)
        wait_for(sink, sent, tmp_path)
        before = {pid: look_at_rest(pid) for pid in pids}
        megabytes = {pid: measure_memory(pid) for pid in pids}
        for outage in OUTAGES:
            sent |= outage(program, sink)
            wait_for(sink, sent, tmp_path)
            for pid in pids:
                wait_for_rest(pid, before[pid], outage.__name__)
        grown = {pid: measure_memory(pid) - megabytes[pid] for pid in pids}
        assert max(grown.values()) < MOST_MEGABYTES, grown
        program.signal(signal.SIGTERM)
        program.wait()
    check_received(sink, sent)


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
def test_workers_that_are_recycled_during_outages_lose_nothing(
    tmp_path: Path, sink: UnreliableSink, silent: bool
) -> None:
    """What a worker could not send at its end, another one sends; their master stays as it was.

    A worker that ends without an answer cannot know that its last batch has been taken.
    """
    # While its collector is silent the end of a worker takes all the time that it has.
    patience = HASTY if silent else {}
    with closing(start(RECYCLING, sink, tmp_path, **patience)) as program:
        first = program.find_workers(2)
        sent = order_at_once(program, 5)
        wait_for(sink, sent, tmp_path)
        master = program.process.pid
        before, megabytes = look_at_rest(master), measure_memory(master)
        for outage in (order_while_silent,) if silent else (order_while_dead, order_while_flapping):
            sent |= outage(program, sink)
        # Their shares of the requests are not equal; each of these may be the last of one.
        wait_until(lambda: not first & program.find_workers(2), "both have been recycled")
        wait_for_rest(master, before, "the master")
        assert measure_memory(master) - megabytes < MOST_MEGABYTES
        program.signal(signal.SIGTERM)
        program.wait()
    if silent:
        forget_repeats(sink)
    check_received(sink, sent)
    assert list(tmp_path.rglob("*.otlp")) == []


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"BEAR_OTEL_SPOOL_ENABLED": "false", "OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE)},
            "queue_full",
        ),
        # The queue holds all, however slow the disk: only the spool can be full.
        ({"BEAR_OTEL_SPOOL_MAX_BYTES": str(SPOOL_BYTES)}, "spool_full"),
    ],
    ids=["queue", "spool"],
)
def test_limits_hold_under_load(
    tmp_path: Path, sink: UnreliableSink, environment: dict[str, str], reason: str
) -> None:
    """What the queue, or the spool, cannot hold during an outage is counted; the rest arrives."""
    spool_bytes: list[int] = []
    with closing(
        start(UVICORN, sink, tmp_path, OTEL_BSP_MAX_EXPORT_BATCH_SIZE=str(BATCH), **environment)
    ) as program:
        sent = program.order(1)
        wait_for(sink, sent, tmp_path)
        sink.down()

        def has_too_much() -> bool:
            nonlocal sent
            sent |= order_at_once(program, 40)
            spool_bytes.append(measure_spool(tmp_path, "traces"))
            return bool(re.search("traces: the (queue|spool) .* give way", program.stderr))

        wait_until(has_too_much, "something must give way")
        sent |= order_at_once(program, 10)
        spool_bytes.append(measure_spool(tmp_path, "traces"))
        sink.up()
        wait_until(lambda: len(arrived_spans(sink, sent)) > 2, "something arrives")
        program.signal(signal.SIGTERM)
        program.wait()
    arrived = arrived_spans(sink, sent)
    assert set(arrived.values()) == {1}
    lost = {
        why: sink.total("bear.exporter.dropped", bear_signal="traces", bear_reason=why)
        for why in ("queue_full", "spool_full")
    }
    assert len(arrived) + lost[reason] == 2 * len(sent.answered)
    assert sum(lost.values()) == lost[reason] > 0
    if reason == "queue_full":
        # One batch may have been on its way when the collector came back.
        assert len(arrived) <= 2 + QUEUE + BATCH
        assert max(spool_bytes) == 0
    else:
        assert 0 < max(spool_bytes) <= SPOOL_BYTES
