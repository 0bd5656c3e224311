"""Read the memory of the GPUs, where the driver of their maker is present."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU: its number on this host, its model, and its memory in bytes."""

    number: int
    name: str
    used_bytes: int
    total_bytes: int


def read_gpus() -> list[Gpu] | None:
    """Return the GPUs of NVIDIA, or None without `nvidia-ml-py` or a driver that answers."""
    nvml = _load_driver(os.getpid())
    if nvml is None:
        return None
    try:
        return [_read_gpu(nvml, number) for number in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return None


def _read_gpu(nvml: Any, number: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        number=number,
        name=nvml.nvmlDeviceGetName(handle),
        used_bytes=memory.used,
        total_bytes=memory.total,
    )


@functools.lru_cache(maxsize=1)
def _load_driver(pid: int) -> Any:  # noqa: ARG001 - the key: a forked child opens the driver anew
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
