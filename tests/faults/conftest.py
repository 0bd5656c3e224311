"""Fixtures of the fault tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults_harness import Collector, Emitters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that is down until a test lets it up."""
    collector = Collector()
    yield collector
    collector.down()


@pytest.fixture
def emitters(tmp_path: Path, collector: Collector) -> Iterator[Emitters]:
    """Programs that send to the collector; all end with the test."""
    emitters = Emitters(tmp_path, collector)
    yield emitters
    emitters.close()
