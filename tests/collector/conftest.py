"""Fixtures for tests with a real Collector."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from collector_harness import Collector
from collector_sink import Sink

from bear_otel.cli.collector_binary import build, find_binary
from bear_otel.cli.files import find_folder
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def binary() -> Path:
    """Return the Collector, found or built as `bear-otel collector build` does."""
    try:
        return find_binary(find_folder("collector-config"), os.environ)
    except ConfigurationError:
        return build(find_folder("collector-config"), os.environ)


@pytest.fixture
def collector(binary: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start Collectors that end with the test."""
    started: list[Collector] = []

    def start(*arguments: str, **options: Any) -> Collector:
        directory = tmp_path / f"collector-{len(started)}"
        started.append(Collector(directory=directory, arguments=arguments, **options))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def sink() -> Iterator[Callable[[], Sink]]:
    """Start stand-ins for back ends that end with the test."""
    started: list[Sink] = []

    def start() -> Sink:
        started.append(Sink().start())
        return started[-1]

    yield start
    for one in started:
        one.stop()
