"""One process reports the host; when it ends, another one does."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bear_otel import catalogue
from bear_otel.sources import host as source
from bear_otel.sources import reading
from bear_otel.sources.host import measure_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKER = """
import sys
from pathlib import Path
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from bear_otel.sources import reading
from bear_otel.sources.host import measure_host

reading.FRESH_SECONDS = 0.0
reader = InMemoryMetricReader()
measure_host(
    MeterProvider([reader]).get_meter("test"),
    active=lambda: True,
    lock_directory=Path(sys.argv[1]),
)
for _ in sys.stdin:
    print(int(reader.get_metrics_data() is not None), flush=True)
"""


class Worker:
    """Another process that measures the host and says on demand whether it reports it."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def reports(self) -> bool:
        """Collect once."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("collect\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "1\n"

    def kill(self) -> None:
        """End without any clean-up."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Worker]]:
    """Three processes that share a host."""
    started = [Worker(tmp_path) for _ in range(3)]
    yield started
    for worker in started:
        worker.kill()


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read anew at each collection."""
    monkeypatch.setattr(reading, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(source, "FRESH_SECONDS", 0.01)


def start(directory: Path, active: bool = True) -> InMemoryMetricReader:
    """Measure the host with the real SDK."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")
    measure_host(meter, active=lambda: active, lock_directory=directory)
    return reader


