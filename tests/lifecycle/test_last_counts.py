"""The last metrics of a process count what its last spans and log lines have gone through."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from lifecycle_harness import LATE, PATIENT, Sink

from bear_otel.pipeline.shutdown import flush_all

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import logging
import bear_otel
from opentelemetry import trace

bear_otel.start()
for number in range(3):
    with trace.get_tracer("shop").start_as_current_span("order") as span:
        span.set_attribute("note", f"from ada{number}@example.com")
logging.getLogger("shop").warning("sent to ada@example.com")
"""


@pytest.mark.server
def test_the_report_counts_what_a_process_redacts_at_its_end(sink: Sink, tmp_path: Path) -> None:
    """A script is shorter than the interval of its metrics: all that it tells, it tells last."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**LATE, **PATIENT, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint},
        cwd=tmp_path,
        timeout=180,
        check=True,
    )
    for door, count in (("span.attribute", 3), ("log.body", 1), ("log.attribute", 0)):
        assert sink.total("bear.privacy.redactions", bear_privacy_door=door) == count


def test_metrics_wait_for_records() -> None:
    """Whatever takes the records longer than the metrics."""
    order: list[str] = []
    sent = threading.Event()

    def flush_slowly(_: float) -> None:
        assert sent.wait(60)
        order.append("records")

    timer = threading.Timer(0.1, sent.set)
    timer.start()
    flush_all((flush_slowly,), lambda _: order.append("metrics"), 120)
    assert order == ["records", "metrics"]


def test_metrics_do_not_wait_for_records_that_hang() -> None:
    """Half of the time is theirs, and what hangs or fails does not hold up the end."""
    left: list[float] = []
    hang = threading.Event()

    def fail(_: float) -> None:
        message = "records"
        raise RuntimeError(message)

    started = time.monotonic()
    flush_all((lambda _: hang.wait(60), fail), left.append, 4)
    assert time.monotonic() - started < 30
    hang.set()
    assert len(left) == 1
    assert 0 < left[0] <= 2
