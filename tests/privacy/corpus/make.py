"""Makes values of the shape and with the check digits of real ones, from a seeded generator.

Tokens are put together here, at run time, so that no secret scanner finds one in a file.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable

from .checksums import iban_digits, luhn_digit
from .national_ids import digits, national_id

Rng = random.Random
Maker = Callable[[Rng, str], str]

_HEX = "0123456789abcdef"
_B62 = string.ascii_letters + string.digits
_B64URL = _B62 + "-_"
_B64 = _B62 + "+/"
_UPPER = string.ascii_uppercase + string.digits
_BASE32 = string.ascii_uppercase + "234567"


def _pick(rng: Rng, alphabet: str, count: int) -> str:
    """Draw characters, at least one of them a digit, as real tokens of this length have."""
    text = "".join(rng.choices(alphabet, k=count))
    numbers = [c for c in alphabet if c.isdigit()]
    if count >= 4 and not any(c.isdigit() for c in text) and numbers:
        place = rng.randrange(count)
        text = text[:place] + rng.choice(numbers) + text[place + 1 :]
    return text


# People


def email(rng: Rng, argument: str) -> str:
    """Return an address; `argument` may fix the domain."""
    first = rng.choice(
        ["anna", "j.doe", "maria-luisa", "olu", "k_tanaka", "Zoe.Brown", "p99", "li"]
    )
    middle = rng.choice(["", ".smith", "_ng", "-ortiz", "+news", "_2nd"])
    host = rng.choice(["mail", "corp", "uni", "web.mx", "post-box", "team"])
    zone = rng.choice(["example.com", "example.org", "co.uk", "de", "io", "com.br", "museum", "eu"])
    return f"{first}{middle}{rng.randrange(100)}@{argument or f'{host}.{zone}'}"


def phone(rng: Rng, argument: str) -> str:
    """Return an international number; `argument` names the country or `plain`."""
    # The second letter of each template is the first digit of a subscriber number.
    templates = {
        "us": "+1 (2Nd) 555-dddd",
        "us2": "+1-41N-555-0ddd",
        "gb": "+44 7Ndd dddddd",
        "gb2": "+44 (0)20 7Ndd dddd",
        "de": "+49 151 N ddd dddd",
        "de2": "+49 (0) 89 / Ndd ddd-dd",
        "fr": "+33 6 Nd dd dd dd",
        "it": "+39 34N ddddddd",
        "es": "+34 6Nd ddd ddd",
        "br": "+55 11 9Nddd-dddd",
        "in": "+91 98Nddd ddddd",
        "jp": "+81-90-Nddd-dddd",
        "cn": "+86 13N dddd dddd",
        "ch": "+41 79 Ndd dd dd",
        "au": "+61 4Nd ddd ddd",
        "za": "+27 82 Ndd dddd",
        "plain": "+4915N2ddddddd",
        "plain_us": "+1415Ndddddd",
        "plain_in": "+9198Nddddddd",
        "double_zero": "0049 172 Nddd dddd",
    }
    template = templates[argument or rng.choice(sorted(templates))]
    return "".join(
        rng.choice("23456789") if c == "N" else rng.choice("0123456789") if c == "d" else c
        for c in template
    )


def card(rng: Rng, argument: str) -> str:
    """Return a Luhn-valid card number: `<brand>-<plain|space|dash>`, each part optional."""
    brand, _, style = argument.partition("-")
    lengths = {"visa": 16, "mc": 16, "mc2": 16, "amex": 15, "discover": 16, "jcb": 16, "diners": 14}
    brand = brand or rng.choice(sorted(lengths))
    prefix = {
        "visa": "4",
        "mc": f"5{rng.randrange(1, 6)}",
        "mc2": f"222{rng.randrange(1, 10)}",
        "amex": rng.choice(["34", "37"]),
        "discover": "6011",
        "jcb": "3530",
        "diners": "36",
    }[brand]
    payload = prefix + digits(rng, lengths[brand] - len(prefix) - 1)
    number = payload + luhn_digit(payload)
    style = style or rng.choice(["plain", "space", "dash"])
    if style == "plain":
        return number
    cuts = [4, 10] if len(number) in (14, 15) else [4, 8, 12]
    pieces = [number[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    return (" " if style == "space" else "-").join(pieces)


def iban(rng: Rng, argument: str) -> str:
    """Return an IBAN with valid check digits: `<country>-<plain|space>`, each part optional."""
    country, _, style = argument.partition("-")
    shapes = {
        "DE": "d" * 18,
        "GB": "AAAA" + "d" * 14,
        "FR": "d" * 23,
        "ES": "d" * 20,
        "IT": "A" + "d" * 22,
        "NL": "AAAA" + "d" * 10,
        "PL": "d" * 24,
        "CH": "d" * 17,
        "AT": "d" * 16,
        "BE": "d" * 12,
        "SE": "d" * 20,
        "NO": "d" * 11,
        "PT": "d" * 21,
        "IE": "AAAA" + "d" * 14,
        "SA": "d" * 20,
        "AE": "d" * 19,
    }
    country = country or rng.choice(sorted(shapes))
    account = "".join(
        rng.choice(string.ascii_uppercase) if c == "A" else rng.choice("0123456789")
        for c in shapes[country]
    )
    number = country + iban_digits(country, account) + account
    if (style or rng.choice(["plain", "space"])) == "plain":
        return number
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


# Networks


def ip4(rng: Rng, _: str) -> str:
    """Return a public IPv4 address whose last part no truncation leaves."""
    first = rng.choice([23, 45, 52, 78, 81, 88, 93, 109, 141, 151, 178, 185, 194, 203, 212, 217])
    return f"{first}.{rng.randrange(1, 255)}.{rng.randrange(1, 255)}.{rng.randrange(11, 255)}"


def ip6(rng: Rng, argument: str) -> str:
    """Return a global IPv6 address, `full` or compressed."""
    head = rng.choice(["2001:db8", "2a02:8108", "2a00:1450", "2600:1f18"])
    groups = [_pick(rng, "123456789abcdef", 4) for _ in range(6)]
    if argument == "full":
        return ":".join([head, *groups])
    return f"{head}:{groups[0]}:{groups[1]}::{groups[2]}"


def mac(rng: Rng, argument: str) -> str:
    """Return a MAC address; `argument` is the separator or `cisco`."""
    octets = [f"{rng.choice([0x3C, 0x00, 0xA4, 0xF0]):02x}"]
    octets += [_pick(rng, _HEX, 2) for _ in range(5)]
    if argument == "cisco":
        plain = "".join(octets)
        return f"{plain[:4]}.{plain[4:8]}.{plain[8:]}"
    return (argument or ":").join(octets)


# Secrets


def password(rng: Rng, argument: str) -> str:
    """Return a password that people use; `simple` keeps to letters and digits."""
    word = rng.choice(["sunshine", "Hunter", "Dragon", "letMeIn", "Winter", "kaffee", "Barcelona"])
    shapes = [
        f"{word}{rng.randrange(1000, 9999)}",
        f"{word}{rng.randrange(10, 99)}{_pick(rng, _B62, 4)}",
        _pick(rng, _B62, rng.randrange(10, 18)),
    ]
    if argument != "simple":
        shapes += [
            f"{word}!{rng.randrange(100, 999)}",
            f"{word.replace('a', '4').replace('e', '3')}$_{rng.randrange(10, 99)}",
            f"correct-{word}-battery-{rng.randrange(10, 99)}",
            _pick(rng, _B62 + "!*^~+.-", 14),
        ]
    return rng.choice(shapes)


def jwt(rng: Rng, argument: str) -> str:
    """Return a signed token; `argument` is the algorithm."""
    algorithm = argument or rng.choice(["HS256", "RS256", "ES256", "EdDSA"])
    header = {"alg": algorithm, "typ": "JWT"}
    if rng.random() < 0.5:
        header["kid"] = _pick(rng, _HEX, 8)
    claims = {"sub": digits(rng, 10), "name": "J Doe", "iat": 1_700_000_000 + rng.randrange(9999)}
    signature = rng.randbytes({"RS256": 256, "ES256": 64, "EdDSA": 64}.get(algorithm, 32))
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature)
    )


def pem(rng: Rng, argument: str) -> str:
    """Return a PEM block; `argument` is its label."""
    label = argument or rng.choice(
        ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"]
    )
    body = base64.b64encode(b"0\x82\x04\xa4\x02\x01\x00" + rng.randbytes(180)).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def _token(prefix: str, alphabet: str, count: int, suffix: str = "") -> Maker:
    return lambda rng, _: f"{prefix}{_pick(rng, alphabet, count)}{suffix}"


def _sized(alphabet: str) -> Maker:
    return lambda rng, argument: _pick(rng, alphabet, int(argument))


def _slack_hook(rng: Rng, _: str) -> str:
    return f"T{_pick(rng, _UPPER, 10)}/B{_pick(rng, _UPPER, 10)}/{_pick(rng, _B62, 24)}"


def _sendgrid(rng: Rng, _: str) -> str:
    return f"SG.{_pick(rng, _B64URL, 22)}.{_pick(rng, _B64URL, 43)}"


def _discord(rng: Rng, _: str) -> str:
    head = base64.b64encode(digits(rng, 18).encode()).decode()
    return f"{head}.{_pick(rng, _B64URL, 6)}.{_pick(rng, _B64URL, 38)}"


def _azure_key(rng: Rng, _: str) -> str:
    return base64.b64encode(rng.randbytes(64)).decode()


def _pypi(rng: Rng, _: str) -> str:
    return "pypi-" + "AgEIcHlwaS5vcmc" + _pick(rng, _B64URL, 120)


def _aws_id(rng: Rng, argument: str) -> str:
    return (argument or "AKIA") + _pick(rng, _BASE32, 16)


MAKERS: dict[str, Maker] = {
    "email": email,
    "phone": phone,
    "card": card,
    "iban": iban,
    "id": national_id,
    "ip4": ip4,
    "ip6": ip6,
    "mac": mac,
    "pw": password,
    "jwt": jwt,
    "pem": pem,
    # Alphabets, for tokens without a name and for harmless ids.
    "hex": _sized(_HEX),
    "b62": _sized(_B62),
    "b64": _sized(_B64),
    "b64url": _sized(_B64URL),
    "digits": lambda rng, argument: digits(rng, int(argument)),
    "upper": _sized(_UPPER),
    "uuid": lambda rng, _: str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
    # Vendors. The first letters stand apart from what makes them a token.
    "aws_id": _aws_id,
    "aws_secret": _sized(_B64),
    "gcp_key": _token("AI" + "za", _B64URL, 35),
    "gcp_oauth": _token("ya29" + ".a0A", _B64URL, 120),
    "gcp_client": _token("GOC" + "SPX-", _B64URL, 28),
    "azure_key": _azure_key,
    "azure_client": lambda rng, _: f"{_pick(rng, _B62, 3)}8Q~{_pick(rng, _B64URL, 34)}",
    "github": lambda rng, kind: f"gh{kind or 'p'}_{_pick(rng, _B62, 36)}",
    "github_fine": lambda rng, _: f"github_{'pat'}_{_pick(rng, _B62, 22)}_{_pick(rng, _B62, 59)}",
    "gitlab": _token("glp" + "at-", _B64URL, 20),
    "slack_bot": lambda rng, _: (
        f"xo{'xb'}-{digits(rng, 12)}-{digits(rng, 13)}-{_pick(rng, _B62, 24)}"
    ),
    "slack_user": lambda rng, _: (
        f"xo{'xp'}-{digits(rng, 12)}-{digits(rng, 12)}-{digits(rng, 12)}-{_pick(rng, _HEX, 32)}"
    ),
    "slack_app": lambda rng, _: (
        f"xa{'pp'}-1-A{_pick(rng, _UPPER, 10)}-{digits(rng, 13)}-{_pick(rng, _HEX, 64)}"
    ),
    "slack_hook": _slack_hook,
    "stripe": lambda rng, kind: f"{kind or 'sk'}_{'live'}_{_pick(rng, _B62, 24)}",
    "stripe_test": lambda rng, _: f"sk_{'test'}_{_pick(rng, _B62, 24)}",
    "stripe_long": lambda rng, _: f"sk_{'live'}_51{_pick(rng, _B62, 97)}",
    "stripe_hook": _token("wh" + "sec_", _B62, 32),
    "openai": lambda rng, _: f"s{'k'}-{_pick(rng, _B62, 20)}T3Blbk{'FJ'}{_pick(rng, _B62, 20)}",
    "openai_project": lambda rng, _: (
        f"s{'k'}-proj-{_pick(rng, _B64URL, 74)}T3Blbk{'FJ'}x9" + _pick(rng, _B64URL, 72)
    ),
    "anthropic": lambda rng, _: f"s{'k'}-ant-api03-{_pick(rng, _B64URL, 93)}AA",
    "huggingface": _token("h" + "f_", string.ascii_letters, 34),
    "groq": _token("gs" + "k_", _B62, 52),
    "replicate": _token("r" + "8_", _B62, 37),
    "twilio_key": _token("S" + "K", _HEX, 32),
    "twilio_account": _token("A" + "C", _HEX, 32),
    "sendgrid": _sendgrid,
    "mailgun": _token("key" + "-", _HEX, 32),
    "mailchimp": _token("", _HEX, 32, "-us" + "12"),
    "npm": _token("np" + "m_", _B62, 36),
    "pypi": _pypi,
    "newrelic": _token("NR" + "AK-", _UPPER, 27),
    "newrelic_ingest": _token("eu01xx", _HEX, 30, "NR" + "AL"),
    "sentry_dsn": lambda rng, _: _pick(rng, _HEX, 32),
    "sentry_token": _token("snt" + "ryu_", _HEX, 64),
    "discord": _discord,
    "telegram": lambda rng, _: f"{digits(rng, 10)}:AA{_pick(rng, _B64URL, 33)}",
    "square": _token("sq0" + "csp-", _B64URL, 43),
    "shopify": _token("shp" + "at_", _HEX, 32),
    "digitalocean": _token("dop" + "_v1_", _HEX, 64),
    "vault": _token("hv" + "s.CAES", _B64URL, 90),
    "databricks": _token("dap" + "i", _HEX, 32),
    "docker": _token("dckr" + "_pat_", _B64URL, 27),
    "linear": _token("lin" + "_api_", _B62, 40),
    "postman": lambda rng, _: f"PM{'AK'}-{_pick(rng, _HEX, 24)}-{_pick(rng, _HEX, 34)}",
    "grafana": lambda rng, _: f"gl{'sa'}_{_pick(rng, _B62, 32)}_{_pick(rng, _HEX, 8)}",
    "atlassian": _token("ATA" + "TT3xFfGF0", _B64URL, 170),
    "airtable": lambda rng, _: f"pa{'t'}{_pick(rng, _B62, 14)}.{_pick(rng, _HEX, 64)}",
    "doppler": _token("dp" + ".pt.", _B62, 43),
    "figma": _token("fig" + "d_", _B64URL, 40),
    "notion": _token("nt" + "n_", _B62, 46),
    "facebook": _token("EA" + "ACEdEose0c", _B62, 120),
    "planetscale": _token("psc" + "ale_tkn_", _B64URL, 43),
    "supabase": _token("sb" + "p_", _HEX, 40),
    "age": _token("AGE-SECRET" + "-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "flyio": _token("fo" + "1_", _B64URL, 43),
    "dynatrace": lambda rng, _: f"dt0{'c01'}.{_pick(rng, _BASE32, 24)}.{_pick(rng, _BASE32, 64)}",
    "pulumi": _token("pu" + "l-", _HEX, 40),
    "rubygems": _token("ruby" + "gems_", _HEX, 48),
    "terraform": lambda rng, _: f"{_pick(rng, _B62, 14)}.atlas{'v1'}.{_pick(rng, _B64URL, 67)}",
}
