"""Find values that sentences name: `password is x`, `call 030 12345`, `born on 1 May 1980`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.markers import is_clean
from bear_otel.privacy.shapes import (
    DATE,
    SERVICE_USERS,
    digit_count,
    is_code,
    is_placeholder,
    is_prose,
    looks_secret,
    person_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET = re.compile(
    r"\b(?P<word>pass(?:word|wd|phrase|code)|pwd|pin(?:\scode)?|secret(?:\skey)?|token|api[- _]?key|access\skey|private\skey|license\skey|credentials?|passwort|kennwort|contrase[nñ]a|clave|mot\sde\spasse|senha"
    r"|wachtwoord|lösenord|has[lł]o|парол[ья]|otp|cvv2?|cvc2?|jwt|bearer|api\stoken|session\sid|ключ|токен)\b[\"']?"
    r"(?:\s?(?P<sign>->|=>|→)\s?|\s(?P<link>(?:(?:is|was|has\sbeen|been)\s)?(?:now\s)?(?:set|changed|reset|updated|rotated)\sto|is(?:\snow)?|was|to|as|with\svalue|value|of|ist|lautet|es|est|é|jest|är|er|on)\s|\s|(?=[\"'“`]))"
    r"(?P<quote>[\"'“`])?(?P<value>[\w!@#$%^&*+~.\-/][^\s\"'“”`,;<>]{0,511})", re.IGNORECASE,
)  # fmt: skip
SECRET_GATES: Final = (
    "pass",
    "pwd",
    "pin",
    "secret",
    "token",
    "key",
    "credential",
    "kennwort",
    "contrase",
    "clave",
    "senha",
    "wachtwoord",
    "lösenord",
    "has",
    "парол",
    "otp",
    "cvv",
    "cvc",
    "jwt",
    "bearer",
    "session",
    "ключ",
    "токен",
)
_LINKS: Final = frozenset(
    (
        "is",
        "was",
        "is now",
        "set to",
        "changed to",
        "reset to",
        "with value",
        "ist",
        "lautet",
        "es",
        "est",
        "é",
        "jest",
        "är",
        "er",
        "->",
        "=>",
        "→",
        "=",
    )
)
_CODE_FIRST = re.compile(
    r"(?<![\w-])((?:[A-Z]-)?\d{3}[ -]?\d{1,5})\s(?:is|ist|est|es|as)\s(?:your|ihr|dein|votre|tu|su|the|il tuo)\b[^\n.]{0,48}?(?:code|pin|otp|passcode|password)",
    re.IGNORECASE,
)
_CODE_AFTER = re.compile(
    r"\b(?:verification|security|confirmation|one[- ]time|login|access|2fa|mfa|two[- ]factor|sms|auth\w*|sign[- ]?in|otp|totp|recovery|backup|reset|activation|bestätigungs|sicherheits)[- ]?(?:pass)?(?:code|pin|otp|number)?s?\b"
    r"[^\n\d]{0,24}?(?<![\w.-])((?:[A-Z]-)?\d{3}[ -]?\d{1,5})(?![\w.:/-])", re.IGNORECASE,
)  # fmt: skip
_PHONE = re.compile(
    r"\b(?:phone|telephone|tele?|mobile|cell(?:phone)?|fax|call(?:ed|er|ing)?(?:\sback)?|dial(?:l?ed|l?ing)?|sms|whatsapp|text(?:ed)?|ring|rang|msisdn|telefon(?:nummer)?|handy(?:nummer)?|mobil(?:nummer)?|rufnummer|téléphone|telephone|tél|teléfono|telefono"
    r"|móvil|cellulare|telefone|celular|telefoon|puhelin|telefonu?|телефон\w*|тел|τηλ\w*|电话|手机|電話|携帯|전화|contact|reach(?:ed)?|anruf\w*)\b"
    r"\.?(?:[ \t]?(?:number|no\.?|nr\.?|num\.?|is|was|at|to|on|from|me|us|him|her|them|sent|#|:|=|ist|de|the|customer|user|unter|via|sent to|号码|番号|번호)){0,4}[ \t]?"
    r"([+(]{0,2}\d[\d ()./\u00a0\-–]{5,22}\d)(?![\w])", re.IGNORECASE,
)  # fmt: skip
_CJK_PHONE = re.compile(r"(?:电话|手机|電話|携帯|전화|联系)[^\d\n]{0,6}(\+?\d[\d -]{7,16}\d)")
_ID = re.compile(
    r"\b(ssn|social\ssecurity(?:\s(?:number|no))?|sin|nino|national\sinsurance|nhs|tax(?:payer)?\s?id\w*|tin|itin|steuer[- ]?id\w*|steuer\w*nummer|sozialversicherungs\w*|rentenversicherungs\w*|ahv|passport|reisepass|passeport|pasaporte|passaporto|паспорт\w*"
    r"|personalausweis\w*|ausweis\w*|driv\w*[' ]?s?\slicen[cs]e|licen[cs]e\splate|number\splate|kennzeichen|national\sid\w*|identity\scard|id\scard|dni|nie|nif|nir|insee|sécurité\ssociale|securite\ssociale|codice\sfiscale|cpf|cnpj|rg|aadhaa?r|pan(?:\scard)?"
    r"|pesel|bsn|personnummer|fødselsnummer|fodselsnummer|cpr|hetu|henkilötunnus|curp|rut|cuit|cuil|nric|mrn|medicare|medical\srecord|patient|tfn|tax\sfile|emirates\sid|iqama|cnp|egn|oib|jmbg|amka|kimlik\w*|снилс|инн|身份证\w*|주민등록번호|my\s?number|マイナンバー"
    r"|account|acct|bank\saccount|routing|sort\scode|konto\w*|imei|imsi|iccid|vin|policy|member(?:ship)?|insurance|employee|customer|kunden?|patienten?|student|citizen|resident|voter|visa)\b"
    r"(?:[ \t]?(?:number|no\.?|nr\.?|num\.?|nummer|id|is|was|card|código|numero|numéro|número|#|:|=|ist|es|est|plate|record|(?:id)?nr|ending)){0,4}[ \t:#]?[ \t]?"
    r"((?:[A-Z]{1,3}[ -]?)?\d[\dA-Z]{0,20}(?:[ ./\-]\d[\dA-Z]{0,12}){0,7}(?:[ -][A-Z]\b)?|[A-Z]{1,6}\d[\dA-Z]{3,18})(?![\w])", re.IGNORECASE,
)  # fmt: skip
# Words that need `number`, `no` or `#` behind them before a number is a person's.
_ID_LOOSE: Final = frozenset(
    "account acct routing policy member membership insurance employee customer kunde kunden patient patienten student citizen resident voter visa sin tin vin nie rut run pan rg konto".split()
)
_BIRTH = re.compile(
    r"\b(?:born|dob|d\.o\.b\.?|birth\s?(?:day|date)?|date of birth|geboren|geb|geburts\w+|née?|naissance|nacid[oa]|nacimiento|nat[oa]|nascit[ao]|nascid[oa]|nascimento|geboortedatum|född|født|syntynyt|urodzon[ya]|narozen[ýa]?|родил\w+|рождения|生年月日|出生\w*|생년월일)\b"
    r"\.?(?:\s?(?:on|date|am|in|le|el|il|is|was|of|em|the|:|=|-)){0,3}\s?", re.IGNORECASE,
)  # fmt: skip
_PERSON = re.compile(
    r"\b(?:(?:[Mm]r|[Mm]rs|[Mm]s|[Mm]iss|[Dd]r|[Pp]rof|[Hh]err|[Ff]rau|[Mm]onsieur|[Mm]adame|[Mm]me|[Mm]lle|[Ss]eñora?|[Ss]ra?|[Ss]ignora?|[Ss]ig|[Dd]on|[Dd]oña)\.?"
    r"|(?:[Dd]ear|[Hh]ello|[Hh]i|[Uu]ser|[Pp]atient(?:in)?|[Cc]ustomer|[Ee]mployee|[Cc]lient|[Mm]ember|[Pp]assenger|[Gg]uest|[Rr]ecipient|[Ss]ender|[Bb]eneficiary|[Cc]ardholder|[Kk]unde|[Kk]undin|[Cc]ontact|[Aa]pplicant|[Ss]igned by|[Nn]amed|[Mm]y name is|[Nn]ame is|[Aa]ssigned to|[Oo]wner|[Aa]gent|[Dd]river|[Dd]octor|[Ss]tudent)(?:\sname)?(?:\sis)?:?)\s(?=[^\W\d_a-z])"
)
_QUOTED_USER = re.compile(
    r"\b(?:user(?:name)?|login|benutzer|usuario|utilisateur|member|customer|patient|principal)\s(?:name\s)?[\"'“`]([^\"'”`\n]{1,64})[\"'”`]",
    re.IGNORECASE,
)
_SSHD = re.compile(
    r"\b(?:for|user|by) (?:(?:invalid|illegal) user |user )?([\w.@+-]{1,64}) from (?=[\d:a-f.]{3,39}\b)"
)
_SUDO = re.compile(
    r"\b(?:session (?:opened|closed) for user|for user|logged in as|login as|logged in user|impersonating|acting as|on behalf of|username is|user name is|logging in as|authenticated as|sign(?:ed)? in as) [\"']?([\w.@+-]{1,64})"
)
_STREET = re.compile(
    r"(?<![\w.:/-])\d{1,5}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?(?:[A-Z][\w'’.-]{0,24}\s){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Crescent|Close|Highway|Hwy|Parkway|Pkwy|Circle)\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\.?\s?[\w-]{1,8})?(?:,\s[A-Z][\w'’.-]{1,24}(?:\s[A-Z][\w'’.-]{1,24}){0,2}){0,3}(?:,?\s[A-Z]{2})?(?:,?\s(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}))?"
    r"|(?<!\w)(?:[A-ZÄÖÜ][\wäöüß.-]{1,32}\s?(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|ufer|damm)|(?:Rue|Avenue|Boulevard|Place|Calle|Carrer|Via|Viale|Piazza|Rua|Avenida|ul\.|Ulica|ulica|ул\.|Улица|улица)\s(?:[\w'’]{1,20}\s){0,4}[\w'’]{1,24},?)\s\d{1,4}\s?[a-z]?\b(?:,?\s(?:[A-Z]{1,2}-)?\d{4,5}\s[A-ZÄÖÜ][\wäöüß-]{1,32})?"
    r"|(?<![\w.:/-])\d{1,4}(?:\s?(?:bis|ter))?,?\s(?:rue|avenue|boulevard|place|chemin|allée|quai|impasse|cours)\s(?:[\w'’-]{1,20}\s?){1,6}(?:,?\s\d{5}\s[A-Z][\w-]{1,32})?"
)  # fmt: skip
_STREET_GATES: Final = (
    "street", " st", " ave", " road", " rd", "blvd", "boulevard", " lane", " ln", "drive", " dr", "court", " ct", " way", "place", " pl", "square", "terrace", "crescent", " close", "parkway",
    "highway", "circle", "straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "ring ", "ufer", "damm", "rue ", "avenue", "calle ", "carrer", "via ", "viale", "piazza", "rua ", "avenida",
    "ul.", "ulica", "ул.", "улица", "chemin", "allée", "quai", "impasse", "cours",
)  # fmt: skip
_GEO = re.compile(
    r"\b(?:lat(?:itude)?|lon(?:gitude)?|lng|coord\w*|gps|location|position|located|at|point)\b[^\n\d+-]{0,12}([-+]?\d{1,3}\.\d{3,15}(?:\s?°)?(?:\s?[NSEW]\b)?(?:\s?[,; ]\s?[-+]?\d{1,3}\.\d{3,15}(?:\s?°)?(?:\s?[NSEW]\b)?)?)",
    re.IGNORECASE,
)
_POINT = re.compile(r"\bPOINT\s?Z?\s?\(\s?([-+]?\d{1,3}\.\d+\s[-+]?\d{1,3}\.\d+)", re.IGNORECASE)
_DMS = re.compile(r"\d{1,3}°\s?\d{1,2}['′’]\s?\d{1,2}(?:\.\d+)?[\"″”]?\s?[NSEWO]")


def find_secrets_in_prose(text: str, lower: str) -> Iterator[Finding]:  # noqa: ARG001 one signature for all
    """Yield secrets that a sentence names."""
    for found in _SECRET.finditer(text):
        value = found["value"].rstrip(".!?)]}>")
        link = found["sign"] or " ".join((found["link"] or "").lower().split())
        start = found.start("value")
        if (
            not value
            or is_clean(value)
            or is_placeholder(value)
            or value.startswith(("[REDACTED:", "&quot", "<", "[", "{", "("))
        ):
            continue
        if is_code(value) or value.startswith(("=", ":")):
            continue
        word = found["word"].lower()
        if word in (
            "clave",
            "es",
            "bearer",
            "pin",
            "pin code",
            "otp",
            "cvv",
            "cvc",
            "cvv2",
            "cvc2",
        ) and not looks_secret(value, least=3):
            continue
        if found["quote"]:
            end = text.find(found["quote"].replace("“", "”"), start)
            if not 0 < end - start < 512:  # noqa: PLR2004
                end = start + len(value)
            if len(value) < 3 or all(is_prose(w) for w in text[start:end].split()):  # noqa: PLR2004
                continue
            yield Finding(start, end, _kind(word), f"sentence: {word}")
        elif (
            (link in _LINKS or link.endswith(" to"))
            and not is_prose(value)
            and (_kind(word) == "password" or looks_secret(value))
        ) or looks_secret(value, least=4 if _kind(word) == "password" else 8):
            if re.fullmatch(r"\d{1,3}", value) and word not in ("cvv", "cvc", "cvv2", "cvc2"):
                continue
            if re.fullmatch(
                r"[\d.,]+(?:ms|s|m|h|d|%|kb|mb|min)?|\d{4}-\d\d-\d\d\S*|v\d\S*|\d+/\d+|#\d+",
                value,
                re.IGNORECASE,
            ) and word not in (
                "pin",
                "pin code",
                "otp",
                "cvv",
                "cvc",
                "cvv2",
                "cvc2",
                "password",
                "passcode",
            ):
                continue
            yield Finding(start, start + len(value), _kind(word), f"sentence: {word}")


def _kind(word: str) -> str:
    return (
        "token"
        if any(part in word for part in ("token", "key", "jwt", "bearer", "ключ", "токен"))
        else "password"
    )


def find_codes(text: str, lower: str) -> Iterator[Finding]:  # noqa: ARG001
    """Yield one-time codes that a message carries."""
    for pattern in (_CODE_FIRST, _CODE_AFTER):
        for found in pattern.finditer(text):
            if digit_count(found[1]) >= 4:  # noqa: PLR2004
                yield Finding(found.start(1), found.end(1), "password", "sentence: one-time code")


def find_people_in_prose(text: str, lower: str) -> Iterator[Finding]:
    """Yield names and user names that a sentence introduces."""
    for found in _PERSON.finditer(text):
        end = person_at(text, found.end())
        words = text[found.end() : end].split()
        title = (
            found.group()[0:2].lower()
            in (
                "mr",
                "ms",
                "dr",
                "mi",
                "he",
                "fr",
                "mo",
                "ma",
                "mm",
                "ml",
                "se",
                "sr",
                "si",
                "do",
                "pr",
            )
            and "ello" not in found.group()
        )
        if len(words) >= (1 if title and found.group().rstrip(" .").lower() in _TITLES else 2):
            if any(is_prose(w) or w.isupper() and len(w) > 1 for w in words):
                continue
            yield Finding(found.end(), end, "name", "sentence: a person")
    for pattern in (_QUOTED_USER, _SSHD, _SUDO):
        for found in pattern.finditer(text):
            value = found[1].rstrip(".")
            if (
                value.lower() not in SERVICE_USERS
                and not is_prose(value)
                and not is_clean(value)
                and not is_placeholder(value)
            ):
                yield Finding(
                    found.start(1), found.start(1) + len(value), "user", "sentence: a user"
                )


_TITLES: Final = frozenset(
    "mr mrs ms miss dr prof herr frau monsieur madame mme mlle señor señora sr sra signor signora sig don doña".split()
)


def find_numbers_in_prose(text: str, lower: str) -> Iterator[Finding]:  # noqa: ARG001
    """Yield phone numbers, identity numbers and dates of birth that a sentence introduces."""
    for found in _PHONE.finditer(text):
        if 7 <= digit_count(found[1]) <= 15 and not DATE.fullmatch(found[1]):  # noqa: PLR2004
            yield Finding(found.start(1), found.end(1), "phone", "sentence: phone")
    for found in _CJK_PHONE.finditer(text):
        yield Finding(found.start(1), found.end(1), "phone", "sentence: phone")
    for found in _ID.finditer(text):
        word = found[1].lower()
        between = text[found.end(1) : found.start(2)]
        if digit_count(found[2]) < 5:  # noqa: PLR2004
            continue
        if word in _ID_LOOSE and not re.search(
            r"number|no\b|nr|num|#|nummer|id\b", between, re.IGNORECASE
        ):
            continue
        yield Finding(
            found.start(2),
            found.end(2),
            "iban" if word in ("account", "acct", "bank account", "routing", "sort code") else "id",
            f"sentence: {word}",
        )
    for found in _BIRTH.finditer(text):
        date = DATE.match(text, found.end())
        if date is not None:
            yield Finding(date.start(), date.end(), "birthdate", "sentence: birth")


def find_places_in_prose(text: str, lower: str) -> Iterator[Finding]:
    """Yield postal addresses and coordinates that stand in a sentence."""
    if any(gate in lower for gate in _STREET_GATES):
        for found in _STREET.finditer(text):
            yield Finding(found.start(), found.end(), "address", "street and number")
    for pattern in (_GEO, _POINT):
        for found in pattern.finditer(text):
            number = found[1]
            if (
                pattern is _GEO
                and not re.search(r"[,; ]\s?[-+]?\d", number)
                and "lat" not in found.group().lower()
                and "lon" not in found.group().lower()
                and "lng" not in found.group().lower()
            ):
                continue
            yield Finding(
                found.start(1),
                found.start(1) + len(number.rstrip()),
                "geo",
                "sentence: coordinates",
            )
    if "°" in text:
        for found in _DMS.finditer(text):
            yield Finding(found.start(), found.end(), "geo", "degrees and minutes")
