"""Keys: the table against the semantic conventions, then the word rules."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import pytest

from bear_otel.privacy.keys import classify
from bear_otel.privacy.keytable import EXACT, KEPT, NAMESPACES


def _constants(package: str) -> set[str]:
    """Return the values of all attribute constants below a package."""
    found: set[str] = set()
    parent = importlib.import_module(package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some modules are deprecated, and still in use
        for module in pkgutil.iter_modules(parent.__path__):
            values = vars(importlib.import_module(f"{package}.{module.name}"))
            found |= {v for k, v in values.items() if k.isupper() and isinstance(v, str)}
    return found


_CONVENTIONS = _constants("opentelemetry.semconv.attributes") | _constants(
    "opentelemetry.semconv._incubating.attributes"
)
# Keys that instrumentations wrote before the conventions had a name, and keys of ours.
_OLDER = {"http.url", "http.target"}


def test_every_key_in_the_table_is_one_of_the_conventions() -> None:
    """A key that was renamed upstream must not go on being protected under its old name only."""
    unknown = set(EXACT) - _CONVENTIONS - _OLDER

    assert unknown == set()


def test_every_kept_key_is_one_of_the_conventions_or_begins_one() -> None:
    """The same holds for what is let through."""
    exact = {key for key in KEPT if not key.endswith(".")}
    beginnings = {key for key in KEPT if key.endswith(".")}
    known_roots = {key.partition(".")[0] for key in _CONVENTIONS}

    assert exact - _CONVENTIONS - {"pool", "state"} == set()
    assert {b for b in beginnings if not any(k.startswith(b) for k in _CONVENTIONS)} <= {
        f"{root}." for root in NAMESPACES - known_roots
    }


def test_every_convention_is_known_in_strict_mode() -> None:
    """Strict mode drops unknown keys; none of these may be among them."""
    assert {key for key in _CONVENTIONS if not classify(key).known} == set()


# Keys that the conventions themselves mark as sensitive, or as content.
_SENSITIVE = [
    "user.email", "user.id", "user.name", "user.full_name", "user.hash", "enduser.id",
    "enduser.pseudo.id", "session.id", "session.previous_id", "device.id", "client.address",
    "source.address", "url.full", "url.path", "url.query", "url.fragment", "db.query.text",
    "db.statement", "process.command_line", "process.command_args", "process.owner",
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.definitions",
    "geo.location.lat", "geo.location.lon", "geo.postal_code", "host.mac",
    "messaging.kafka.message.key", "feature_flag.result.value", "exception.message",
    "exception.stacktrace", "graphql.document",
]  # fmt: skip


@pytest.mark.parametrize("key", _SENSITIVE)
def test_sensitive_conventions_are_not_kept(key: str) -> None:
    """Each has a class of its own, or is searched for everything."""
    assert classify(key).cls != "keep"


@pytest.mark.parametrize(
    ("key", "cls", "kind"),
    [
        ("password", "secret", "password"),
        ("db_password", "secret", "password"),
        ("userPassword2", "secret", "password"),
        ("password_hash", "secret", "password"),
        ("PASSWORD", "secret", "password"),
        ("x-api-key", "secret", "token"),
        ("accessToken", "secret", "token"),
        ("AWS_SECRET_ACCESS_KEY", "secret", "token"),
        ("contraseña", "secret", "password"),
        ("Пароль", "secret", "password"),
        ("用户密码", "secret", "password"),
        ("customer.first_name", "personal", "name"),
        ("dateOfBirth", "personal", "birthdate"),
        ("Mobile-Number", "personal", "phone"),
        ("téléphone", "personal", "phone"),
        ("home_address", "personal", "address"),
        ("ssn", "personal", "id"),
        ("X-Forwarded-For", "ip", "ip"),
        ("latitude", "geo", "geo"),
        ("http.request.header.set-cookie", "secret", "cookie"),
        ("http.request.header.x_api_key", "secret", "token"),
        ("http.request.header.DPoP", "secret", "token"),
        ("http.request.header.x_ssl_client_cert", "secret", "token"),
        ("http.request.header.sec_websocket_protocol", "likely", "token"),
        ("http.request.header.from", "personal", "email"),
        ("http.request.header.x_forwarded_proto", "scan", ""),
        ("http.request.header.x_forwarded_host", "scan", ""),
        ("rpc.grpc.request.metadata.authorization", "secret", "token"),
        ("gen_ai.prompt.0.content", "content", ""),
        ("llm.prompts", "content", ""),
        ("gen_ai.prompt.0.role", "scan", ""),
        ("gen_ai.usage.input_tokens", "keep", ""),
        ("gen_ai.evaluation.score.value", "keep", ""),
        ("k8s.pod.name", "keep", ""),
        ("k8s.pod.annotation.note", "scan", ""),
        ("k8s.pod.label.password", "secret", "password"),
        ("author", "scan", ""),
        ("keyboard", "scan", ""),
        ("token_count", "scan", ""),
        ("token_type", "scan", ""),
        ("password_length", "scan", ""),
        ("session.duration", "scan", ""),
        ("has_password_policy", "scan", ""),
        ("email_template", "scan", ""),
        ("passenger_count", "scan", ""),
        ("public_key", "scan", ""),
    ],
)
def test_words_of_a_key_decide(key: str, cls: str, kind: str) -> None:
    """The last words count: `count_token` is a token, `token_count` a count."""
    rule = classify(key)

    assert (rule.cls, rule.kind) == (cls, kind)
