"""Three doors, one schema: precedence, origins and errors."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bear_otel.configuration import MASK, iterate_leaves, load_configuration, show
from bear_otel.settings import ConfigurationError, Settings

TIMEOUT = "lifecycle.shutdown_timeout_seconds"
TIMEOUT_VARIABLE = "BEAR_OTEL_SHUTDOWN_TIMEOUT_SECONDS"


def test_without_any_door_the_defaults_hold() -> None:
    """Nothing has an origin then."""
    configuration = load_configuration(environ={})
    assert configuration.settings == Settings()
    assert configuration.origins == {}


@pytest.mark.parametrize(
    ("doors", "value", "origin"),
    [
        ({"file": {"lifecycle": {"shutdown_timeout_seconds": 1}}}, 1, "file"),
        ({"environ": {TIMEOUT_VARIABLE: "3"}}, 3, TIMEOUT_VARIABLE),
        ({"code": {"lifecycle": {"shutdown_timeout_seconds": 4}}}, 4, "code"),
        (
            {
                "file": {"lifecycle": {"shutdown_timeout_seconds": 1}},
                "environ": {TIMEOUT_VARIABLE: "3"},
            },
            3,
            TIMEOUT_VARIABLE,
        ),
        (
            {
                "environ": {TIMEOUT_VARIABLE: "3"},
                "code": {"lifecycle": {"shutdown_timeout_seconds": 4}},
            },
            4,
            "code",
        ),
        ({"environ": {TIMEOUT_VARIABLE: " "}}, 1.5, None),
    ],
    ids=["file", "variable", "code", "variable over file", "code over variable", "empty is unset"],
)
def test_the_nearest_door_wins_and_is_named(doors: Any, value: float, origin: str | None) -> None:
    """Code over environment over file over default."""
    configuration = load_configuration(**{"environ": {}, **doors})
    assert configuration.settings.lifecycle.shutdown_timeout_seconds == value
    assert configuration.origins.get(TIMEOUT) == origin


@pytest.mark.parametrize(
    ("doors", "message"),
    [
        (
            {"environ": {TIMEOUT_VARIABLE: "soon"}},
            f"{TIMEOUT_VARIABLE}='soon' is not usable: a number of at least 0 and at most 60",
        ),
        ({"environ": {TIMEOUT_VARIABLE: "nan"}}, f"{TIMEOUT_VARIABLE}='nan' is not usable"),
        ({"environ": {TIMEOUT_VARIABLE: "-1"}}, f"{TIMEOUT_VARIABLE}='-1' is not usable"),
        (
            {"environ": {"BEAR_OTEL_BANNER_ENABLED": "maybe"}},
            "BEAR_OTEL_BANNER_ENABLED='maybe' is not usable: true or false",
        ),
        (
            {"environ": {"BEAR_OTEL_FASTAPI_INSTRUMENTATION": "both"}},
            "BEAR_OTEL_FASTAPI_INSTRUMENTATION='both' is not usable: one of auto, native, contrib",
        ),
        (
            {"code": {"privacy": {"allow_personal": True}}},
            "config.privacy.allow_personal=True is not usable: unknown; did you mean",
        ),
        (
            {"file": {"privacy": "off"}},
            "distribution.bear_otel.privacy='off' is not usable: a map of settings",
        ),
        (
            {"code": {"privacy": {"allow_keys": [1]}}},
            "privacy.allow_keys=[1] is not usable: a list of texts",
        ),
        ({"code": {"logs": {"level": ""}}}, "logs.level='' is not usable: text that is not empty"),
    ],
    ids=[
        "no number",
        "NaN",
        "too small",
        "no switch",
        "no choice",
        "unknown name",
        "no map",
        "no texts",
        "empty",
    ],
)
def test_a_bad_value_is_named_with_what_is_accepted(doors: Any, message: str) -> None:
    """The message holds the setting, the value and the accepted ones."""
    with pytest.raises(ConfigurationError) as error:
        load_configuration(**{"environ": {}, **doors})
    assert str(error.value).startswith(message)


def test_the_value_of_an_unknown_name_is_not_shown() -> None:
    """A misspelt name may carry a key."""
    with pytest.raises(ConfigurationError) as error:
        load_configuration(environ={}, code={"api_key": "s3cr3t"})
    assert "s3cr3t" not in str(error.value)
    assert MASK in str(error.value)


@pytest.mark.parametrize(
    "name", ["BEAR_OTEL_ROOT", "BEAR_OTEL_MISSING_TOLD", "BEAR_OTEL_COLLECTOR_STATE_DIR"]
)
def test_a_variable_of_our_own_is_not_misspelt(name: str) -> None:
    """A child process inherits what the launcher noted, and the Collector's settings."""
    assert load_configuration(environ={name: "true"}).unknown_variables == ()


def test_a_misspelt_variable_is_told_and_no_error() -> None:
    """Another tool may use the same prefix; a typing error must not stay silent."""
    configuration = load_configuration(environ={"BEAR_OTEL_REGIN": "eu", "BEAR_OTEL_REGION": "us"})
    assert configuration.unknown_variables == (
        "BEAR_OTEL_REGIN is not a setting; did you mean BEAR_OTEL_REGION?",
    )
    assert configuration.settings.resource.region == "us"


def test_lists_come_from_text_and_from_lists() -> None:
    """Comma separated in a variable, a list in code and file."""
    by_variable = load_configuration(environ={"BEAR_OTEL_PRIVACY_ALLOW_KEYS": "user.id, team ,"})
    by_code = load_configuration(environ={}, code={"privacy": {"allow_keys": ["user.id", "team"]}})
    assert by_variable.settings == by_code.settings
    assert by_code.settings.privacy.allow_keys == ("user.id", "team")


def test_every_setting_is_documented_and_reachable() -> None:
    """Each has a sentence, and a variable of ours ends in what it is."""
    for leaf in iterate_leaves():
        assert leaf.doc.endswith("."), leaf.name
        if leaf.env and leaf.env.startswith("BEAR_OTEL_"):
            assert leaf.env.endswith("_ENABLED") == (leaf.type is bool), leaf.env


def test_a_secret_is_masked_where_it_is_shown() -> None:
    """Whatever its value; one that is not set is shown as such."""
    leaf = next(iterate_leaves())
    secret = dataclasses.replace(leaf, secret=True)
    assert show(secret, "s3cr3t") == MASK
    assert show(secret, None) == "None"
    assert show(leaf, ("a", "b")) == "a,b"


VARIABLES = [leaf.env for leaf in iterate_leaves() if leaf.env]


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text()))
def test_any_text_gives_settings_or_a_clear_error(environ: dict[str, str]) -> None:
    """No other exception leaves."""
    with contextlib.suppress(ConfigurationError):
        load_configuration(environ=environ)
