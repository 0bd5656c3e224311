"""The process measures itself, in every process anew."""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import psutil
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bear_otel import catalogue
from bear_otel.sources import process as source
from bear_otel.sources import reading
from bear_otel.sources.process import measure_process
from bear_otel.sources.reading import FRESH_SECONDS

# The fork of a process with threads is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Points = dict[str, dict[Any, float]]


def start(active: bool = True) -> InMemoryMetricReader:
    """Measure this process with the real SDK."""
    reader = InMemoryMetricReader()
    measure_process(MeterProvider([reader]).get_meter("test"), active=lambda: active)
    return reader


def collect(reader: InMemoryMetricReader) -> Points:
    """Return {metric: {its only attribute's value: value}}."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: {
            next(iter(point.attributes.values()), None): point.value
            for point in metric.data.data_points
        }
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.data.data_points
    }


def work(seconds: float = FRESH_SECONDS + 0.1) -> None:
    """Keep a CPU busy: the thing measured, and the time after which a reading is made anew."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def in_child(run: Any) -> Any:
    """Return what `run` returns in a forked child."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, json.dumps(run()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        result = answer.read()
    os.waitpid(child, 0)
    return json.loads(result)


def test_every_row_of_the_catalogue_is_measured_with_its_attribute() -> None:
    """Each `process` row is an instrument with data, its kind, unit and attributes."""
    reader = start()
    work()
    data = reader.get_metrics_data()
    assert data is not None
    measured = {
        metric.name: (
            metric.unit,
            metric.description,
            tuple({key for point in metric.data.data_points for key in point.attributes}),
        )
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    assert measured == {
        row.name: (row.unit, row.description, row.attributes)
        for row in catalogue.METRICS
        if row.source == "process"
    }


@pytest.mark.parametrize(
    "row",
    [row for row in catalogue.METRICS if row.source in ("process", "host")],
    ids=lambda row: row.name,
)
def test_names_and_units_are_those_of_the_semantic_conventions(row: catalogue.Metric) -> None:
    """The incubating constants are private, so the catalogue is compared with them here."""
    area = row.name.split(".")[0]
    conventions = importlib.import_module(
        f"opentelemetry.semconv._incubating.metrics.{area}_metrics"
    )
    meter = RecordingMeter()
    create = getattr(conventions, f"create_{row.name.replace('.', '_')}")
    create(meter, callbacks=()) if "callbacks" in create.__annotations__ else create(meter)
    assert meter.created == [(row.kind.removeprefix("observable_"), row.name, row.unit)]
    known = {
        value
        for module in ("cpu", "cpython", "disk", "network", "process", "system")
        for value in vars(
            importlib.import_module(
                f"opentelemetry.semconv._incubating.attributes.{module}_attributes"
            )
        ).values()
        if isinstance(value, str)
    }
    assert set(row.attributes) <= known


class RecordingMeter:
    """Remembers what is created: (kind, name, unit)."""

    def __init__(self) -> None:
        self.created: list[tuple[str, str, str]] = []

    def __getattr__(self, create: str) -> Any:
        kind = create.removeprefix("create_").removeprefix("observable_")
        return lambda *, name, unit, **_: self.created.append((kind, name, unit))


def test_values_are_those_of_the_system() -> None:
    """What is reported is what the kernel and the garbage collector say."""
    begun, now = os.times(), psutil.Process()
    age = time.time() - now.create_time()
    points = collect(start())
    assert begun.user - 0.02 <= points["process.cpu.time"]["user"] <= os.times().user + 0.02
    assert points["process.memory.usage"][None] == pytest.approx(now.memory_info().rss, rel=0.1)
    assert points["process.memory.virtual"][None] == pytest.approx(now.memory_info().vms, rel=0.1)
    assert points["process.thread.count"][None] >= threading.active_count()
    assert age - 1.0 <= points["process.uptime"][None] <= time.time() - now.create_time() + 1.0
    assert set(points["process.context_switches"]) == {"voluntary", "involuntary"}
    assert points["cpython.gc.collections"][2] == gc.get_stats()[2]["collections"]


def test_open_files_are_counted() -> None:
    """A file more is a descriptor more."""
    reader = start()
    before = collect(reader)["process.unix.file_descriptor.count"][None]
    with open(os.devnull) as _:
        work()
        assert collect(reader)["process.unix.file_descriptor.count"][None] == before + 1


def test_utilization_is_a_share_and_never_a_false_zero() -> None:
    """The first value is right already; there is none while it could only be noise."""
    reader = start()
    assert "process.cpu.utilization" not in collect(reader)
    work()
    shares = collect(reader)["process.cpu.utilization"]
    assert set(shares) == {"user", "system"}
    assert 0 < shares["user"] <= 1.0


def test_a_supervisor_reports_nothing() -> None:
    """A process that only forks is not measured."""
    assert collect(start(active=False)) == {}


def test_a_forked_child_reports_itself() -> None:
    """CPU time, utilization and collector counts of a child do not contain its parent's."""
    reader = start()
    work(1.0)
    gc.collect()
    parent = collect(reader)

    def child() -> Points:
        work()
        gc.collect()
        points = collect(reader)
        return {name: {str(k): v for k, v in values.items()} for name, values in points.items()}

    forked = in_child(child)
    # Not by how much: what other tests have left in this process wakes up in a child, too.
    assert forked["process.cpu.time"]["user"] < parent["process.cpu.time"]["user"]
    assert 1 <= forked["cpython.gc.collections"]["2"] <= parent["cpython.gc.collections"][2]
    assert 0.1 / os.cpu_count() < forked["process.cpu.utilization"]["user"] <= 1.0
    assert forked["process.uptime"]["None"] <= parent["process.uptime"][None] + 1


