"""What is planted in each door of the service: made-up secrets and personal data, no two alike."""

from __future__ import annotations

import base64
import hashlib
from string import ascii_letters, digits

# The doors through which personal data leaves if it is allowed to.
DOORS = (
    "request path",
    "request query",
    "span name",
    "span attribute",
    "nested attribute",
    "attribute key",
    "event name",
    "event attribute",
    "link attribute",
    "status",
    "recorded exception",
    "tracestate",
    "scope name",
    "scope attribute",
    "resource",
    "log body",
    "structured body",
    "log attribute",
    "logged exception",
    "unhandled exception",
    "metric attribute",
    "exemplar",
    "sent baggage",
    "sent tracestate",
    "Sentry message",
    "Sentry extra",
)
# Through these not even then, but something harmless does: nobody can judge a statement's values.
SEALED = ("SQL literal", "bound parameter", "local variable")
# Nothing comes through these.
GONE = (
    "request header",
    "link tracestate",
    "unlisted baggage",
    "Sentry breadcrumb",
)


def marker(door: str) -> str:
    """Return a harmless word that has to arrive."""
    return f"seen_{door.replace(' ', '_').lower()}"


def email(door: str) -> str:
    """Return an address that no other door has."""
    return f"{_letters(door, 'email', 10).lower()}@example.com"


def token(door: str) -> str:
    """Return a GitHub token that no other door has."""
    return "ghp_" + _letters(door, "token", 36)


def jwt(door: str) -> str:
    """Return a signed token; its signature is what no other door has."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode()
    return f"{head}.{_letters(door, 'claims', 24)}.{_letters(door, 'signature', 43)}"


def password(door: str) -> str:
    """Return what only its key tells to be a password."""
    return _letters(door, "password", 12) + "7x"


def card(door: str) -> str:
    """Return a card number with a valid check digit."""
    number = "41" + "".join(str(byte % 10) for byte in _digest(door, "card")[:13])
    doubled = (int(d) * 2 if place % 2 == 0 else int(d) for place, d in enumerate(number))
    return number + str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def phone(door: str) -> str:
    """Return a phone number in international form."""
    return "+49 30 9" + "".join(str(byte % 10) for byte in _digest(door, "phone")[:6])


def secrets(door: str) -> list[str]:
    """Return what must never leave."""
    return [token(door), jwt(door), password(door), card(door)]


def planted(door: str) -> list[str]:
    """Return these, and what must not leave unless it is allowed to."""
    return [*secrets(door), email(door), phone(door)]


def text(door: str) -> str:
    """Return a sentence with all of them."""
    return (
        f"{marker(door)}: {email(door)} called from {phone(door)}, password={password(door)} "
        f"paid with {card(door)}, {token(door)} and {jwt(door)}"
    )


def _digest(door: str, kind: str) -> bytes:
    return hashlib.sha512(f"{door}/{kind}".encode()).digest()


def _letters(door: str, kind: str, count: int) -> str:
    alphabet = ascii_letters + digits
    return "".join(alphabet[byte % len(alphabet)] for byte in _digest(door, kind)[:count])
