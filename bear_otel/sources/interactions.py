"""Describe what somebody did in an application: the record that user analytics accept, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Part = TypeVar("Part", bound="_Checked")

# Far above what is real, and too small for a telephone number or a time.
_MOST_SECONDS = 7 * 86_400.0
_MOST_COUNT = 1_000_000
_MOST_LAYOUT_SHIFT = 1000.0
_MOST_FEATURES = 50

_FEATURE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def _checked(accepts: Callable[[Any], bool], accepted: str, *, default: Any = None) -> Any:
    return field(default=default, metadata={"accepts": accepts, "accepted": accepted})


def _number(most: float) -> Any:
    def accepts(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and 0 <= value <= most

    return _checked(accepts, f"a number from 0 to {most:g}")


def _count() -> Any:
    def accepts(value: Any) -> bool:
        return type(value) is int and 0 <= value <= _MOST_COUNT

    return _checked(accepts, f"a whole number from 0 to {_MOST_COUNT}")


def _flag() -> Any:
    return _checked(lambda value: isinstance(value, bool), "true or false")


def _text(most: int, *, default: Any = None) -> Any:
    def accepts(value: Any) -> bool:
        return isinstance(value, str) and 0 < len(value) <= most

    return _checked(accepts, f"text of 1 to {most} characters", default=default)


def _part(kind: type) -> dict[str, Any]:
    accepted = f"{kind.__name__} or a map"
    return {"accepts": lambda value: isinstance(value, kind), "accepted": accepted, "part": kind}


def _features() -> Any:
    def accepts(value: Any) -> bool:
        return (
            isinstance(value, tuple | list)
            and len(value) <= _MOST_FEATURES
            and all(isinstance(each, str) and _FEATURE.fullmatch(each) for each in value)
        )

    accepted = f"up to {_MOST_FEATURES} names of up to 64 letters, digits and _.-, a letter first"
    return _checked(accepts, accepted, default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A record whose fields say what they accept; None stands for what is not known."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            unknown = value is None and item.default is None
            if not unknown and not item.metadata["accepts"](value):
                # Not the value: it may be personal.
                message = f"{type(self).__name__}.{item.name} must be {item.metadata['accepted']}"
                raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(_Checked):
    """A visit, at its beginning or at its end.

    Args:
        started: Whether it begins now; otherwise it has ended, and the rest says how it was.
        duration_seconds: How long it took.
        page_views: How many pages were seen.
        interactions: How often something was done.
        bounced: Whether the first page was also the last.
    """

    started: bool | None = _flag()
    duration_seconds: float | None = _number(_MOST_SECONDS)
    page_views: int | None = _count()
    interactions: int | None = _count()
    bounced: bool | None = _flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance(_Checked):
    """How fast a page was: see https://web.dev/articles/vitals.

    Args:
        page_load_seconds: From the navigation to the end of the `load` event.
        first_contentful_paint_seconds: FCP.
        largest_contentful_paint_seconds: LCP.
        first_input_delay_seconds: FID; browsers have given it up for INP.
        interaction_to_next_paint_seconds: INP.
        time_to_first_byte_seconds: TTFB.
        cumulative_layout_shift: CLS, without a unit.
    """

    page_load_seconds: float | None = _number(_MOST_SECONDS)
    first_contentful_paint_seconds: float | None = _number(_MOST_SECONDS)
    largest_contentful_paint_seconds: float | None = _number(_MOST_SECONDS)
    first_input_delay_seconds: float | None = _number(_MOST_SECONDS)
    interaction_to_next_paint_seconds: float | None = _number(_MOST_SECONDS)
    time_to_first_byte_seconds: float | None = _number(_MOST_SECONDS)
    cumulative_layout_shift: float | None = _number(_MOST_LAYOUT_SHIFT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior(_Checked):
    """What was done on a page, in numbers.

    Args:
        click_count: Clicks.
        scroll_depth_percent: How much of the page was seen, 0 to 100.
        time_on_page_seconds: How long the page was open.
        errors_encountered: Errors that the person met.
        features_used: Names that the developers gave to parts of the application.
    """

    click_count: int | None = _count()
    scroll_depth_percent: float | None = _number(100)
    time_on_page_seconds: float | None = _number(_MOST_SECONDS)
    errors_encountered: int | None = _count()
    features_used: tuple[str, ...] = _features()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(_Checked):
    """What it was done with; leaves coarsened alone, see `bear_otel.sources.devices`.

    Args:
        type: `desktop`, `mobile`, `tablet`, or a `User-Agent`.
        os: Such as `Windows 10`, or a `User-Agent`.
        browser: Such as `Chrome 91`, or a `User-Agent`.
        screen_resolution: Such as `1920x1080`.
        viewport: Such as `1200x800`.
    """

    type: str | None = _text(1024)
    os: str | None = _text(1024)
    browser: str | None = _text(1024)
    screen_resolution: str | None = _text(32)
    viewport: str | None = _text(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInteraction(_Checked):
    """What somebody did, as `record_user_interaction` takes it.

    Args:
        session_id: What the visit is called; leaves as a pseudonym of the day alone.
        session: The visit, at its beginning or at its end.
        performance: How fast the page was.
        behavior: What was done on the page.
        device: What it was done with.

    Raises:
        ValueError: A field of the wrong type or size; the text names it, but not its value.
    """

    session_id: str = _text(256, default="")
    session: Session | None = field(default=None, metadata=_part(Session))
    performance: Performance | None = field(default=None, metadata=_part(Performance))
    behavior: Behavior | None = field(default=None, metadata=_part(Behavior))
    device: Device | None = field(default=None, metadata=_part(Device))


def create_interaction(record: Mapping[str, Any]) -> UserInteraction:
    """Return the record that a nested map with the names of `UserInteraction` describes.

    Raises:
        ValueError: An unknown name, or as in `UserInteraction`.
    """
    if not isinstance(record, Mapping):
        message = "an interaction is a UserInteraction or a map"
        raise ValueError(message)
    return _create(UserInteraction, record)


def _create(kind: type[Part], record: Mapping[str, Any]) -> Part:
    items = {item.name: item for item in fields(kind)}
    # Not the name either: it is not known, so it may be anything.
    if not record.keys() <= items.keys():
        message = f"{kind.__name__} has an unknown field; it accepts {', '.join(items)}"
        raise ValueError(message)
    values = dict(record)
    for name, value in record.items():
        part = items[name].metadata.get("part")
        if part is not None and isinstance(value, Mapping):
            values[name] = _create(part, value)
        elif isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)
