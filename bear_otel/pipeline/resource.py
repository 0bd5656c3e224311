"""A resource that stays clean: also when the SDK merges into it after a fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.privacy import Scrubber

# Identity that every back end groups by: a service is not a person, whatever its name looks like.
_IDENTITY = frozenset({"service.instance.id", "telemetry.sdk.version", "telemetry.distro.version"})


class CleanResource(Resource):
    """A resource whose attributes have passed the scrubber.

    The providers call `merge` in a forked child to put in what describes the new process
    (`service.instance.id`, and the owner and path of the process where a detector is switched
    on). A plain resource would bring back what had been scrubbed.
    """

    def __init__(self, raw: Resource, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        super().__init__(_scrub(raw.attributes, scrubber), raw.schema_url)

    @override
    def merge(self, other: Resource) -> Resource:
        return CleanResource(super().merge(other), self._scrubber)


def create_resource(attributes: Mapping[str, str], scrubber: Scrubber) -> CleanResource:
    """Return the clean resource of this process.

    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the detectors named in
    `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS` come first, then `attributes`.
    """
    return CleanResource(Resource.create(dict(attributes)), scrubber)


def _scrub(attributes: Mapping[str, object], scrubber: Scrubber) -> dict:
    clean = scrubber.scrub_attributes(attributes, door="resource")
    return clean | {key: attributes[key] for key in _IDENTITY & attributes.keys()}
