"""Find e-mail addresses: plain, URL-encoded, internationalised, quoted, or spelt out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.source import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_AT = re.compile(r"@|%(?:25)?40|\\u0040|&#64;|\uff20", re.IGNORECASE)
# Read backwards from the sign, so that a long run without one costs nothing.
_LOCAL_REVERSED = re.compile(
    r"""(?:[A-Za-z0-9\u00c0-\u024f_!#$&*+/?^`{|}~.\-%]|(?<=\w)['\u2019](?=\w)){1,64}|"[^"\n]{1,62}\"|[^\W\d_a-zA-Z][\w.\-]{0,63}"""
)
# `scheme://user:secret@host` is no address; urls.py takes the user info.
_USER_INFO = re.compile(r"://[^\s/?#\"'<>]{0,126}\Z")
# The name before `<address>`: quoted, or capitalised words.
_SHOWN_REVERSED = re.compile(
    r"\"[^\"\n]{1,78}\"|(?:[\w'\u2019.-]*[^\W\d_a-z][ ]){0,4}[\w'\u2019.-]*[^\W\d_a-z](?![\w])"
)
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,62}[^\W_])?(?:\.|%2e)){1,8}(?:xn--[a-z0-9-]{2,40}"
    r"|[a-z]{2,24}(?![a-z0-9_])|[^\W\d_a-z]{2,24}(?![\w]))"
    r"|\[(?:\d{1,3}\.){3}\d{1,3}\]",
    re.IGNORECASE,
)
_SPELT = re.compile(
    r"[\w.+-]{1,64}\s?[\[({<]\s?at\s?[\])}>]\s?[\w-]{1,63}"
    r"(?:(?:\.|\s?[\[({<]\s?dot\s?[\])}>]\s?|\sdot\s)[\w-]{2,63}){1,4}"
    r"|\b[\w.+-]{2,64} at [\w-]{2,63} dot (?:com|org|net|de|io|co|uk|fr|edu|gov)\b",
    re.IGNORECASE,
)
# Endings of files, units and machines: `icon@2x.png`, `getty@tty1.service`.
_NO_DOMAIN = word_set("""
    png jpg jpeg gif svg webp ico css js mjs ts tsx jsx json html htm xml yml yaml toml lock txt
    log service socket timer mount target slice scope device path conf cfg ini tgz gz zip whl jar
    war exe dll map java kt scala cpp hpp rb php bak tmp csv pdf sql local localdomain internal
    cluster
    """)


def find_emails(source: Source) -> Iterator[Finding]:
    """Yield the e-mail addresses of a text."""
    text = source.text
    for sign in _AT.finditer(text):
        domain = _DOMAIN.match(text, sign.end())
        if domain is None or _is_file(domain.group()):
            continue
        if _USER_INFO.search(text, max(0, sign.start() - 128), sign.start()):
            continue
        before = text[max(0, sign.start() - 64) : sign.start()][::-1]
        local = _LOCAL_REVERSED.match(before)
        if local is None:
            continue
        name = local.group()[::-1].strip("`|{}/*&?!#$^~.") if before[0] != '"' else local.group()
        if "=" in name or not name:
            continue
        name = _behind_path(name)
        if not name or (name == "git" and text[domain.end() : domain.end() + 1] in (":", "/")):
            continue
        start = sign.start() - len(name)
        yield Finding(start, domain.end(), "email", "e-mail address")
        if text[start - 2 : start] == " <":
            shown = _SHOWN_REVERSED.match(text[max(0, start - 82) : start - 2][::-1])
            if shown is not None:
                yield Finding(
                    start - 2 - shown.end(), start - 2, "name", "name before an e-mail address"
                )
    if "at" in source.words:
        for found in _SPELT.finditer(text):
            yield Finding(found.start(), found.end(), "email", "spelt-out e-mail address")


def _behind_path(name: str) -> str:
    """Return what stands behind the last separator that ends a path, a pair or a parameter."""
    for separator in ("/", "?", "&", "|", "{", "}"):
        name = name.rpartition(separator)[2]
    return name


def _is_file(domain: str) -> bool:
    labels = domain.lower().rsplit(".", 1)
    return labels[-1] in _NO_DOMAIN
