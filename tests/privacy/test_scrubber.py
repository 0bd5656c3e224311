"""The scrubber's contract: what each door returns, whatever goes in."""

# Tables read best with one case a line.
# ruff: noqa: E501

from __future__ import annotations

import copy
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest

from bear_otel.privacy import DROPPED, CustomPattern, PrivacyPolicy, Pseudonymizer, Scrubber

MAIL = "[REDACTED:email]"


class Colour(StrEnum):
    """A text that is no plain text."""

    RED = "red"


class Level(IntEnum):
    """A number that is no plain number."""

    HIGH = 3


class Hostile:
    """An object that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("alice@example.com")


def test_text_loses_the_address_and_keeps_the_rest() -> None:
    """Only the value goes; the words around it stay, and the finding is counted by kind and door."""
    scrubber = Scrubber()

    clean = scrubber.scrub_text("login failed for alice@example.com", door="log.body")

    assert clean == f"login failed for {MAIL}"
    assert scrubber.counts == {("email", "log.body"): 1}


def test_a_repeated_value_counts_again() -> None:
    """A result that comes from a cache counts like one that does not."""
    scrubber = Scrubber()

    for _ in range(3):
        scrubber.scrub_attributes({"note": "a@b.co", "password": "x"}, door="span.attribute")

    assert scrubber.counts == {("email", "span.attribute"): 3, ("password", "span.attribute"): 3}


@pytest.mark.parametrize(
    "value",
    [True, False, 1, 0, 1.0, -2.5, 10**30, None, "1", "", (1, 2), [1.0, True], b"\xff\x00", Level.HIGH,
     datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.10"), UUID(int=7), float("inf")],
    ids=repr,
)  # fmt: skip
def test_harmless_values_keep_value_and_type(value: object) -> None:
    """1, 1.0 and True are equal and yet different; so none may come out as another."""
    scrubber = Scrubber()
    scrubber.scrub_attributes({"a": 1, "b": True, "c": 1.0}, door="span.attribute")

    clean = scrubber.scrub_attributes({"a": value, "b": value, "c": value}, door="span.attribute")

    assert [(type(v), v) for v in clean.values()] == [(type(value), value)] * 3


@pytest.mark.parametrize(
    ("key", "value", "clean"),
    [
        ("user.email", "alice@example.com", MAIL),
        ("user.id", 42, "[REDACTED:user]"),
        ("user.phone", 491512345678, "[REDACTED:phone]"),
        ("app.api_key", "anything at all", "[REDACTED:token]"),
        ("http.request.header.authorization", ["Bearer x"], ["[REDACTED:token]"]),
        ("http.request.header.x-request-id", ["7f3a"], ["7f3a"]),
        ("http.request.header.cookie", ("a=b", "c=d"), ("[REDACTED:cookie]",) * 2),
        ("client.address", "203.0.113.42", "203.0.113.0"),
        ("client.address", "2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3::"),
        ("client.address", "::ffff:203.0.113.42", "::ffff:203.0.113.0"),
        ("client.address", "127.0.0.1", "127.0.0.1"),
        ("server.address", "10.0.0.5", "10.0.0.5"),
        ("geo.location.lat", 52.520008, 52.5),
        ("geo.location.lon", "13.404954", "13.4"),
        ("geo.country.iso_code", "DE", "DE"),
        ("url.full", "https://u:p@h.example/a?q=x&page=2", "https://[REDACTED:password]@h.example/a?q=[REDACTED:query]&page=2"),
        ("url.query", "token=abc&page=2", "token=[REDACTED:token]&page=2"),
        ("url.path", "/users/42/orders/7", "/users/[REDACTED:user]/orders/7"),
        ("url.path", "/api/v1/orders/7", "/api/v1/orders/7"),
        ("url.fragment", "access_token=abc", "[REDACTED:query]"),
        ("http.route", "/users/{user_id}", "/users/{user_id}"),
        ("db.query.text", "SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a = ?"),
        ("db.query.parameter.email", "x", "[REDACTED:row]"),
        ("process.command_args", ["app", "--password", "hunter2", "-v"], ["app", "--password", "[REDACTED:password]", "-v"]),
        ("process.command_args", ["mysql", "-phunter2"], ["mysql", "-p[REDACTED:password]"]),
        ("payload", 4111111111111111, "[REDACTED:card]"),
        ("payload", 4111111111111112, 4111111111111112),
        ("http.response.body.size", 4111111111111111, 4111111111111111),
        ("gen_ai.usage.input_tokens", 512, 512),
        ("token_count", 512, 512),
        ("has_password", True, True),
        ("auth", ("svc", "hunter2"), ("[REDACTED:password]", "[REDACTED:password]")),
        ("colour", Colour.RED, "red"),
        ("raw", b"password=hunter2", b"password=[REDACTED:password]"),
    ],
)  # fmt: skip
def test_the_key_decides_how_a_value_is_read(key: str, value: object, clean: object) -> None:
    """The semantic conventions' table comes first, then the words of the key."""
    assert Scrubber().scrub_value(key, value, door="span.attribute") == clean