def collect(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Return the data points by metric."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {m.name: list(m.data.data_points) for m in metrics if m.data.data_points}


def use_cpu(seconds: float) -> None:
    """Let the host work so long in CPU time, at least."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def test_every_row_of_the_catalogue_is_measured_with_its_attributes(tmp_path: Path) -> None:
    """Each `host` row is an instrument with data and its attributes."""
    reader = start(tmp_path)
    use_cpu(0.6)
    measured = {
        name: tuple(dict.fromkeys(key for point in points for key in point.attributes))
        for name, points in collect(reader).items()
    }
    assert measured == {
        row.name: row.attributes for row in catalogue.METRICS if row.source == "host"
    }


def test_values_are_those_of_the_system(tmp_path: Path) -> None:
    """Shares add up to one, memory to all memory, the root is as full as `df` says."""
    reader = start(tmp_path)
    use_cpu(0.6)
    points = collect(reader)
    cpu = {p.attributes["cpu.mode"]: p.value for p in points["system.cpu.utilization"]}
    assert sum(cpu.values()) == pytest.approx(1.0)
    assert cpu["user"] + cpu.get("nice", 0) > 0.05
    assert sum(p.value for p in points["system.memory.usage"]) == psutil.virtual_memory().total
    assert sum(p.value for p in points["system.memory.utilization"]) == pytest.approx(1.0)
    roots = [
        p.value
        for p in points["system.filesystem.utilization"]
        if p.attributes["system.filesystem.mountpoint"] == "/"
    ]
    assert roots == [pytest.approx(psutil.disk_usage("/").percent / 100, abs=0.01)]


def test_a_supervisor_reports_nothing_and_leaves_the_lock(tmp_path: Path) -> None:
    """A process that only forks does not keep its workers from reporting."""
    assert collect(start(tmp_path, active=False)) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_one_process_reports_and_another_after_its_death(workers: list[Worker]) -> None:
    """Of three processes exactly one reports, also after `kill -9`, until none is left."""
    while workers:
        reporting = [worker for worker in workers if worker.reports()]
        assert len(reporting) == 1
        assert [worker for worker in workers if worker.reports()] == reporting
        reporting[0].kill()
        workers.remove(reporting[0])


@pytest.mark.server
def test_a_deleted_lock_file_does_not_make_two_reporters(
    workers: list[Worker], tmp_path: Path
) -> None:
    """A clean-up of the temporary directory leads to a new election, not to a second reporter."""
    assert [worker.reports() for worker in workers] == [True, False, False]
    next(tmp_path.iterdir()).unlink()
    assert [worker.reports() for worker in reversed(workers)] == [True, False, False]


def in_child(tell: int, hear: int, reader: InMemoryMetricReader) -> None:
    """Collect for each byte heard, and tell whether there was something to report."""
    while os.read(hear, 1):
        os.write(tell, b"1" if reader.get_metrics_data() else b"0")
    os._exit(0)


PARENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bear_otel.sources import reading
from test_host import in_child, start
reading.FRESH_SECONDS = 0.0
reader = start(Path(sys.argv[2]))
assert reader.get_metrics_data()
if os.fork() == 0:
    in_child(1, 0, reader)
print(end="", flush=True)
os.read(int(sys.argv[3]), 1)
"""


@pytest.mark.server
def test_a_forked_child_reports_only_when_its_parent_is_gone(tmp_path: Path) -> None:
    """A child has its parent's descriptor of the lock file, but not its lock."""
    parent_waits, let_parent_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, os.path.dirname(__file__), str(tmp_path), str(parent_waits)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[parent_waits],
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def child_reports() -> bytes:
        process.stdin.write(b"?")
        return process.stdout.read(1)

    assert [child_reports(), child_reports()] == [b"0", b"0"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [child_reports(), child_reports()] == [b"1", b"1"]
    process.stdin.close()
    process.stdout.close()
    os.close(parent_waits)
    os.close(let_parent_end)


@pytest.mark.usefixtures("always_fresh")
def test_without_a_lock_nothing_is_reported_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two silent reporters would be worse than none, and silence must be explained."""
    reader = start(tmp_path / "missing")
    with caplog.at_level(logging.WARNING, "bear_otel"):
        assert [collect(reader), collect(reader)] == [{}, {}]
    assert [record.name for record in caplog.records] == ["bear_otel"]
    assert caplog.messages[0].startswith("Host metrics are off: cannot lock ")


@pytest.mark.usefixtures("always_fresh")
def test_a_link_in_the_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    """In a directory open to everybody, another user may have prepared one."""
    target = tmp_path / "precious"
    (tmp_path / f"bear-otel-host-{os.getuid()}.lock").symlink_to(target)
    assert collect(start(tmp_path)) == {}
    assert not target.exists()


@pytest.mark.usefixtures("always_fresh")
def test_an_elected_process_waits_one_interval_for_its_first_utilization(tmp_path: Path) -> None:
    """A baseline from before the election would be the average of another time."""
    first = Worker(tmp_path)
    assert first.reports()
    reader = start(tmp_path)
    assert collect(reader) == {}
    first.kill()
    assert "system.cpu.utilization" not in collect(reader)
    use_cpu(0.1)
    assert "system.cpu.utilization" in collect(reader)


def mount(device: str, mountpoint: str, fstype: str = "ext4") -> SimpleNamespace:
    """Return what psutil says of one mount."""
    return SimpleNamespace(device=device, mountpoint=mountpoint, fstype=fstype)


@pytest.mark.parametrize(
    ("mounted", "measured"),
    [
        pytest.param(mount("/dev/sda1", "/"), True, id="root"),
        pytest.param(mount("overlay", "/", "overlay"), True, id="root of a container"),
        pytest.param(mount("/dev/sdb1", "/usr"), True, id="another disk"),
        pytest.param(mount("/dev/mapper/data", "/var"), True, id="a logical volume"),
        pytest.param(mount("tmpfs", "/tmp", "tmpfs"), False, id="memory"),
        pytest.param(mount("overlay", "/var", "overlay"), False, id="a container's layer"),
        pytest.param(mount("/dev/loop3", "/usr", "squashfs"), False, id="a snap"),
        pytest.param(mount("/dev/sr0", "/usr", "iso9660"), False, id="a disc"),
        pytest.param(mount("10.0.0.7:/x", "/usr", "nfs4"), False, id="network file system"),
        pytest.param(mount("/dev/sda1", "/etc/passwd"), False, id="a file of a container"),
        pytest.param(mount("/dev/sdc1", "/media/alice/stick"), False, id="a person's stick"),
    ],
)
def test_only_disks_that_fill_up_are_measured(
    monkeypatch: pytest.MonkeyPatch, mounted: SimpleNamespace, measured: bool
) -> None:
    """Mounts that are always full, never full, remote or personal are left out."""
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [mounted])
    observed = [dict(observation.attributes or {}) for observation in source._read_filesystems()]
    expected = {
        "system.device": mounted.device,
        "system.filesystem.mountpoint": mounted.mountpoint,
        "system.filesystem.type": mounted.fstype,
    }
    assert observed == ([expected] if measured else [])


def test_a_root_on_the_network_does_not_name_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address never stands in an attribute."""
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [mount("10.0.0.7:/x", "/", "nfs4")])
    [observation] = source._read_filesystems()
    assert observation.attributes is not None
    assert observation.attributes["system.device"] == "nfs4"


def test_one_device_is_measured_once_and_many_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bind mounts repeat their device; the number of series is bounded."""
    twice = [mount("/dev/sda1", "/usr/bin"), mount("/dev/sda1", "/")]
    many = [mount(f"/dev/sdx{n}", "/usr") for n in range(40)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: twice + many)
    observed = source._read_filesystems()
    assert len(observed) == 16
    assert observed[0].attributes == {
        "system.device": "/dev/sda1",
        "system.filesystem.mountpoint": "/",
        "system.filesystem.type": "ext4",
    }


def test_interfaces_of_containers_and_partitions_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What would count twice, or come and go with each container, is no series."""
    net = SimpleNamespace(bytes_recv=1, bytes_sent=2)
    disk = SimpleNamespace(read_bytes=3, write_bytes=4)
    whole = next(iter(sorted(d for d in os.listdir("/sys/block") if source._is_whole_disk(d))))
    monkeypatch.setattr(
        psutil,
        "net_io_counters",
        lambda **_: dict.fromkeys(
            ["lo", "lo0", "eth0", "veth12ab", "docker0", "br-9f", "wlan0"], net
        ),
    )
    monkeypatch.setattr(
        psutil,
        "disk_io_counters",
        lambda **_: dict.fromkeys([whole, f"{whole}1", "loop0", "zram0", "dm-0"], disk),
    )
    assert [(tuple((o.attributes or {}).values()), o.value) for o in source._read_network()] == [
        (("eth0", "receive"), 1),
        (("eth0", "transmit"), 2),
        (("wlan0", "receive"), 1),
        (("wlan0", "transmit"), 2),
    ]
    assert [(tuple((o.attributes or {}).values()), o.value) for o in source._read_disks()] == [
        ((whole, "read"), 3),
        ((whole, "write"), 4),
    ]


@pytest.mark.parametrize(
    ("function", "lost"),
    [
        ("cpu_times", {"system.cpu.utilization"}),
        ("virtual_memory", {"system.memory.usage", "system.memory.utilization"}),
        ("disk_partitions", {"system.filesystem.utilization"}),
        ("disk_usage", {"system.filesystem.utilization"}),
        ("disk_io_counters", {"system.disk.io"}),
        ("net_io_counters", {"system.network.io"}),
    ],
)
@pytest.mark.usefixtures("always_fresh")
def test_what_fails_fails_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, function: str, lost: set[str]
) -> None:
    """One refused call leaves a gap in its own metrics, and in no other."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "hidden by the sandbox")

    reader = start(tmp_path)
    use_cpu(0.1)
    everything = set(collect(reader))
    monkeypatch.setattr(psutil, function, refuse)
    use_cpu(0.1)
    assert set(collect(reader)) == everything - lost
