"""Keep what is personal or secret from leaving through the Sentry SDK.

The gate stands in front of the transport of every Sentry client in the process, also of one that
the application makes: what a client sends leaves clean, or not at all.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from wrapt import register_post_import_hook, wrap_function_wrapper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentry_sdk import Client
    from sentry_sdk.envelope import Envelope, Item

    from bear_otel.privacy import Scrubber

_DOOR = "sentry"

# What is JSON, and known. All else goes: attachments, replays, dumps and profiles cannot be
# judged. The protocol: https://develop.sentry.dev/sdk/foundations/envelopes/envelope-items/
_ITEMS = frozenset(
    {
        "event",
        "transaction",
        "check_in",
        "session",
        "sessions",
        "client_report",
        "log",
        "trace_metric",
        "span",
    }
)
_ITEM_HEADERS = ("type", "content_type", "item_count")
# `trace` is not among them: it repeats what may hold a person (`user_segment`, `transaction`) for
# the sampling of transactions in Sentry alone.
_ENVELOPE_HEADERS = ("event_id", "sent_at")

logger = logging.getLogger("bear_otel")


class SentryGate:
    """Scrubs envelopes. Closed until it has a scrubber."""

    def __init__(self) -> None:
        self.scrubber: Scrubber | None = None
        self._watching = False

    def open(self, scrubber: Scrubber) -> None:
        """Guard every client that there is, and all that will be.

        Args:
            scrubber: Cleans what leaves, from now on.
        """
        self.scrubber = scrubber
        if not self._watching:
            self._watching = True
            register_post_import_hook(self._watch, "sentry_sdk")

    def guard(self, client: Client) -> None:
        """Stand in front of the transport of a client, whatever transport it is."""
        for sender in (client.transport, client.spotlight):
            capture = getattr(sender, "capture_envelope", None)
            if capture is not None and not isinstance(capture, _GuardedCapture):
                # On the instance: the client, and the transport itself, call it there.
                sender.capture_envelope = _GuardedCapture(self, capture)  # type: ignore[method-assign, union-attr]

    def scrub_envelope(self, envelope: Envelope) -> Envelope | None:
        """Return what may leave of an envelope; None if that is nothing."""
        from sentry_sdk.envelope import Envelope

        items = [clean for item in envelope.items if (clean := self._scrub_item(item)) is not None]
        headers = {
            key: envelope.headers[key] for key in _ENVELOPE_HEADERS if key in envelope.headers
        }
        return Envelope(headers=headers, items=items) if items else None

    def scrub_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return a clean copy of an event, without local variables and the command line."""
        # An empty text stands for "do not look it up", as with `server_name`.
        parts = {key: value for key, value in event.items() if value != ""}
        stacked = {key: parts.pop(key) for key in ("exception", "threads") if parts.get(key)}
        if "sys.argv" in (extra := parts.get("extra") or {}):
            parts["extra"] = {key: value for key, value in extra.items() if key != "sys.argv"}
        clean = self._scrub(parts)
        for key, value in stacked.items():
            clean[key] = {"values": [self._scrub_stacked(each) for each in value["values"]]}
        return clean

    def _watch(self, sentry_sdk: Any) -> None:
        def init(wrapped: Any, client: Client, args: Any, kwargs: Any) -> None:
            wrapped(*args, **kwargs)
            self.guard(client)

        wrap_function_wrapper(sentry_sdk, "Client.__init__", init)
        self.guard(sentry_sdk.get_client())  # one that was there before
        sentry_sdk.get_global_scope().add_event_processor(_link_to_trace)

    def _scrub_item(self, item: Item) -> Item | None:
        from sentry_sdk.envelope import Item, PayloadRef

        kind = item.type
        if kind not in _ITEMS:
            return self._drop()
        payload = item.payload.json
        if payload is None:
            try:
                payload = json.loads(item.get_bytes())
            except ValueError:
                return self._drop()
        clean = self.scrub_event(payload) if kind == "event" else self._scrub(payload)
        headers = {key: item.headers[key] for key in _ITEM_HEADERS if key in item.headers}
        return Item(payload=PayloadRef(json=clean), headers=headers)

    def _drop(self) -> None:
        if self.scrubber is not None:
            self.scrubber.count("dropped", _DOOR)

    def _scrub_stacked(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Scrub an exception or a thread, frame by frame: a whole stack is too much for one."""
        rest = {key: each for key, each in value.items() if not key.endswith("stacktrace")}
        clean = self._scrub(rest)
        if stack := value.get("stacktrace"):
            clean["stacktrace"] = {"frames": [self._scrub_frame(each) for each in stack["frames"]]}
        return clean

    def _scrub_frame(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        # Local variables are raw values, and their names say too little to judge them by.
        return self._scrub({key: value for key, value in frame.items() if key != "vars"})

    def _scrub(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        if self.scrubber is None:
            raise RuntimeError("the gate is closed")
        return self.scrubber.scrub_attributes(attributes, door=_DOOR)


class _GuardedCapture:
    """A transport's `capture_envelope` with the gate in front."""

    def __init__(self, gate: SentryGate, capture: Any) -> None:
        self._gate = gate
        self._capture = capture

    def __call__(self, envelope: Envelope) -> Any:
        try:
            clean = self._gate.scrub_envelope(envelope)
        except Exception as error:  # noqa: BLE001 - fail closed: nothing leaves
            if self._gate.scrubber is not None:
                self._gate.scrubber.errors += 1
            logger.debug("an envelope for Sentry was withheld: %s", type(error).__name__)
            return None
        return None if clean is None else self._capture(clean)


def _link_to_trace(event: Any, _: Any) -> Any:
    """Give an error the ids of the OpenTelemetry span that it happened in.

    Not where the application lets Sentry trace: there the error belongs to Sentry's own spans.
    """
    import sentry_sdk

    options = sentry_sdk.get_client().options
    traced = options.get("traces_sample_rate") is not None or options.get("traces_sampler")
    context = get_current_span().get_span_context()
    if context.is_valid and not traced and event.get("type") is None:
        event.setdefault("contexts", {})["trace"] = {
            "trace_id": format_trace_id(context.trace_id),
            "span_id": format_span_id(context.span_id),
        }
    return event


# One in a process, as the class that it stands in front of.
SENTRY_GATE = SentryGate()