@pytest.mark.parametrize(
    ("system", "text", "clean"),
    [
        ("postgresql", 'SELECT "a" FROM t WHERE b = \'x\'', 'SELECT "a" FROM t WHERE b = ?'),
        ("mysql", 'SELECT `a` FROM t WHERE b = "x"', "SELECT `a` FROM t WHERE b = ?"),
        ("mysql", r"SELECT 'it\'s' FROM t", "SELECT ? FROM t"),
        ("postgresql", r"SELECT 'c:\', 'secret' FROM t", "SELECT ?, ? FROM t"),
        ("", r"SELECT 'c:\', 'secret' FROM t", "SELECT ?"),
        ("mssql", "SELECT [a] FROM [t] WHERE b = N'x'", "SELECT [a] FROM [t] WHERE b = ?"),
        ("oracle", "SELECT q'[it's]' FROM dual", "SELECT ? FROM dual"),
        ("postgresql", "SELECT $tag$x$tag$, $1", "SELECT ?, $1"),
        ("postgresql", "SELECT * FROM t WHERE a = 'cut of", "SELECT * FROM t WHERE a = ?"),
        ("redis", "SET session:1 alice EX 60", "SET ? ? ? ?"),
        ("mongodb", '{"find": "users", "filter": {"email": "x", "age": 3}}', '{"find": "users", "filter": {"email": "?", "age": ?}}'),
    ],
)  # fmt: skip
def test_the_database_of_the_same_record_decides_how_a_statement_is_read(
    system: str, text: str, clean: str
) -> None:
    """Quotes and backslashes mean what `db.system.name` says; where it says nothing, more goes."""
    attributes = {"db.query.text": text, "db.system.name": system}

    assert Scrubber().scrub_attributes(attributes, door="span.attribute") == {
        "db.query.text": clean,
        "db.system.name": system,
    }


def test_keys_are_scrubbed_too() -> None:
    """Some instrumentations put data into attribute keys."""
    clean = Scrubber().scrub_attributes({"doc:alice@example.com": 1}, door="span.attribute")

    assert clean == {"doc:[REDACTED:email]": 1}


def test_a_body_is_cleaned_at_every_depth() -> None:
    """Maps, lists and raw header pairs are followed; what a key says holds for what is under it."""
    body = {
        "user": {"id": 3, "name": "Alice", "roles": ["admin"]},
        "headers": [(b"authorization", b"Bearer x"), (b"accept", b"json")],
        "items": [{"note": "mail a@b.co"}, 3, None],
        "password": {"old": "a", "new": "b"},
    }
    before = copy.deepcopy(body)

    assert Scrubber().scrub_body(body, door="log.body") == {
        "user": {"id": "[REDACTED:user]", "name": "[REDACTED:user]", "roles": ["admin"]},
        "headers": [(b"authorization", b"[REDACTED:token]"), (b"accept", b"json")],
        "items": [{"note": f"mail {MAIL}"}, 3, None],
        "password": "[REDACTED:password]",
    }
    assert body == before


@pytest.mark.parametrize(
    ("pair", "clean"),
    [
        (["authorization", "abc"], ["authorization", "[REDACTED:token]"]),
        (["password of alice@example.com", "abc"], [f"password of {MAIL}", "abc"]),
        (["alice@example.com/password", "abc"], [f"{MAIL}/password", "[REDACTED:password]"]),
    ],
    ids=["header", "sentence", "address in a key"],
)
def test_the_first_of_two_is_clean_also_if_it_is_a_key(pair: list[str], clean: list[str]) -> None:
    """What tells about the second may be secret itself."""
    assert Scrubber().scrub_value("app.list", pair, door="span.attribute") == clean


def test_a_name_beside_personal_keys_is_a_persons() -> None:
    """`name` alone may be anything; beside an e-mail address it is a name."""
    scrubber = Scrubber()

    alone = scrubber.scrub_body({"name": "Checkout", "unit": "s"}, door="log.body")
    beside = scrubber.scrub_body({"name": "Checkout", "email": "a@b.co"}, door="log.body")

    assert alone == {"name": "Checkout", "unit": "s"}
    assert beside == {"name": "[REDACTED:name]", "email": MAIL}


