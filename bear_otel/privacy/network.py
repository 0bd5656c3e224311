"""Find the addresses of people's machines: IP addresses are shortened, MAC addresses go."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_DOTTED = re.compile(r"\.\d{1,3}\.\d")
_IPV4 = re.compile(
    r"(?<![\w.])(?<![\w)]-)((?:\d{1,3}\.){3})(\d{1,3})(?![\w])(?!\.\d|\.\w|-[A-Za-z]|-\d{1,3}(?![\d.]))"
)
_COLONS = re.compile(r"::|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:")
_IPV6 = re.compile(
    r"(?<![\w:.])((?:[0-9A-Fa-f]{1,4}:){1,7}:?(?:[0-9A-Fa-f]{1,4}:){0,6}"
    r"|::(?:[0-9A-Fa-f]{1,4}:){0,6})"
    r"((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(%[\w.]{1,16})?(?![\w:])(?!\.\d)"
)
_PAIRS = re.compile(r"[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]")
_CISCO = re.compile(r"\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}")
_MAC = re.compile(
    r"[0-9A-Fa-f]{2}(?<![\w:.-]..)(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w])(?![:-]\w)"
    r"|[0-9A-Fa-f]{4}(?<![\w.]....)\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.])"
)
# What stands before a version, a product or an object identifier of the same shape.
_VERSION_BEFORE = re.compile(
    r"(?:versions?|ver|release|rel|build|firmware|revision|rev|sdk|api|driver|upgrad\w+"
    r"|to|oid|section|chapter|§)"
    r"""["']?\s?[=:]?\s?["'v]?$|==\s?$|>=\s?$|<=\s?$|~=\s?$|[\^~@]$|[-_]v?$|\bv\.?\s?$"""
    r"""|(?:^|[\s(;,"'])[A-Za-z][\w. -]{0,24}/$""",
    re.IGNORECASE,
)
_NOT_VERSION = re.compile(
    r"(?:addr|address|ip|host|connect\w*|from|moved|redirect\w*)\s(?:to|from)?\s?$"
    r"|\bconnect(?:ing|ed|ion)? to $|\bip[ =:/]",
    re.IGNORECASE,
)
_PERSON_BEFORE = re.compile(
    r"client|user|visitor|remote|forwarded|real[-_ ]ip|login|logged|customer|device|caller|browser",
    re.IGNORECASE,
)
_OWN: Final = ("127.", "0.", "255.", "169.254.", "224.", "239.")
_PRIVATE = re.compile(
    r"10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\."
)


def find_addresses(source: Source) -> Iterator[Finding]:
    """Yield the IP and MAC addresses of a text."""
    return find_addresses_in(source.text)


def find_addresses_in(text: str) -> Iterator[Finding]:
    """Yield the same from a text alone.

    Addresses of the own machine stay. Private addresses stay, too, unless a word before them says
    that they are a client's: they name a neighbour in the data centre, and nobody outside.
    """
    if _DOTTED.search(text):
        for found in _IPV4.finditer(text):
            before = text[max(0, found.start() - 28) : found.start()].rpartition("]")[2]
            short = shorten_ipv4(found.group())
            if short is None or short == found.group() or _keeps(found.group(), before):
                continue
            yield Finding(found.start(), found.end(), "ip", "IPv4 address", short)
    colons = text.count(":")
    if colons > 1 and _COLONS.search(text):
        for found in _IPV6.finditer(text):
            short = shorten_ipv6(found.group())
            if short is not None and short != found.group():
                yield Finding(found.start(), found.end(), "ip", "IPv6 address", short)
    if _PAIRS.search(text) is None and _CISCO.search(text) is None:
        return
    for found in _MAC.finditer(text):
        digits = re.sub(r"[:.-]", "", found.group())
        if len(set(digits)) > 2 and not (found[1] is None and digits.isdigit()):
            yield Finding(found.start(), found.end(), "mac", "MAC address")


def may_hold_addresses(text: str) -> bool:
    """Say whether a text of this outline may hold an address, whatever its digits are."""
    return any(shape.search(text) for shape in (_DOTTED, _COLONS, _PAIRS, _CISCO))


def _keeps(address: str, before: str) -> bool:
    if address.startswith(_OWN):
        return True
    if _VERSION_BEFORE.search(before) and not _NOT_VERSION.search(before):
        return True
    return _PRIVATE.match(address) is not None and _PERSON_BEFORE.search(before) is None


def shorten_ipv4(address: str) -> str | None:
    """Return the /24 network of an address, or None if it is none."""
    parts = address.split(".")
    if len(parts) != 4 or any(not p.isdigit() or int(p) > 255 for p in parts):
        return None
    return ".".join([*parts[:3], "0"])


def shorten_ipv6(address: str) -> str | None:
    """Return the /48 network of an address (of a mapped IPv4 its /24), or None if it is none."""
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return None
    if parsed.is_loopback or parsed.is_unspecified or not any(c.isdigit() for c in address):
        return None
    if parsed.ipv4_mapped is not None:
        return "::ffff:" + str(IPv4Address(int(parsed.ipv4_mapped) & 0xFFFFFF00))
    return str(IPv6Address(int(parsed) >> 80 << 80))


def shorten_client(address: str) -> str | None:
    """Return a client's address shortened, with its port; None for anything else."""
    text, tail = address, ""
    if text.startswith("["):
        text, _, tail = text[1:].partition("]")
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        tail = colon + port
    if text.startswith(_OWN):
        return None
    short = shorten_ipv4(text)
    if short is not None:
        return short + tail
    short = shorten_ipv6(text) if ":" in text else None
    return f"[{short}]{tail}" if short is not None and address.startswith("[") else short
