"""What the tests of user analytics share: the original's record, and what became of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bear_otel.sources.users import USERS
from bear_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.testing import Captured

# The original's example in our names.
RECORD: dict[str, Any] = {
    "session_id": "session_123",
    "session": {
        "duration_seconds": 300,
        "page_views": 3,
        "interactions": 15,
        "bounced": False,
    },
    "performance": {
        "page_load_seconds": 1.2,
        "first_contentful_paint_seconds": 0.8,
        "largest_contentful_paint_seconds": 1.1,
        "cumulative_layout_shift": 0.1,
        "first_input_delay_seconds": 0.05,
    },
    "behavior": {
        "click_count": 15,
        "scroll_depth_percent": 75,
        "time_on_page_seconds": 120,
        "errors_encountered": 0,
        "features_used": ["chat", "file_upload"],
    },
    "device": {
        "type": "desktop",
        "os": "Windows 10",
        "browser": "Chrome 91",
        "screen_resolution": "1920x1080",
        "viewport": "1200x800",
    },
}

ALL = {"enabled": True, "sampling": 1, "device_min_sessions": 1}


@contextmanager
def analytics(**settings: Any) -> Iterator[Captured]:
    """Capture telemetry with user analytics on, for everybody, and without a consent check."""
    with capture({"users": {**ALL, **settings}}) as captured:
        try:
            yield captured
        finally:
            USERS.ask(lambda _: None)


def outcomes(captured: Captured) -> dict[str, int]:
    """Return how often each outcome was counted."""
    points = captured.metrics().get("bear.user.interactions", [])
    return {point.attributes["bear.reason"]: point.value for point in points}


def events(captured: Captured) -> list[tuple[str, dict[str, Any]]]:
    """Return the events with their attributes, but for the id that each vital gets."""
    return [
        (
            str(log.log_record.event_name),
            {
                key: value
                for key, value in (log.log_record.attributes or {}).items()
                if key != "browser.web_vital.id"
            },
        )
        for log in captured.logs
        # On a busy machine the loop of the service is late.
        if log.log_record.event_name not in (None, "", "bear.asyncio.blocked")
    ]
