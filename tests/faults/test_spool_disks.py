"""Disks that are full, read-only or small: the program goes on, and every loss is counted."""

from __future__ import annotations

import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from faults_harness import Collector, Emitters, running_as_root

from tests.lifecycle.lifecycle_harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KB."""
    if not running_as_root():
        pytest.skip("only root mounts")
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=700", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def check_outage(
    emitters: Emitters, collector: Collector, jobs: int = 1000, **environment: str
) -> str:
    """Run through an outage; assert that all jobs have arrived or are counted; return stderr."""
    program = emitters.start("job", rate=500, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="20", **environment)
    wait_until(lambda: len(emitters.left("job")) >= jobs, "an outage")
    collector.up()
    wait_until(collector.count, "something arrives")
    program.signal(signal.SIGTERM)
    assert program.wait() == -signal.SIGTERM
    left = emitters.left("job")
    for kind, signal_name in (("spans", "traces"), ("logs", "logs")):
        count = collector.count(kind)
        assert set(count) <= set(left)
        assert max(count.values()) == 1
        assert len(count) + collector.sum("bear.exporter.dropped", f'"{signal_name}"') == len(left)
    return program.stderr


def count_lines(stderr: str, text: str) -> int:
    """Return how many lines of an output match."""
    return len(re.findall(text, stderr))


def test_a_full_disk_costs_what_memory_cannot_hold(
    emitters: Emitters, collector: Collector, small_disk: Path
) -> None:
    """The queue is the floor under the spool; both ends are said once."""
    stderr = check_outage(
        emitters,
        collector,
        jobs=2000,
        BEAR_OTEL_SPOOL_DIRECTORY=str(small_disk / "spool"),
        OTEL_BSP_MAX_QUEUE_SIZE="200",
    )
    assert count_lines(stderr, "No space left on device; keeping up to") == 1
    assert collector.sum("bear.exporter.dropped", '"queue_full"') > 0


def test_the_cap_of_the_spool_costs_the_oldest(emitters: Emitters, collector: Collector) -> None:
    """What gives way is counted and said; the rest arrives."""
    stderr = check_outage(emitters, collector, BEAR_OTEL_SPOOL_MAX_BYTES="100000")
    assert count_lines(stderr, r"traces: the spool has 0.1 MB; the oldest in it give way") == 1
    assert collector.sum("bear.exporter.dropped", '"spool_full"') > 0


def test_a_disk_that_cannot_be_written_costs_one_line(
    emitters: Emitters, collector: Collector
) -> None:
    """A container with a read-only root: the queue does what it always did."""
    stderr = check_outage(emitters, collector, BEAR_OTEL_SPOOL_DIRECTORY="/proc/bear-otel/spool")
    assert count_lines(stderr, "cannot use the spool: /proc/bear-otel") == 1
