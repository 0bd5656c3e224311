"""What holds for every input: no exception, no echo, no second change, no other type."""

# The texts stand as applications write them: long lines and foreign signs are the point.
# ruff: noqa: E501, RUF001, SIM905

from __future__ import annotations

import copy
import math
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bear_otel.privacy import CustomPattern, PrivacyPolicy, Scrubber

_PIECES = [
    "password", "token", "api_key", "user", "name", "email", "phone", "address", "authorization", "cookie",
    "Authorization: Bearer ", "date of birth", "SELECT * FROM t WHERE a = ", "lat", "lon", "ip", "http.url",
    "=", ": ", ":", "=>", "'", '"', "\\", "\\\"", "&", "&quot;", "%3D", "%40", "%22", "?", "#", "/", "//", "://",
    "{", "}", "[", "]", "(", ")", "<", ">", ",", ";", " ", "\n", "\t", "@", ".", "-", "+", "--", "$", "*", "|", "`", "“",
    "alice@example.com", "hunter2", "203.0.113.42", "2001:db8::1", "4111 1111 1111 1111", "DE89370400440532013000",
    "+49 151 23456789", "415-555-2671", "123-45-6789", "https://u:p@h.example/users/42?q=1#f", "eyJhbGciOiJIUzI1NiJ9.eyJ9.x",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "John Smith", "12 High Street", "1985-03-12", "52.520008, 13.404954",
    "[REDACTED:email]", "[REDACTED:password]", "[REDACTED:", "ps1.20781.abcdefghijklmnopqrst", "[REDACTED:cut]",
    'File "/app/x.py", line 3, in f\n    ', "Key (email)=(", ") already exists", "[parameters: ", "input_value=", "-u ", "SET k ",
    "%s", "{}", "None", "true", "0", "42", "1.5", "e", "É", "ß", "İ", "密码", "：", "\u0000", "\ud800", "\u202e",
]  # fmt: skip
_FRAGMENTS = st.one_of(
    st.sampled_from(_PIECES),
    st.text(max_size=8),
    st.text(string.ascii_letters + string.digits + "._-@:/=", max_size=12),
)
_TEXTS = st.lists(_FRAGMENTS, max_size=14).map("".join)
_KEYS = st.one_of(
    st.sampled_from(
        ["user.id", "url.full", "url.query", "db.query.text", "http.request.header.cookie", "client.address",
         "geo.location.lat", "name", "password", "note", "exception.stacktrace", "http.route", "process.command_args",
         "gen_ai.prompt", "user.hash", "pin", "auth", "body"]
    ),
    _TEXTS,
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS, st.binary(max_size=40)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(_KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
_POLICIES = st.sampled_from(
    [
        PrivacyPolicy(),
        PrivacyPolicy(personal="pseudonym"),
        PrivacyPolicy(personal="clear"),
        PrivacyPolicy(strict=True, allow_keys=frozenset({"note", "user.*"})),
        PrivacyPolicy(content_allowed=True, scan_limit=256),
        PrivacyPolicy(patterns=(CustomPattern(name="employee", pattern=r"[a-z]{1,3}\d{2,4}"),)),
    ]
)
_MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)) and type(one) is type(other):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


@_MANY
@given(text=_TEXTS, policy=_POLICIES)
def test_text_scrubbed_twice_is_text_scrubbed_once(text: str, policy: PrivacyPolicy) -> None:
    """What left one scrubber passes the next unchanged, and nothing fails inside."""
    scrubber = Scrubber(policy)

    once = scrubber.scrub_text(text, door="log.body")

    assert scrubber.errors == 0
    assert scrubber.scrub_text(once, door="log.body") == once
    assert scrubber.errors == 0


@_MANY
@given(attributes=st.dictionaries(_KEYS, _VALUES, max_size=5), policy=_POLICIES)
def test_attributes_scrubbed_twice_are_attributes_scrubbed_once(
    attributes: dict[str, Any], policy: PrivacyPolicy
) -> None:
    """The same holds for attributes of any shape; the argument stays as it was."""
    scrubber = Scrubber(policy)
    before = copy.deepcopy(attributes)

    once = scrubber.scrub_attributes(attributes, door="span.attribute")

    assert scrubber.errors == 0
    assert _same(attributes, before)
    assert _same(scrubber.scrub_attributes(once, door="span.attribute"), once)


