"""Send one span, one metric and one log record all the way, through the real pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber

from bear_otel.cli.doctor.finding import Finding, ok, problem
from bear_otel.environment import SIGNALS, silence
from bear_otel.pipeline.canary import CanaryError
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.providers import Providers, create_providers
from bear_otel.pipeline.resource import create_resource
from bear_otel.privacy import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.pipeline.losses import Signal
    from bear_otel.pipeline.providers import Plan

_SCOPE = "bear_otel.doctor"
_TIMEOUT_SECONDS = 5.0


def check_round_trip(plan: Plan) -> Iterator[Finding]:
    """Emit through the pipeline that a service would have, and count what does not arrive.

    The privacy check of the start runs here, too: a planted secret that came out would be told.
    """
    losses = Losses()
    try:
        resource = create_resource({"service.name": "bear-otel-doctor"}, Scrubber())
        # Without a spool: what does not arrive now is not to arrive later.
        providers = create_providers(replace(plan, spool=None), resource, Scrubber(), losses)
    except CanaryError as error:
        yield problem("privacy", str(error), "pip install 'opentelemetry-sdk~=1.45'")
        return
    yield ok("privacy", "a planted secret did not come out of any provider")
    with silence("bear_otel"):
        arrived = _send(providers)
    lost = {signal for signal, _ in losses.counts()}
    for signal in SIGNALS:
        place = providers.destinations[signal]
        if place == "nowhere":
            continue
        if arrived[signal] and signal not in lost:
            yield ok("round trip", f"one of {signal} arrived at {place}")
        else:
            mend = f"see the endpoint of {signal} above"
            yield problem("round trip", f"{signal} did not arrive at {place}", mend)


def _send(providers: Providers) -> dict[Signal, bool]:
    """Emit one of each signal; return which were taken."""
    _emit(providers)
    milliseconds = int(_TIMEOUT_SECONDS * 1000)
    taken: dict[Signal, bool] = {
        "traces": providers.tracer.force_flush(milliseconds),
        "metrics": providers.meter.force_flush(milliseconds),
        "logs": providers.logger.force_flush(milliseconds),
    }
    for provider in (providers.tracer, providers.meter, providers.logger):
        provider.shutdown()
    return taken


def _emit(providers: Providers) -> None:
    with providers.tracer.get_tracer(_SCOPE).start_as_current_span("bear-otel doctor"):
        logger = providers.logger.get_logger(_SCOPE)
        logger.emit(
            severity_number=SeverityNumber.INFO, severity_text="INFO", body="bear-otel doctor"
        )
    providers.meter.get_meter(_SCOPE).create_counter("bear.doctor.calls").add(1)
