"""The scrubber's contract: what each door returns, whatever goes in."""

from __future__ import annotations

from bear_otel.privacy import Scrubber


def test_text_loses_the_address_and_keeps_the_rest() -> None:
    """Only the value goes; the words around it stay."""
    scrubber = Scrubber()

    clean = scrubber.scrub_text("login failed for alice@example.com", door="log.body")

    assert clean == "login failed for [REDACTED:email]"
    assert scrubber.counts == {("email", "log.body"): 1}


def test_attributes_keep_their_types() -> None:
    """1, 1.0 and True are different values, although they are equal."""
    attributes = {"a": True, "b": 1, "c": 1.0, "d": "1"}

    clean = Scrubber().scrub_attributes(attributes, door="span.attribute")

    assert [(key, type(value), value) for key, value in clean.items()] == [
        (key, type(value), value) for key, value in attributes.items()
    ]
