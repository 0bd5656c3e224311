"""The resource is clean, and stays so when the SDK merges into it after a fork."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource

from bear_otel.pipeline.resource import CleanResource, create_resource
from bear_otel.privacy import Scrubber

OWNER = {"process.owner": "ada", "process.command_args": ["--db-password", "hunter2"]}


def test_identity_is_kept_and_people_are_not() -> None:
    """Service, version and instance say who speaks; the owner of the process does not leave."""
    resource = create_resource({"service.version": "1.2.3", "service.name": "shop"}, Scrubber())
    assert resource.attributes["service.name"] == "shop"
    assert resource.attributes["service.version"] == "1.2.3"
    assert resource.attributes["telemetry.sdk.language"] == "python"
    raw = Resource({**OWNER, "service.instance.id": "0f9c1a8e-2f62-4a5c-9a67-0d5b8a5f4c21"})
    clean = CleanResource(raw, Scrubber())
    assert clean.attributes["service.instance.id"] == raw.attributes["service.instance.id"]
    assert "ada" not in clean.to_json()
    assert "hunter2" not in clean.to_json()


def test_a_merge_brings_nothing_raw_back() -> None:
    """In a forked child, the SDK detects the process anew and merges the result."""
    clean = create_resource({"service.name": "shop"}, Scrubber())
    merged = clean.merge(Resource({**OWNER, "process.pid": 42}))
    assert isinstance(merged, CleanResource)
    assert "hunter2" not in merged.to_json()
    assert merged.attributes["process.pid"] == 42
    assert merged.attributes["service.name"] == "shop"
