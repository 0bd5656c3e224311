"""The memory of GPUs is reported where there are some, by the process that reports the host.

No GPU was at hand: NVIDIA's library is real, and so is its refusal without a driver; the GPUs are
played by what stands in for the driver below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bear_otel.sources import gpu
from bear_otel.sources.gpu import Gpu, read_gpus
from bear_otel.sources.host import measure_host

GIB = 2**30


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    """Look for the driver anew."""
    gpu._load_driver.cache_clear()
    yield
    gpu._load_driver.cache_clear()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver with two GPUs."""
    memory = [SimpleNamespace(used=3 * GIB, total=80 * GIB), SimpleNamespace(used=0, total=8 * GIB)]
    replies: dict[str, Any] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(memory),
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda handle: memory[handle],
        "nvmlDeviceGetName": lambda handle: ["NVIDIA H100", "NVIDIA T4"][handle],
    }
    for name, reply in replies.items():
        monkeypatch.setattr(pynvml, name, reply)


def collect(directory: Path) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """Return what a process that measures the host says about GPUs."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    measure_host(provider.get_meter("test"), active=lambda: True, lock_directory=directory)
    data = reader.get_metrics_data()
    return {
        metric.name: [(point.value, dict(point.attributes)) for point in metric.data.data_points]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name.startswith("hw.")
    }


@pytest.mark.usefixtures("driver")
def test_each_gpu_has_its_memory(tmp_path: Path) -> None:
    """Told apart by number, and by the name of the model; not by a serial number."""
    first, second = (
        {"hw.id": "0", "hw.name": "NVIDIA H100"},
        {"hw.id": "1", "hw.name": "NVIDIA T4"},
    )
    assert collect(tmp_path) == {
        "hw.gpu.memory.usage": [(3 * GIB, first), (0, second)],
        "hw.gpu.memory.limit": [(80 * GIB, first), (8 * GIB, second)],
    }


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="a driver is here")
def test_without_a_driver_there_is_nothing(tmp_path: Path) -> None:
    """As on most hosts."""
    assert read_gpus() is None
    assert collect(tmp_path) == {}


@pytest.mark.usefixtures("driver")
def test_a_gpu_that_is_lost_costs_its_own_metrics_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may answer again later."""

    def fail(handle: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    with monkeypatch.context() as lost:
        lost.setattr(pynvml, "nvmlDeviceGetMemoryInfo", fail)
        assert read_gpus() is None
    assert read_gpus() == [
        Gpu(number=0, name="NVIDIA H100", used_bytes=3 * GIB, total_bytes=80 * GIB),
        Gpu(number=1, name="NVIDIA T4", used_bytes=0, total_bytes=8 * GIB),
    ]