def test_content_of_models_leaves_only_when_allowed_and_scrubbed_then() -> None:
    """Prompts and answers are dropped by default; the opt-in does not switch the detectors off."""
    attributes = {"gen_ai.input.messages": "I am a@b.co", "gen_ai.request.model": "m-1"}

    closed = Scrubber().scrub_attributes(attributes, door="span.attribute")
    opened = Scrubber(PrivacyPolicy(content_allowed=True)).scrub_attributes(
        attributes, door="span.attribute"
    )

    assert closed == {"gen_ai.request.model": "m-1"}
    assert opened == {"gen_ai.input.messages": f"I am {MAIL}", "gen_ai.request.model": "m-1"}


def test_a_secret_inside_of_personal_data_never_leaves() -> None:
    """Personal data may be allowed; a token in the middle of it is none."""
    token = "ghp_" + "c4nary" * 6
    scrubber = Scrubber(PrivacyPolicy(personal="clear"))
    values = {"url.query": f"note={token}&page=2", "user.full_name": f"Ada {token}"}
    clean = scrubber.scrub_attributes(values, door="span.attribute")
    assert clean["url.query"] == "note=[REDACTED:token]&page=2"
    assert token not in clean["user.full_name"]


def test_secrets_stay_in_when_personal_data_may_leave() -> None:
    """`clear` opens the door for persons, never for credentials, cards or statement literals."""
    scrubber = Scrubber(PrivacyPolicy(personal="clear"))

    clean = scrubber.scrub_attributes(
        {
            "user.email": "a@b.co",
            "note": "a@b.co from 203.0.113.9 paid with 4111 1111 1111 1111, password=x",
            "url.query": "q=shoes&token=abc",
            "db.query.text": "SELECT 'a@b.co'",
        },
        door="span.attribute",
    )

    assert clean == {
        "user.email": "a@b.co",
        "note": "a@b.co from 203.0.113.9 paid with [REDACTED:card], password=[REDACTED:password]",
        "url.query": "q=shoes&token=[REDACTED:token]",
        "db.query.text": "SELECT ?",
    }


def test_pseudonyms_join_across_doors_and_keep_kinds_apart() -> None:
    """One person has one pseudonym under a key and in a text; what has none becomes a marker."""
    scrubber = Scrubber(PrivacyPolicy(personal="pseudonym"), Pseudonymizer())

    clean = scrubber.scrub_attributes(
        {"user.email": "a@b.co", "user.id": "a@b.co", "note": "A@B.co, 203.0.113.9", "dob": "x"},
        door="span.attribute",
    )

    email = clean["user.email"]
    assert email.startswith("ps1.")
    assert clean["note"] == f"{email}, 203.0.113.0"
    assert clean["user.id"].startswith("ps1.")
    assert clean["user.id"] != email
    assert clean["dob"] == "[REDACTED:birthdate]"


def test_lists_of_keys_open_and_close_single_doors() -> None:
    """An allowed key lets personal data through, not secrets; a denied key is not written."""
    policy = PrivacyPolicy(
        allow_keys=frozenset({"user.email", "app.*"}), deny_keys=frozenset({"http.route", "x.*"})
    )

    clean = Scrubber(policy).scrub_attributes(
        {
            "user.email": "a@b.co",
            "app.note": "a@b.co, token=abcdef",
            "app.password": "x",
            "http.route": "/",
            "x.y": 1,
            "z": "a@b.co",
        },
        door="span.attribute",
    )

    assert clean == {
        "user.email": "a@b.co",
        "app.note": "a@b.co, token=[REDACTED:token]",
        "app.password": "[REDACTED:password]",
        "z": MAIL,
    }


def test_strict_mode_writes_known_keys_only() -> None:
    """Known are the semantic conventions' keys and those that are allowed."""
    policy = PrivacyPolicy(strict=True, allow_keys=frozenset({"app.tenant"}))

    clean = Scrubber(policy).scrub_attributes(
        {"http.request.method": "GET", "app.tenant": "acme", "foo": 1}, door="span.attribute"
    )

    assert clean == {"http.request.method": "GET", "app.tenant": "acme"}
    assert Scrubber(policy).scrub_value("foo", 1, door="span.attribute") is DROPPED


