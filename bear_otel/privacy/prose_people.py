"""Find names, user names, addresses and places that a sentence introduces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import (
    SERVICE_USERS,
    is_placeholder,
    is_prose,
    looks_person,
    person_at,
)
from bear_otel.privacy.source import Phrases, word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_TITLE: Final = Phrases(
    """
    mr, mrs, miss, dr, prof, herr, herrn, frau, monsieur, madame, mme, mlle, señor, señora,
    sr, sra, signor, signora, sig, don, doña, pan, pani
    """,
    r"\b(?:PHRASE)\b\.?\s(?=\S)",
)
_ROLE: Final = Phrases(
    """
    dear, hello, hi, user, patient, patientin, customer, employee, client, member, passenger,
    guest, recipient, sender, beneficiary, cardholder, kunde, kundin, contact, applicant,
    signed by, named, my name is, name is, assigned to, owner, agent, driver, doctor, student,
    cliente, paciente
    """,
    r"\b(?:PHRASE)(?:\sname)?(?:\sis)?:?\s(?=\S)",
)
PERSON_WORDS: Final = _TITLE.words | _ROLE.words
_QUOTED = re.compile(
    r"\b(?:user(?:name)?|login|benutzer|usuario|utilisateur|customer|patient)"
    r"\s(?:name\s)?"
    r"[\"'“`]([^\"'”`\n]{1,64})[\"'”`]",
    re.IGNORECASE,
)
_FROM_HOST = re.compile(
    r"\b(?:for|user|by) (?:(?:invalid|illegal) user "
    r"|user )?([\w.@+-]{1,64}) from (?=[\d:a-f.]{3,39}\b)"
)
_SESSION = re.compile(
    r"\b(?:session (?:opened|closed) for user|logged in as|login as|logged in user|impersonating"
    r"|acting as|on behalf of|username is|user name is|logging in as|authenticated as"
    r"|sign(?:ed)? in as)"
    r" [\"']?([\w.@+-]{1,64})"
)
_ACCESS_LOG = re.compile(r"\s-\s([\w.@+-]{1,64})\s\[\d\d/[A-Z][a-z]{2}/\d{4}:")
_SUDO = re.compile(r"\bsudo(?:\[\d+\])?:\s+([\w.@+-]{1,64}) : ")
USER_WORDS: Final = word_set("""
    user username login benutzer usuario utilisateur member customer patient principal
    session logged impersonating acting behalf logging authenticated sign signed
    """)
HOST_WORDS: Final = frozenset(("from",))
_STREET = re.compile(
    r"(?<![\w.:/-])\d{1,5}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?(?:[A-Z][\w'\u2019.-]{0,24}\s){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way"
    r"|Place|Pl|Square|Sq"
    r"|Terrace|Crescent|Close|Highway|Hwy|Parkway|Pkwy|Circle)\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\.?\s?[\w-]{1,8})?"
    r"(?:,\s(?!\w*\d)[A-Z][\w'\u2019.-]{1,24}(?:\s(?!\w*\d)[A-Z][\w'\u2019.-]{1,24}){0,2}){0,3}"
    r"(?:,?\s[A-Z]{2}\b)?"
    r"(?:,?\s(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}))?"
    r"|(?<!\w)(?:[A-ZÄÖÜ][\wäöüß.-]{0,31}\s?(?:straße|strasse|str\.|weg|platz|allee"
    r"|gasse|ufer|damm)"
    r"|(?:Rue|Avenue|Boulevard|Place|Calle|Carrer|Via|Viale|Piazza|Rua|Avenida|ul\."
    r"|Ulica|ulica|ул\.|Улица|улица)"
    r"\s(?:[\w'\u2019]{1,20}\s){0,4}[\w'\u2019]{1,24},?)\s\d{1,4}\s?[a-z]?\b"
    r"(?:,?\s(?:[A-Z]{1,2}-)?\d{4,5}\s[A-ZÄÖÜ][\wäöüß-]{1,32})?"
    r"|(?<![\w.:/-])\d{1,4}(?:\s?(?:bis|ter))?,?\s"
    r"(?:rue|avenue|boulevard|place|chemin|allée|quai|impasse|cours)\s"
    r"(?:[\w'\u2019-]{1,20}\s?){1,6}(?:,?\s\d{5}\s[A-Z][\w-]{1,32})?"
)
STREET_WORDS: Final = word_set("""
    street st avenue ave road rd boulevard blvd lane ln drive dr court ct way place pl square sq
    terrace crescent close highway hwy parkway pkwy circle rue calle carrer via viale piazza rua
    avenida ul ulica ул улица chemin allée quai impasse cours weg platz allee str straße strasse
    """)
STREET_STEMS: Final = ("straße", "strasse", "str.", "weg ", "platz ", "allee ", "gasse ", "damm ")
_GEO = re.compile(
    r"\b(?:lat(?:itude)?|lon(?:gitude)?|lng|coord\w*|gps|location|position|located|point|geo)\b[^\n\d+-]{0,12}"
    r"([-+]?\d{1,3}\.\d{3,15}(?:\s?°)?(?:\s?[NSEW]\b)?"
    r"(?:\s?[,; ]\s?[-+]?\d{1,3}\.\d{3,15}(?:\s?°)?(?:\s?[NSEW]\b)?)?)",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\d°?\s?[NSEW]?\s?[,; ]\s?[-+]?\d", re.IGNORECASE)
GEO_WORDS: Final = word_set("""
    lat latitude lon longitude lng coord coords coordinate coordinates gps geo location position
    located point
    """)
# A place in the address of a map.
_MAP = re.compile(r"@(-?\d{1,2}\.\d{3,15},-?\d{1,3}\.\d{3,15})")
_DEGREES = re.compile(r"\d{1,3}°\s?\d{1,2}['\u2032\u2019]\s?\d{1,2}(?:\.\d+)?[\"″”]?\s?[NSEWO]")


def find_people(source: Source) -> Iterator[Finding]:
    """Yield the names that follow a title or a role."""
    text = source.text
    for phrases, least in ((_TITLE, 1), (_ROLE, 2)):
        for found in phrases.find(source):
            end = person_at(text, found.end())
            name = text[found.end() : end]
            if looks_person(name, words=least) and not any(map(is_prose, name.split())):
                yield Finding(found.end(), end, "name", "sentence: a person")


def find_users(source: Source) -> Iterator[Finding]:
    """Yield the user names that a sentence introduces."""
    for place in source.places(USER_WORDS):
        for pattern in (_QUOTED, _SESSION):
            found = pattern.match(source.text, place)
            if found is not None:
                yield from _user(found)


def find_users_of_hosts(source: Source) -> Iterator[Finding]:
    """Yield the user names in `for alice from 203.0.113.9`."""
    for found in _FROM_HOST.finditer(source.text):
        yield from _user(found)


def find_users_in_logs(source: Source) -> Iterator[Finding]:
    """Yield the user names that access logs and sudo write in a place of their own."""
    for pattern in (_ACCESS_LOG, _SUDO):
        for found in pattern.finditer(source.text):
            if found[1] != "-":
                yield from _user(found)


def _user(found: re.Match[str]) -> Iterator[Finding]:
    value = found[1].rstrip(".")
    if value.lower() in SERVICE_USERS or is_prose(value):
        return
    if not is_filled(value) and not is_placeholder(value):
        yield Finding(found.start(1), found.start(1) + len(value), "user", "sentence: a user")


def find_streets(source: Source) -> Iterator[Finding]:
    """Yield street and number, with the town behind them."""
    for found in _STREET.finditer(source.text):
        yield Finding(*found.span(), "address", "street and number")


def find_places(source: Source) -> Iterator[Finding]:
    """Yield coordinates that a word introduces."""
    for place in source.places(GEO_WORDS):
        found = _GEO.match(source.text, place)
        if found is None:
            continue
        number = found[1].rstrip()
        if found.group()[:2].lower() in ("la", "ln", "lo") or _PAIR.search(number):
            if found.group()[:3].lower() == "loc" and not _PAIR.search(number):
                continue
            yield Finding(
                found.start(1), found.start(1) + len(number), "geo", "sentence: coordinates"
            )


def find_map_places(source: Source) -> Iterator[Finding]:
    """Yield the coordinates in the address of a map."""
    for found in _MAP.finditer(source.text):
        yield Finding(*found.span(1), "geo", "place on a map")


def find_degrees(source: Source) -> Iterator[Finding]:
    """Yield coordinates in degrees, minutes and seconds."""
    for found in _DEGREES.finditer(source.text):
        yield Finding(*found.span(), "geo", "degrees and minutes")
