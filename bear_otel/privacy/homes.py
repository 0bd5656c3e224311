"""Find user names in the paths of home directories."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.shapes import SERVICE_USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_HOME = re.compile(
    r"(?:(?<![\w.-])(?:/(?:mnt|export|data|nfs|var|net))?/(?:home|Users)/"
    r"|\b[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings)(?:\\{1,2}|/))"
    r"([^/\\\s\"':;,<>|)\]]{1,64}(?: [A-Z][\w.-]{1,32}(?=[\\/]))?)"
)


def find_homes(source: Source) -> Iterator[Finding]:
    """Yield the user names in paths to home directories; names of services stay."""
    text = source.text
    for found in _HOME.finditer(text):
        name = found[1].lower()
        if (
            name in SERVICE_USERS
            or name in ("shared", "all users", "app", "linuxbrew")
            or name[0] in "{<$%*["
        ):
            continue
        yield Finding(found.start(1), found.end(1), "user", "home directory")