def test_own_patterns_fire_everywhere() -> None:
    """A pattern of the user's holds for texts and for values under any key."""
    policy = PrivacyPolicy(patterns=(CustomPattern(name="employee", pattern=r"EMP-\d+"),))
    scrubber = Scrubber(policy)

    assert scrubber.scrub_text("by EMP-42", door="log.body") == "by [REDACTED:custom]"
    assert scrubber.scrub_value("http.route", "/EMP-42", door="d") == "/[REDACTED:custom]"
    assert scrubber.explain("by EMP-42")[0].rule == "own pattern: employee"


def test_what_cannot_be_judged_goes_as_a_whole() -> None:
    """An error inside becomes a marker and a count; its text is shown nowhere."""
    scrubber = Scrubber()

    clean = scrubber.scrub_value("note", Hostile(), door="span.attribute")

    assert clean == "[REDACTED:error]"
    assert (scrubber.errors, scrubber.counts) == (1, {("error", "span.attribute"): 1})


def test_one_broken_value_leaves_the_others() -> None:
    """Attributes beside a value that cannot be judged are still written."""
    clean = Scrubber().scrub_attributes(
        {"a": 1, "note": Hostile(), "b": "a@b.co"}, door="span.attribute"
    )

    assert clean == {"a": 1, "note": "[REDACTED:error]", "b": MAIL}


def test_values_that_refer_to_themselves_end() -> None:
    """A cycle or a bomb is followed for so long and then cut."""
    cycle: dict[str, Any] = {"note": "a@b.co"}
    cycle["self"] = cycle
    cycle["both"] = [cycle, cycle]
    bomb: list[Any] = ["a@b.co"]
    for _ in range(64):
        bomb = [bomb, bomb]

    for value in (cycle, bomb):
        shown = str(Scrubber().scrub_body(value, door="log.body"))
        assert "a@b.co" not in shown
        assert len(shown) < 2_000_000


@pytest.mark.parametrize(
    "piece", ["a", "1", "a@b.co ", "password=x,", "{[(", "'\"\\", "SELECT '", "\ud800"]
)
def test_a_megabyte_leaves_as_at_most_the_scan_limit(piece: str) -> None:
    """What is not looked at does not leave."""
    policy = PrivacyPolicy()
    text = piece * (1_000_000 // len(piece)) + " alice@example.com"

    clean = Scrubber(policy).scrub_text(text, door="log.body")

    assert len(clean) <= policy.scan_limit
    assert clean.endswith("[REDACTED:cut]")


def test_invalid_bytes_stay_as_they_are() -> None:
    """Bytes that are no text come out unchanged, and the text between them is still searched."""
    scrubber = Scrubber()

    assert scrubber.scrub_body(b"\xff\xfe\x00ok", door="log.body") == b"\xff\xfe\x00ok"
    assert (
        scrubber.scrub_body(b"\xff a@b.co \xfe", door="log.body") == b"\xff [REDACTED:email] \xfe"
    )


def test_other_mappings_become_plain_ones() -> None:
    """Any mapping is read; a plain dict comes out."""
    clean = Scrubber().scrub_body(OrderedDict(a=OrderedDict(password="x")), door="log.body")

    assert clean == {"a": {"password": "[REDACTED:password]"}}


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_attributes_are_no_attributes(nothing: dict[str, object] | None) -> None:
    """Nothing in, nothing out."""
    assert Scrubber().scrub_attributes(nothing, door="span.attribute") == {}


def test_tracestate_and_baggage_lose_whole_members() -> None:
    """A header is read by machines: what would need a marker is left out."""
    scrubber = Scrubber()

    assert scrubber.scrub_tracestate("ot=th:8,vendor=a@b.co,x=1") == "ot=th:8,x=1"
    assert scrubber.scrub_baggage({"tenant": "acme", "user.id": "42", "n": "a@b.co"}) == {
        "tenant": "acme"
    }


def test_explaining_shows_rule_kind_and_place_only() -> None:
    """An explanation can be printed: it holds nothing of the value."""
    scrubber = Scrubber()

    text = scrubber.explain("mail a@b.co")
    key = scrubber.explain("x", key="user.email")
    dropped = scrubber.explain("hello", key="gen_ai.prompt")

    assert text == [("e-mail address", "email", 5, 11)]
    assert key == [("semantic conventions", "email", 0, 1)]
    assert dropped == [("semantic conventions", "dropped", 0, 5)]
    assert scrubber.explain("order 7 shipped") == []


def test_counts_are_bounded() -> None:
    """Doors are plain strings, so a caller could make them up without end."""
    scrubber = Scrubber()

    for number in range(5_000):
        scrubber.scrub_text("a@b.co", door=f"door {number}")

    assert len(scrubber.counts) == 1024
