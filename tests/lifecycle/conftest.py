"""Fixtures of the life cycle tests: programs that end with the test, and a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_harness import LATE, Program, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A collector that remembers what it gets."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs that send to an endpoint, at their end only; all end with the test."""
    programs: list[Program] = []

    def start(command: Any, endpoint: str = "", **options: Any) -> Program:
        environment = {**LATE, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        environment |= options.pop("environment", {})
        directory = tmp_path / str(len(programs))
        program = Program(command, directory, environment=environment, **options)
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.close()
