"""Collectors that go away, and processes that are killed meanwhile: what arrives in the end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from faults_harness import Collector, Emitters, check_arrived, read_spool

from tests.lifecycle.lifecycle_harness import (
    APPS,
    HASTY,
    LONGEST_EXIT_SECONDS,
    Program,
    dead_collector,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server

# Delays of the queue on a busy machine; what waited for its turn behind an outage would be later.
LATEST_SECONDS = 10.0


def run_for(emitters: Emitters, name: str, seconds: float) -> None:
    """Return when a program has been leaving jobs for some time."""
    jobs = emitters.left(name)
    first = min(jobs.values(), default=0.0)

    def has_run() -> bool:
        nonlocal first
        first = first or min(emitters.left(name).values(), default=0.0)
        return bool(first) and time.time() >= first + seconds

    wait_until(has_run, f"{name} runs for {seconds:g} s")


def test_an_outage_with_a_kill_in_it_costs_one_delay(
    emitters: Emitters, collector: Collector
) -> None:
    """Everything else arrives, once, and what is fresh does not wait for what is old."""
    collector.up()
    first = emitters.start("first", rate=200)
    run_for(emitters, "first", 1.5)
    collector.down()
    went_down = time.time()
    wait_until(lambda: time.time() > went_down + 3.0, "an outage")
    kept_until = emitters.wait_until_kept("first")
    first.process.kill()
    first.wait()

    emitters.start("second", rate=200)
    run_for(emitters, "second", 1.5)
    assert emitters.files() > 0
    collector.up()
    wait_until(lambda: emitters.files() == 0, "nothing waits on disk")
    emptied = time.time()
    run_for(emitters, "second", emptied - min(emitters.left("second").values()) + 1.0)
    emitters.programs[-1].signal(signal.SIGTERM)
    emitters.programs[-1].wait()

    check_arrived(collector, emitters.left("first"), kept_until=kept_until)
    second = emitters.left("second")
    check_arrived(collector, second)
    assert collector.sum("emitter.jobs", "") == len(second)
    arrivals = dict(collector.spans)
    flowing = min(moment for job, moment in collector.spans if job in second)
    late = [arrivals[job] - left for job, left in second.items() if left > flowing]
    assert max(late) < LATEST_SECONDS


def test_a_silent_collector_and_a_kill_cost_one_delay(
    emitters: Emitters, collector: Collector
) -> None:
    """A collector that accepts and never answers holds up nothing that a kill could take."""
    with dead_collector("hanging") as endpoint:
        collector.port = int(endpoint.rpartition(":")[2])
        first = emitters.start("first", rate=500)
        run_for(emitters, "first", 4.0)
        kept_until = emitters.wait_until_kept("first")
        first.process.kill()
        first.wait()
    with closing(emitters), collector:
        emitters.start("second", rate=1)
        wait_until(lambda: emitters.files() == 0, "nothing waits on disk")
        check_arrived(collector, emitters.left("first"), kept_until=kept_until)


def test_workers_share_what_waits(emitters: Emitters, collector: Collector) -> None:
    """Of four that share a spool two are killed and one ends; the next one finds all of it."""
    names = ("killed1", "killed2", "ended", "living")
    workers = [emitters.start(name) for name in names]
    for name in names:
        run_for(emitters, name, 2.5)
    wait_until(lambda: emitters.files() > 10, "each has written more than once")
    kept_until = emitters.wait_until_kept(*names[:2])
    for worker in workers[:2]:
        worker.process.kill()
    workers[2].signal(signal.SIGTERM)
    workers[2].wait()

    collector.up()
    emitters.start("replacement")
    wait_until(lambda: emitters.files("[tl]*") == 0, "no spans and no log records wait on disk")
    for worker in emitters.programs[3:]:
        worker.signal(signal.SIGTERM)
        worker.wait()
    assert emitters.files() == 0

    check_arrived(collector, emitters.left(*names[:2]), kept_until=kept_until)
    check_arrived(collector, emitters.left("ended", "living", "replacement"))


@pytest.mark.parametrize("kind", ["refused", "hanging"])
def test_what_is_buffered_at_the_end_survives_a_dead_collector(
    emitters: Emitters, collector: Collector, kind: str
) -> None:
    """The end takes no longer, and the next process delivers all three signals."""
    late = {
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
        **HASTY,
    }
    with dead_collector(kind) as endpoint:
        collector.port = int(endpoint.rpartition(":")[2])
        program = emitters.start("first", **late)
        run_for(emitters, "first", 0.5)
        program.signal(signal.SIGTERM)
        start = time.monotonic()
        program.wait()
        assert time.monotonic() - start <= LONGEST_EXIT_SECONDS
    with collector:
        # Too short for a look in peace: the flush at its end delivers what the other has left.
        emitters.start("second", seconds=0.01).wait()
    left = emitters.left("first", "second")
    assert emitters.files() == 0
    check_arrived(collector, left)
    assert collector.sum("emitter.jobs") == len(left)


def test_a_killed_worker_of_a_server_is_replaced_and_loses_nothing_old(
    tmp_path: Path, collector: Collector
) -> None:
    """The server starts a new worker, which sends what the killed one had on disk."""
    program = Program(
        "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket "
        "-k uvicorn_worker.UvicornWorker -w 2",
        tmp_path,
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "BEAR_OTEL_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        },
        cwd=APPS,
    )
    try:
        workers = program.find_workers(2)
        sent = program.order(20)

        def is_on_disk() -> bool:
            spans, logs = read_spool(tmp_path / "spool")
            lines = sum(count for text, count in logs.items() if text.startswith("order "))
            return (spans["GET /orders/{number}"], lines) == (20, 20)

        wait_until(is_on_disk, "all of it is on disk")
        os.kill(min(workers), signal.SIGKILL)
        wait_until(lambda: len(program.find_workers(2) - workers) == 1, "a new worker answers")
        collector.up()
        sent |= program.order(20)
        wait_until(lambda: not list(tmp_path.rglob("traces-*/*.otlp")), "nothing waits on disk")
        program.signal(signal.SIGTERM)
        program.wait()
    finally:
        program.close()
    names = [name for name, _ in collector.spans]
    assert names.count("GET /orders/{number}") == len(sent.answered) == 40
    lines = [line for line, _ in collector.logs if line.startswith("order ")]
    assert len(lines) == 40