def test_a_child_does_not_repeat_a_fresh_reading_of_its_parent() -> None:
    """A reading is shared by readers, never by processes."""
    reader = start()
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    parent = collect(reader)["process.thread.count"][None]
    child = in_child(lambda: collect(reader)["process.thread.count"][None])
    done.set()
    for thread in threads:
        thread.join()
    # Not exactly 1: what other tests have left in this process may start threads in a child.
    assert child != parent > 20


@pytest.mark.parametrize(
    ("method", "lost"),
    [
        ("num_fds", {"process.unix.file_descriptor.count"}),
        ("memory_info", {"process.memory.usage", "process.memory.virtual"}),
        ("cpu_times", {"process.cpu.time", "process.cpu.utilization"}),
    ],
)
@pytest.mark.parametrize(
    "error",
    [psutil.AccessDenied(), OSError(24, "no descriptor left"), NotImplementedError()],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_fails_alone(
    monkeypatch: pytest.MonkeyPatch, method: str, lost: set[str], error: Exception
) -> None:
    """One refused call leaves a gap in its own metric, and in no other."""

    def refuse(self: object) -> None:
        raise error

    for module in (source, reading):
        monkeypatch.setattr(module, "FRESH_SECONDS", 0.01)
    reader = start()
    work(0.05)
    everything = set(collect(reader))
    platform = type(psutil.Process()._proc)  # `oneshot` needs its own methods in the class above.
    monkeypatch.setattr(platform, method, refuse)
    work(0.05)
    assert set(collect(reader)) == everything - lost


def test_no_descriptor_left_leaves_the_rest() -> None:
    """With every file descriptor taken the collector's counts still come, and nothing is raised."""
    program = (
        "import resource, sys; sys.path.insert(0, sys.argv[1]);"
        "from test_process import collect, start, work;"
        "reader = start(); collect(reader); work();"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3));"
        "print(sorted(collect(reader)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cpython.gc.collections" in answer.stdout
    assert answer.stderr == ""


def test_a_fork_keeps_nothing_alive() -> None:
    """The fork hook cannot be taken back, so it must not hold what it restarts."""
    measured = weakref.ref(source._CurrentProcess())
    assert measured() is None
    assert in_child(lambda: True) is True
