"""Let only what is known to be harmless travel to other services in request headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import baggage
from opentelemetry.context import get_current
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context
from typing_extensions import override

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from bear_otel.pipeline.cleaning import Cleaner


class ScrubbingPropagator(TextMapPropagator):
    """Cleans what a propagator writes into outgoing requests; reading stays as it was.

    Baggage goes to every host that the service talks to, third parties included, and holds
    whatever a caller put into it: only listed keys pass, and their values are scrubbed. The
    trace state of other vendors has to be handed on; its values are scrubbed.

    Args:
        inner: The propagator that OpenTelemetry is configured with.
        cleaner: Cleans trace state and baggage.
        baggage_keys: Baggage keys that may leave.
    """

    def __init__(
        self, inner: TextMapPropagator, cleaner: Cleaner, baggage_keys: frozenset[str]
    ) -> None:
        self._inner = inner
        self._cleaner = cleaner
        self._baggage_keys = baggage_keys

    @override
    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        return self._inner.extract(carrier, context, getter)

    @override
    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        try:
            clean = self._clean(get_current() if context is None else context)
        except Exception:  # noqa: BLE001 - fail closed: no header rather than a raw one
            self._cleaner.scrubber.errors += 1
            return
        self._inner.inject(carrier, clean, setter)

    @property
    @override
    def fields(self) -> set[str]:
        return self._inner.fields

    def _clean(self, context: Context) -> Context:
        carried = baggage.get_all(context)
        if carried:
            allowed = {key: carried[key] for key in self._baggage_keys & carried.keys()}
            context = baggage.clear(context)
            for key, value in self._scrub_baggage(allowed).items():
                context = baggage.set_baggage(key, value, context)
        span_context = get_current_span(context).get_span_context()
        clean = self._cleaner.clean_context(span_context)
        if clean is not span_context and clean is not None:
            context = set_span_in_context(NonRecordingSpan(clean), context)
        return context

    def _scrub_baggage(self, allowed: dict[str, object]) -> dict[str, Any]:
        return self._cleaner.scrubber.scrub_baggage(allowed) if allowed else {}
