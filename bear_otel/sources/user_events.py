"""Turn an interaction into events: numbers and names from short lists, nothing else."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bear_otel import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.catalogue import Event
    from bear_otel.sources.interactions import Behavior, Performance, Session, UserInteraction

# Name, field, and the values up to which it is good, and from which it is poor, in the unit of the
# field: https://web.dev/articles/defining-core-web-vitals-thresholds, and the pages on FCP, FID
# and TTFB beside it.
_VITALS = (
    ("lcp", "largest_contentful_paint_seconds", 2.5, 4.0),
    ("fcp", "first_contentful_paint_seconds", 1.8, 3.0),
    ("inp", "interaction_to_next_paint_seconds", 0.2, 0.5),
    ("fid", "first_input_delay_seconds", 0.1, 0.3),
    ("ttfb", "time_to_first_byte_seconds", 0.8, 1.8),
    ("cls", "cumulative_layout_shift", 0.1, 0.25),
)


def create_events(interaction: UserInteraction) -> Iterator[tuple[Event, dict[str, Any]]]:
    """Yield each event of an interaction with its attributes, but for session and device."""
    session, behavior = interaction.session, interaction.behavior
    if session is not None and session.started:
        yield catalogue.SESSION_START, {}
    if interaction.performance is not None:
        for vital in _describe_vitals(interaction.performance):
            yield catalogue.BROWSER_WEB_VITAL, vital
    if behavior is not None:
        for feature in behavior.features_used:
            yield catalogue.FEATURE_USED, {"bear.feature.name": feature}
        if page := _describe_page(behavior):
            yield catalogue.PAGE_LEFT, page
    if session is not None and not session.started:
        yield catalogue.SESSION_END, _describe_session(session)


def _describe_vitals(performance: Performance) -> Iterator[dict[str, Any]]:
    for name, item, good, poor in _VITALS:
        value = getattr(performance, item)
        if value is None:
            continue
        # Milliseconds are what the `web-vitals` library measures in, and so the convention.
        shown = round(value * 1000, 1) if item.endswith("_seconds") else round(value, 4)
        rating = "good" if value <= good else "needs-improvement" if value <= poor else "poor"
        yield {
            "browser.web_vital.name": name,
            "browser.web_vital.value": float(shown),
            # Told once, when it is final, so all of it is new; the browser's own id stays there.
            "browser.web_vital.delta": float(shown),
            "browser.web_vital.id": secrets.token_hex(8),
            "browser.web_vital.rating": rating,
        }


def _describe_page(behavior: Behavior) -> dict[str, Any]:
    depth = behavior.scroll_depth_percent
    return _known(
        {
            "bear.page.duration": _round(behavior.time_on_page_seconds),
            "bear.page.clicks": behavior.click_count,
            "bear.page.scroll_depth": None if depth is None else round(depth / 100, 2),
            "bear.page.errors": behavior.errors_encountered,
        }
    )


def _describe_session(session: Session) -> dict[str, Any]:
    return _known(
        {
            "bear.session.duration": _round(session.duration_seconds),
            "bear.session.page_views": session.page_views,
            "bear.session.interactions": session.interactions,
            "bear.session.bounced": session.bounced,
        }
    )


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 1)


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}
