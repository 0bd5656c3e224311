"""See in a test what a service would send: spans, log records and metrics, already scrubbed.

In `conftest.py`: `pytest_plugins = ["bear_otel.testing"]`. Then, in a test::

    def test_order(telemetry):
        client.post("/orders", json={"email": "ada@example.com"})
        assert [span.name for span in telemetry.spans] == ["POST /orders"]
        telemetry.assert_nothing_of("ada@example.com")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bear_otel.capture import Captured, capture

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Captured", "capture", "telemetry"]


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Everything that the test's code would send."""
    with capture() as captured:
        yield captured
