"""Measure the host, from exactly one of the processes that run on it."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from opentelemetry.metrics import Observation

from bear_otel import catalogue
from bear_otel.sources.gpu import Gpu, read_gpus
from bear_otel.sources.host_lock import HostLock
from bear_otel.sources.reading import (
    FRESH_SECONDS,
    UNAVAILABLE,
    create_instruments,
    observe_by,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from bear_otel.sources.reading import Instrument

# A host with more disks, file systems or interfaces is better measured by the Collector.
_MOST_DEVICES = 16
# What passes through these passes through a disk or an interface below, too, or is no traffic.
_VIRTUAL_DISK = re.compile(r"(loop|ram|zram|dm-|md)\d")
_VIRTUAL_INTERFACE = re.compile(r"lo\d*$|veth|br-|docker|virbr|cali|cni|flannel|ifb|dummy|tap")
_IMAGE_TYPES = ("squashfs", "iso9660", "erofs")  # Always full.
_PERSONAL_MOUNT_POINTS = ("/home/", "/media/", "/run/media/", "/Users/")  # A name comes next.


def measure_host(
    meter: Meter, *, active: Callable[[], bool], lock_directory: Path | None = None
) -> None:
    """Create the `system.*` instruments; one process per host and user reports them.

    Args:
        meter: Meter that records them.
        active: Whether this process does any work; a supervisor that only forks reports nothing.
        lock_directory: Where the processes agree who reports; the temporary directory by default.
    """
    directory = lock_directory or Path(tempfile.gettempdir())
    host = _Host(HostLock(directory / f"bear-otel-host-{os.getuid()}.lock"))
    create_instruments(meter, _INSTRUMENTS, host.read, active)


class _Host:
    """What psutil says about the host, while this process is the one that reports it."""

    def __init__(self, lock: HostLock) -> None:
        self._lock = lock
        self._cpu_seconds: dict[str, float] | None = None
        self._shares: dict[str, float] | None = None
        with suppress(*UNAVAILABLE):
            self._cpu_seconds = _read_cpu_seconds()

    def read(self) -> dict[str, Any]:
        if not self._lock.holds():
            self._cpu_seconds = None
            return {}
        reading = {}
        for name, read in _PARTS.items():
            with suppress(*UNAVAILABLE):
                reading[name] = read()
        if "cpu_seconds" in reading:
            reading["cpu_utilization"] = self._utilization(reading["cpu_seconds"])
        return reading

    def _utilization(self, cpu_seconds: dict[str, float]) -> dict[str, float] | None:
        if self._cpu_seconds is None:  # Just elected: an older value would be no interval's.
            self._cpu_seconds, self._shares = cpu_seconds, None
            return None
        # The kernel lets some counters go back a little.
        spent = {m: max(0.0, s - self._cpu_seconds[m]) for m, s in cpu_seconds.items()}
        total = sum(spent.values())
        if total < FRESH_SECONDS:  # Too early to tell anew.
            return self._shares
        self._cpu_seconds = cpu_seconds
        self._shares = {mode: seconds / total for mode, seconds in spent.items()}
        return self._shares


# The fields of psutil that make each mode; a platform lacks some. Guests count as user already.
_CPU_MODES = {
    "user": ("user",),
    "nice": ("nice",),
    "system": ("system",),
    "idle": ("idle",),
    "iowait": ("iowait",),
    "interrupt": ("irq", "softirq"),
    "steal": ("steal",),
}


def _read_cpu_seconds() -> dict[str, float]:
    times = psutil.cpu_times()
    return {
        mode: sum(getattr(times, field) for field in fields)
        for mode, fields in _CPU_MODES.items()
        if hasattr(times, fields[0])
    }


def _read_memory() -> dict[str, int]:
    """Return bytes by state; together they are all memory there is."""
    memory = psutil.virtual_memory()
    states = {
        state: getattr(memory, state)
        for state in ("free", "buffers", "cached")
        if hasattr(memory, state)
    }
    return {"used": memory.total - sum(states.values()), **states}


def _read_filesystems() -> list[Observation]:
    """Return the share in use of the root and of each local device that is mounted."""
    measured: dict[str, Observation] = {}
    for mount in sorted(psutil.disk_partitions(all=True), key=lambda mount: len(mount.mountpoint)):
        device = mount.device if _is_disk(mount.device) else mount.fstype
        if device in measured or not _is_measured(mount):
            continue
        with suppress(*UNAVAILABLE):
            usage = psutil.disk_usage(mount.mountpoint)
            measured[device] = Observation(
                usage.used / (usage.used + usage.free),  # As `df`: without what root may still use.
                {
                    "system.device": device,
                    "system.filesystem.mountpoint": mount.mountpoint,
                    "system.filesystem.type": mount.fstype,
                },
            )
    return list(islice(measured.values(), _MOST_DEVICES))


def _is_disk(device: str) -> bool:
    """Return whether a device is local: a network file system may hang, and names a machine."""
    return device.startswith("/dev/") and not device.startswith("/dev/loop")


def _is_measured(mount: Any) -> bool:
    if mount.mountpoint == "/":  # Whatever it is made of: in a container, of an overlay.
        return True
    return (
        _is_disk(mount.device)
        and mount.fstype not in _IMAGE_TYPES
        and not mount.mountpoint.startswith(_PERSONAL_MOUNT_POINTS)
        and os.path.isdir(mount.mountpoint)  # Containers mount single files.
    )


def _read_disks() -> list[Observation]:
    # `nowrap` takes a lock of psutil that a fork may copy in its locked state.
    counters = psutil.disk_io_counters(perdisk=True, nowrap=False)
    disks = [name for name in sorted(counters) if _is_whole_disk(name)]
    return [
        Observation(value, {"system.device": disk, "disk.io.direction": direction})
        for disk in disks[:_MOST_DEVICES]
        for direction, value in (
            ("read", counters[disk].read_bytes),
            ("write", counters[disk].write_bytes),
        )
    ]


def _is_whole_disk(name: str) -> bool:
    """Return whether this is neither a partition nor made of other disks: bytes count once."""
    if _VIRTUAL_DISK.match(name):
        return False
    return not os.path.isdir("/sys/block") or os.path.exists(f"/sys/block/{name}")


def _read_network() -> list[Observation]:
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    interfaces = [name for name in sorted(counters) if not _VIRTUAL_INTERFACE.match(name)]
    return [
        Observation(value, {"network.interface.name": interface, "network.io.direction": direction})
        for interface in interfaces[:_MOST_DEVICES]
        for direction, value in (
            ("receive", counters[interface].bytes_recv),
            ("transmit", counters[interface].bytes_sent),
        )
    ]


_PARTS: dict[str, Callable[[], Any]] = {
    "cpu_seconds": _read_cpu_seconds,
    "memory": _read_memory,
    "filesystems": _read_filesystems,
    "disks": _read_disks,
    "network": _read_network,
    "gpus": read_gpus,
}
_by_memory_state = observe_by("system.memory.state")


def _memory_shares(states: dict[str, int]) -> dict[str, float]:
    total = sum(states.values())
    return {state: size / total for state, size in states.items()}


def _describe_gpu(gpu: Gpu) -> dict[str, str]:
    return {"hw.id": str(gpu.number), "hw.name": gpu.name}


# Each metric, the part of the reading that it shows, and how.
_INSTRUMENTS: tuple[Instrument, ...] = (
    (catalogue.SYSTEM_CPU_UTILIZATION, "cpu_utilization", observe_by("cpu.mode")),
    (catalogue.SYSTEM_MEMORY_USAGE, "memory", _by_memory_state),
    (
        catalogue.SYSTEM_MEMORY_UTILIZATION,
        "memory",
        lambda states: _by_memory_state(_memory_shares(states)),
    ),
    (catalogue.SYSTEM_FILESYSTEM_UTILIZATION, "filesystems", list),
    (catalogue.SYSTEM_DISK_IO, "disks", list),
    (catalogue.SYSTEM_NETWORK_IO, "network", list),
    (
        catalogue.HW_GPU_MEMORY_USAGE,
        "gpus",
        lambda gpus: [Observation(gpu.used_bytes, _describe_gpu(gpu)) for gpu in gpus],
    ),
    (
        catalogue.HW_GPU_MEMORY_LIMIT,
        "gpus",
        lambda gpus: [Observation(gpu.total_bytes, _describe_gpu(gpu)) for gpu in gpus],
    ),
)
