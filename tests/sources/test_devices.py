"""Of a device only what it shares with many is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bear_otel.sources.devices import coarsen_device
from bear_otel.sources.interactions import Device

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Version/16.6 Safari/604"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8)"
TABLET = "Mozilla/5.0 (Linux; Android 13; SM-X906C)"


def of_user_agent(text: str) -> tuple[str, str, str, str]:
    """Return class, system, browser and version."""
    told = coarsen_device(Device(type=text, os=text, browser=text))
    return (
        told["bear.device.class"],
        told["user_agent.os.name"],
        told["user_agent.name"],
        told.get("user_agent.version", ""),
    )


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (
            f"{WINDOWS} {WEBKIT} Chrome/120.0.1 Safari/537.36",
            ("desktop", "Windows", "Chrome", "120"),
        ),
        (
            f"{WINDOWS} {WEBKIT} Chrome/120.0.1 Safari/537.36 Edg/119.2",
            ("desktop", "Windows", "Edge", "119"),
        ),
        (
            f"{MAC} AppleWebKit/605.1 Version/17.1 Safari/605.1.15",
            ("desktop", "macOS", "Safari", "17"),
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
            ("desktop", "Linux", "Firefox", "121"),
        ),
        (
            f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/156.0 Safari/537.36",
            ("desktop", "Linux", "Chrome", "156"),
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0 Safari/537.36",
            ("desktop", "ChromeOS", "Chrome", "120"),
        ),
        (f"{IPHONE} Version/17.1 Mobile/15E148 Safari/604.1", ("mobile", "iOS", "Safari", "17")),
        (f"{IPHONE} CriOS/119.0 Mobile/15E148 Safari/604.1", ("mobile", "iOS", "Chrome", "119")),
        (IPAD, ("tablet", "iOS", "Safari", "16")),
        (
            f"{ANDROID} {WEBKIT} Chrome/120.0 Mobile Safari/537.36",
            ("mobile", "Android", "Chrome", "120"),
        ),
        (f"{TABLET} {WEBKIT} Chrome/120.0 Safari/537.36", ("tablet", "Android", "Chrome", "120")),
        (
            f"{ANDROID} {WEBKIT} SamsungBrowser/23.0 Chrome/115.0 Mobile Safari/537.36",
            ("mobile", "Android", "Samsung Internet", "23"),
        ),
        (
            f"{WINDOWS} {WEBKIT} Chrome/118.0 Safari/537.36 OPR/104.0",
            ("desktop", "Windows", "Opera", "104"),
        ),
        ("Googlebot/2.1 (+http://www.google.com/bot.html)", ("bot", "other", "other", "")),
        ("ada@example.com", ("other", "other", "other", "")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_user_agent_is_four_words(user_agent: str, expected: tuple[str, ...]) -> None:
    """Each from a short list, and the major version."""
    assert of_user_agent(user_agent) == expected


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (
            Device(type="desktop", os="Windows 10", browser="Chrome 91"),
            {
                "bear.device.class": "desktop",
                "user_agent.os.name": "Windows",
                "user_agent.name": "Chrome",
                "user_agent.version": "91",
            },
        ),
        (
            Device(type="tablet", os="iPadOS 17", browser="Safari 17"),
            {
                "bear.device.class": "tablet",
                "user_agent.os.name": "iOS",
                "user_agent.name": "Safari",
                "user_agent.version": "17",
            },
        ),
        (Device(os="macOS 14.2"), {"user_agent.os.name": "macOS"}),
        (Device(), {}),
    ],
    ids=str,
)
def test_short_names_are_understood(device: Device, expected: dict[str, str]) -> None:
    """As the original wrote them."""
    assert coarsen_device(device) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("320x568", "0-479"),
        ("480x800", "480-767"),
        ("767x1", "other"),
        ("1366x768", "1024-1439"),
        ("1919x1080", "1440-1919"),
        ("1920x1080", "1920+"),
        ("99999x99999", "1920+"),
        ("1366 by 768", "other"),
        ("my phone", "other"),
    ],
)
def test_a_size_is_a_range_of_widths(size: str, expected: str) -> None:
    """The exact one tells devices apart."""
    assert coarsen_device(Device(viewport=size)) == {"bear.device.viewport.width": expected}


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=32))
def test_whatever_is_said_few_answers_are_possible(text: str, size: str) -> None:
    """So nothing of it can pass but a word and a version."""
    told = coarsen_device(
        Device(type=text, os=text, browser=text, viewport=size, screen_resolution=size)
    )
    assert told["bear.device.class"] in {"bot", "tablet", "mobile", "desktop", "other"}
    assert len(told.get("user_agent.version", "")) <= 3
    assert told["bear.device.viewport.width"] == told["bear.device.screen.width"]
    assert len(told["bear.device.viewport.width"]) <= 9
