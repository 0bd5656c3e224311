"""Say of a device only what it has in common with many: family, major version, class, size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bear_otel.sources.interactions import Device

OTHER = "other"

_CLASS = "bear.device.class"
_SCREEN = "bear.device.screen.width"
_VIEWPORT = "bear.device.viewport.width"
_BROWSER = "user_agent.name"
_BROWSER_VERSION = "user_agent.version"
_OS = "user_agent.os.name"

# The first that is found: browsers claim to be others, those they claim to be come later. Both
# `Chrome 91` and what stands in the header `User-Agent` are understood.
_BROWSERS = tuple(
    (family, re.compile(pattern, re.IGNORECASE))
    for family, pattern in (
        ("Edge", r"\bEdg(?:e|A|iOS)?[ /](\d{1,3})"),
        ("Opera", r"\b(?:OPR|Opera)[ /](\d{1,3})"),
        ("Samsung Internet", r"\bSamsung ?(?:Browser|Internet)[ /](\d{1,3})"),
        ("Firefox", r"\b(?:Firefox|FxiOS)[ /](\d{1,3})"),
        ("Chrome", r"(?:Chrom(?:e|ium)|CriOS)[ /](\d{1,3})"),
        ("Safari", r"\bVersion/(\d{1,3})\b.*\bSafari\b|\bSafari (\d{1,3})"),
    )
)
_SYSTEMS = tuple(
    (family, re.compile(pattern, re.IGNORECASE))
    for family, pattern in (
        ("Android", r"\bAndroid\b"),
        ("iOS", r"\b(?:iPhone|iPad|iPod|iOS|iPadOS)\b"),
        ("Windows", r"\bWindows\b"),
        ("ChromeOS", r"\b(?:CrOS|Chrome ?OS)\b"),
        ("macOS", r"\bMac(?:intosh|OS| ?OS ?X)?\b"),
        ("Linux", r"\b(?:Linux|X11|Ubuntu|Debian|Fedora)\b"),
    )
)
_CLASSES = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("bot", r"bot\b|crawler|spider|slurp"),
        ("tablet", r"\b(?:tablet|iPad)\b|\bAndroid\b(?!.*\bMobile\b)"),
        ("mobile", r"\b(?:mobile|iPhone|phone)\b"),
        ("desktop", r"\b(?:desktop|Windows|Macintosh|X11|Linux|CrOS)\b"),
    )
)

_WIDTHS = (480, 768, 1024, 1440, 1920)
_SIZE = re.compile(r"(\d{2,5})x\d{2,5}")


def coarsen_device(device: Device) -> dict[str, str]:
    """Return the attributes that describe a device; each value is one of a few hundred at most."""
    attributes = {}
    if device.type:
        attributes[_CLASS] = _find(_CLASSES, device.type)
    if device.os:
        attributes[_OS] = _find(_SYSTEMS, device.os)
    if device.browser:
        attributes |= _coarsen_browser(device.browser)
    if device.screen_resolution:
        attributes[_SCREEN] = _coarsen_size(device.screen_resolution)
    if device.viewport:
        attributes[_VIEWPORT] = _coarsen_size(device.viewport)
    return attributes


def get_ladder(attributes: dict[str, str]) -> tuple[dict[str, str], ...]:
    """Return what may be said instead of a description that is too rare, the best first."""
    if not attributes:
        return ()
    return attributes, {_CLASS: attributes.get(_CLASS, OTHER)}


def _find(patterns: tuple[tuple[str, re.Pattern[str]], ...], text: str) -> str:
    return next((name for name, pattern in patterns if pattern.search(text)), OTHER)


def _coarsen_browser(text: str) -> dict[str, str]:
    for family, pattern in _BROWSERS:
        if match := pattern.search(text):
            return {_BROWSER: family, _BROWSER_VERSION: match[match.lastindex or 1]}
    return {_BROWSER: OTHER}


def _coarsen_size(text: str) -> str:
    """Return the range of the width, such as `1024-1439`."""
    match = _SIZE.fullmatch(text)
    if not match:
        return OTHER
    width = int(match[1])
    low = max((each for each in _WIDTHS if each <= width), default=0)
    high = min((each for each in _WIDTHS if each > width), default=None)
    return f"{low}-{high - 1}" if high else f"{low}+"
