"""Find secrets that a sentence names: `the password is x`, `token "x"`, `482913 is your code`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import (
    digit_count,
    is_code,
    is_placeholder,
    is_prose,
    looks_random,
    looks_secret,
)
from bear_otel.privacy.source import Phrases, word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_SECRET: Final = Phrases(
    """
    password, passwd, passphrase, passcode, pwd, pin, pin code, secret, secret key, credential,
    credentials, passwort, kennwort, contraseña, contrasena, clave, mot de passe, senha,
    wachtwoord, lösenord, hasło, haslo, пароль, пароля, parola, şifre, salasana, heslo, otp, cvv,
    cvv2, cvc, cvc2, session id, token, api key, apikey, access key, private key, license key, jwt,
    bearer, api token, ключ, токен
    """,
    r"(?<![A-Za-z])(?P<word>PHRASE)(?![^\W\d_])[\"']?"
    r"(?:\s?(?P<sign>->|=>|→)\s?"
    r"|\s(?P<link>(?:for|of)\s(?:the\s)?(?:(?:user|account|login|customer)\s)?"
    r"[\"'`]?[\w.@+-]{1,64}[\"'`]?\s(?:is|was)(?:\snow)?:?"
    r"|(?:(?:is|was|has\sbeen|been)\s)?(?:now\s)?(?:set|changed|reset|updated|rotated)\sto"
    r"|(?:is|was)(?:\snow)?:|(?:changed|rotated|updated|reset)\sfrom"
    r"|(?:entered|provided|given|used|set|sent|received|generated|supplied|tried|typed)(?:\sis)?:"
    r"|is(?:\snow)?|was|to|as|with\svalue|value|of|ist|lautet|es|est|é|jest|är|er|on)\s"
    r"|\s?[(\[]|\s|(?=[\"'“`]))"
    r"(?P<quote>[\"'“`])?(?P<value>[\w!@#$%^&*+~.\-/][^\s\"'“”`,;<>]{0,511})",
)
# Scripts without spaces: such a word stands inside a longer run.
_SECRET_STEM: Final = Phrases(
    "密码, 密碼, パスワード, 暗証番号, 비밀번호",
    r"(?:PHRASE)[は是为為은는]?[:\s]?\s?([!-~]{6,128})",
)
SECRET_WORDS: Final = _SECRET.words | _SECRET_STEM.words
SECRET_STEMS: Final = _SECRET_STEM.words
_LINKS: Final = frozenset(
    ("is", "was", "is now", "with value", "ist", "lautet", "es", "est", "é", "jest", "är", "er")
) | {"->", "=>", "→"}  # fmt: skip
# Short words with other uses: only a value with digits counts.
_SHORT: Final = frozenset(
    ("clave", "bearer", "pin", "pin code", "otp", "cvv", "cvc", "cvv2", "cvc2")
)
_MEASURE = re.compile(
    r"[\d.,]+(?:ms|us|ns|s|m|h|d|%|kb|mb|gb|min)?|\d{4}-\d\d-\d\d\S*|v\d\S*|\d+/\d+|#\d+",
    re.IGNORECASE,
)
_PAIR = re.compile(r"[\w.-]+=[^=]")
_CODE_TO = re.compile(
    r"\bcode\s(\d{4,8})\b(?=[^\n]{0,24}\b(?:to|for)\s(?:sign|log|verif|confirm|reset|complete|continue|access))",
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(
    r"(?<![\w-])((?:[A-Z]-)?\d{3}[ -]?\d{1,5})\s(?:is|ist|est|es|as)\s(?:your|ihr|dein"
    r"|votre|tu|su|the|il)\b"
    r"[^\n.]{0,48}?(?:code|pin|otp|passcode|password)",
    re.IGNORECASE,
)
_CODE_AFTER = re.compile(
    r"\b(?:verification|security|confirmation|one[- ]time|login|access|2fa|mfa"
    r"|two[- ]factor|sms|auth\w*"
    r"|sign[- ]?in|otp|totp|recovery|backup|reset|activation|bestätigungs|sicherheits)"
    r"[- ]?(?:pass)?(?:code|pin|otp|number)?s?\b"
    r"[^\n\d]{0,24}?(?<![\w.-])((?:[A-Z]-)?\d{3}[ -]?\d{1,5})(?![\w.:/-])",
    re.IGNORECASE,
)
CODE_WORDS: Final = word_set(
    "code codes pin otp totp passcode password bestätigungscode sicherheitscode fa mfa"
)


def find_secrets_in_prose(source: Source) -> Iterator[Finding]:
    """Yield secrets that a sentence names."""
    for found in _SECRET.find(source):
        end = _secret_end(source.text, found)
        if end is not None:
            word = " ".join(found["word"].lower().split())
            yield Finding(found.start("value"), end, _kind(word), f"sentence: {word}")
    for found in _SECRET_STEM.find(source):
        if looks_secret(found[1]):
            yield Finding(*found.span(1), "password", "sentence: password")


# What a random run behind one of these words is, unless the word before says which key it is.
RANDOM_WORDS: Final = word_set(
    "key keys secret secrets token tokens license licence signature seed salt nonce credential"
)
_RANDOM_AFTER = re.compile(
    r"(?:key|secret|token|licen[cs]e|signature|seed|salt|nonce|credential)s?\b[^\n]{0,72}",
    re.IGNORECASE,
)
_RANDOM_RUN = re.compile(r"(?<![\w/.-])[A-Za-z0-9+/_-]{20,256}={0,2}(?![\w/.-])")
_DIGEST = re.compile(r"sha\d|md5|digest|fingerprint|etag|commit", re.IGNORECASE)
_OTHER_KEYS = re.compile(
    r"(?:cache|primary|foreign|public|partition|sort|object|lookup|idempotency|index"
    r"|row|hash|routing|s3|redis|unique"
    r"|dedup|group|storage|shard|document|message|cluster|join|composite|natural"
    r"|surrogate|map|dict|missing|unknown)[\s_-]$|cache|artifact|docker|host\s$|recv-|gpg|pgp|sign-?by|apt-",
    re.IGNORECASE,
)


def find_random_in_prose(source: Source) -> Iterator[Finding]:
    """Yield long random runs that stand a few words behind `key`, `secret` and their like."""
    text = source.text
    searched = 0
    for place in sorted(source.places(RANDOM_WORDS)):
        if place < searched:
            continue
        searched = place + 24
        window = _RANDOM_AFTER.match(text, place)
        if window is None or _OTHER_KEYS.search(text[max(0, place - 40) : place]):
            continue
        for run in _RANDOM_RUN.finditer(text, place, min(len(text), window.end() + 256)):
            if _DIGEST.search(text, max(0, run.start() - 12), run.start()):
                continue
            if run.start() < window.end() and looks_random(run.group(), least=20):
                yield Finding(*run.span(), "token", "random run behind a telling word")


def _kind(word: str) -> str:
    parts = ("token", "key", "jwt", "bearer", "ключ", "токен")
    return "token" if any(part in word for part in parts) else "password"


def _secret_end(text: str, found: re.Match[str]) -> int | None:
    """Return where the value that a sentence names ends; None for a word of the sentence."""
    value = found["value"].rstrip(".!?)]}>")
    start = found.start("value")
    word = " ".join(found["word"].lower().split())
    if not value or is_filled(value) or is_placeholder(value) or is_code(value):
        return None
    if value.startswith(("&quot", "=", ":")) or _PAIR.match(value):
        return None
    if found["quote"]:
        end = text.find(found["quote"].replace("“", "”"), start)
        end = end if 0 < end - start < 512 else start + len(value)
        prose = all(is_prose(part) for part in text[start:end].split())
        return None if prose or len(value) < 3 else end
    if word in _SHORT:
        return start + len(value) if looks_secret(value, least=3) and "/" not in value else None
    if _MEASURE.fullmatch(value) and not (word.startswith("pass") and len(value) > 3):
        return None
    password = _kind(word) == "password"
    link = found["sign"] or " ".join((found["link"] or "").lower().split())
    linked = link in _LINKS or link.endswith(" to")
    if linked and not is_prose(value) and (password or looks_secret(value)):
        return start + len(value)
    return start + len(value) if looks_secret(value, least=4 if password else 8) else None


def find_codes(source: Source) -> Iterator[Finding]:
    """Yield one-time codes that a message carries."""
    for pattern in (_CODE_BEFORE, _CODE_AFTER, _CODE_TO):
        for found in pattern.finditer(source.text):
            if digit_count(found[1]) >= 4:
                yield Finding(*found.span(1), "password", "sentence: one-time code")