# Where a secret stands; `{}` is its place.
_SECRET_PLACES = [
    "password={}", "password = {}", "password: {}", "Password : {}", '"password":"{}"', '"password": "{}"', "'password': '{}'",
    "{{'db': {{'password': '{}'}}}}", '{{\\"password\\": \\"{}\\"}}', "password='{}'", 'password="{}"', "PASSWORD={};", "--password {}", "--password={}",
    "?token={}&x=1", "https://h.example/p?api_key={}", "https://user:{}@h.example/p", "postgresql://app:{}@db:5432/x", "redis://:{}@cache/0",
    "Authorization: Bearer {}", "authorization: Basic {}", "'Authorization': 'Token {}'", "X-Api-Key: {}", "Cookie: sid={}; a=b", "Set-Cookie: id={}; Path=/",
    "the password is {}", "password '{}' rejected", "wrong password \"{}\"", "Server=db;Uid=a;Pwd={};", "export DB_PASSWORD={}", "secret_key: '{}'",
    "User(name='a', password='{}')", "User{{password='{}'}}", "<password>{}</password>", '<add key="Password" value="{}"/>', "- name: DB_PASSWORD\n  value: {}",
    ":password => \"{}\"", "'password' => '{}'", "password -> {}", "client_secret={}", "accessToken: '{}'", "refresh_token={}", "mysql -u root -p{}",
    "curl -u bob:{} https://h.example", "passwort={}", "contraseña: {}", "mot_de_passe={}", "пароль={}", "密码：{}", "%22password%22%3A%22{}%22", "password%3D{}",
    "[('authorization', '{}')]", "(b'x-api-key', b'{}')", "key=password value={}",
]  # fmt: skip
_SECRETS = st.from_regex(r"[a-z][A-Za-z0-9]{3,16}[0-9][A-Za-z0-9]{1,6}", fullmatch=True)
_WORDS = st.lists(
    st.sampled_from("order shipped in 12 ms for tenant acme ok retry GET".split()), max_size=4
)


@pytest.mark.parametrize("place", _SECRET_PLACES[:-1])
@settings(max_examples=15, deadline=None)
@given(secret=_SECRETS, before=_WORDS, after=_WORDS)
def test_no_secret_is_echoed(place: str, secret: str, before: list[str], after: list[str]) -> None:
    """Whatever the secret, and whatever stands around it, none of it comes out."""
    text = " ".join([*before, place.format(secret), *after])

    for policy in (PrivacyPolicy(), PrivacyPolicy(personal="clear")):
        scrubber = Scrubber(policy)
        outputs = [
            scrubber.scrub_text(text, door="log.body"),
            str(scrubber.scrub_attributes({"note": text}, door="span.attribute")),
            str(scrubber.scrub_body({"a": [text]}, door="log.body")),
            str(scrubber.explain(text)),
        ]
        assert [secret in output for output in outputs] == [False] * 4


# Values and texts that go as a whole where persons are protected, and in which a secret may stand.
_PERSONAL_PLACES = [
    ("url.query", "q={}&page=2"), ("url.full", "https://h.example/a?q={}"), ("url.fragment", "a={}"),
    ("user.name", "{}"), ("user.email", "a@b.co {}"), ("client.address", "203.0.113.9 {}"),
    ("geo.location.lat", "52.520008 {}"), ("address", "12 High Street {}"), ("name", "John {}"),
    ("note", "name='John {}' x=1"), ("note", "address: 12 High Street {}"), ("note", "user='{}'"),
    ("note", "email=alice%40b.co%2C{}"), ("note", "/users/{}/edit"), ("note", "https://h.example/?q={}"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "place"), _PERSONAL_PLACES)
@pytest.mark.parametrize(
    "secret", ["ghp_abcdefghijklmnopqrstuvwxyz0123456789", "4111111111111111", "password=hunter2"]
)
def test_personal_values_that_may_leave_hide_no_secret(key: str, place: str, secret: str) -> None:
    """With `clear`, and under an allowed key, what looks like a person is searched for secrets."""
    value = place.format(secret)

    for policy in (PrivacyPolicy(personal="clear"), PrivacyPolicy(allow_keys=frozenset({key}))):
        clean = str(Scrubber(policy).scrub_attributes({key: value}, door="span.attribute"))
        assert secret.removeprefix("password=") not in clean, clean
