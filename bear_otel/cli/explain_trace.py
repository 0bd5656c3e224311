"""Say why a trace was kept or dropped, from its id, the settings and what has been received."""

# Most of the decision is a comparison of the trace's own random bits with a threshold
# (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/), so that it can
# be repeated at any time; the rest can be read from what was sent.

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace.span import TraceState

from bear_otel.cli.otlp_json import read_saved
from bear_otel.configuration import load_configuration
from bear_otel.environment import get_our_part, load_file
from bear_otel.pipeline.debugging import Decision
from bear_otel.pipeline.weights import (
    NEVER,
    create_threshold,
    find_randomness,
    find_threshold,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from bear_otel.settings import SamplingSettings

_ERROR = 2
"""Status code of OTLP."""

_FRAGMENT = "bear.sampling.fragment"
_FRAGMENT_MEANS = "not in the share, so other services may have dropped their part"


def explain_trace(
    trace_id: int, environ: Mapping[str, str], saved: str | None = None
) -> Iterator[str]:
    """Yield the lines that say what sampling makes of a trace, and has made of it.

    Args:
        trace_id: Of the trace.
        environ: Environment variables of the service.
        saved: File of OTLP JSON lines with what has been received, as `bear-otel tail --save`
            writes it.

    Raises:
        ConfigurationError: A setting that cannot be used.
        OSError: The file cannot be read.
        ValueError: It holds something else.
    """
    received = _load_received(trace_id, saved) if saved else {}
    config = load_file(environ)
    configuration = load_configuration(environ=environ, file=get_our_part(config))
    sampling = configuration.settings.sampling
    state = next((each for part in received.values() for each in part.states), "")
    yield f"trace {trace_id:032x}"
    if decider := _find_other_decider(sampling, config, environ):
        yield f"  {decider}"
    else:
        yield from _apply_rules(trace_id, TraceState.from_header([state]), sampling)
    if saved:
        yield from _describe_received(received, saved, sampling)


def _find_other_decider(
    sampling: SamplingSettings, config: object, environ: Mapping[str, str]
) -> str:
    """Return who decides in place of our settings, if somebody does."""
    if config is not None:
        if getattr(getattr(config, "tracer_provider", None), "sampler", None):
            return "the sampler in the file that OTEL_CONFIG_FILE names decides, not bear-otel"
    elif name := environ.get("OTEL_TRACES_SAMPLER"):
        return f"OTEL_TRACES_SAMPLER={name} decides, not bear-otel"
    if sampling.decided_by == "collector":
        return "sent like every trace; the Collector decides (sampling.decided_by)"
    if sampling.performance_sampling >= 1:
        return "kept like every trace: sampling.performance_sampling is 1"
    return ""


def _apply_rules(trace_id: int, state: TraceState, sampling: SamplingSettings) -> Iterator[str]:
    """Yield a line for each rule, and what follows."""
    random = find_randomness(trace_id, state)
    share = sampling.performance_sampling
    error_share = max(sampling.error_sampling, share)
    in_share = random >= create_threshold(share)
    in_error_share = random >= create_threshold(error_share)
    slow = f"{sampling.slow_seconds:g} s"
    yield f"  its random number, the same in every service, is {random / NEVER:.4f} of 1"
    yield (
        f"  share   {_yes(in_share)}: sampling.performance_sampling={share:g} "
        f"keeps from {1 - share:g} on"
    )
    yield (
        f"  error   {_yes(in_error_share)}, if a span of it here ended in an error: "
        f"sampling.error_sampling={error_share:g} keeps from {1 - error_share:g} on"
    )
    yield f"  slow    yes, if its part in this process took {slow} or more (sampling.slow_seconds)"
    yield "  caller  decides in place of the share, if it began in another service:"
    yield "          traceparent ends in -01 when it is kept, in -00 when not"
    yield (
        f"  limits  decided by what was known after {sampling.max_age_seconds:g} s, or earlier if "
        "bear.sampling.evictions counts"
    )
    outcomes = " or ".join(
        ["it had an error"] * in_error_share + [f"it took {slow}", "its caller has kept it"]
    )
    if in_share:
        yield "so it was kept, if it began in this service; else its caller has decided"
    else:
        yield f"so it was dropped, unless {outcomes}"
    decision = Decision(trace_id, "share" if in_share else "dropped", 0, failed=False)
    told = str(decision).partition("; spans")[0]
    yield "with BEAR_OTEL_DEBUG_ENABLED=true each process says at the end of its part what was so:"
    yield f"  {told}"


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


@dataclass(slots=True, kw_only=True)
class _Received:
    """What has arrived of a trace from one service."""

    spans: int = 0
    errors: int = 0
    longest_seconds: float = 0.0
    # Of the spans, in the order of their arrival.
    states: dict[str, None] = field(default_factory=dict)
    fragments: set[str] = field(default_factory=set)

    def add(self, span: Span) -> None:
        self.spans += 1
        self.errors += span.status.code == _ERROR
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        self.longest_seconds = max(self.longest_seconds, seconds)
        self.states[span.trace_state] = None
        self.fragments.update(
            each.value.string_value for each in span.attributes if each.key == _FRAGMENT
        )


def _load_received(trace_id: int, path: str) -> Mapping[str, _Received]:
    """Return what a file of OTLP JSON lines holds of a trace, by service."""
    wanted = trace_id.to_bytes(16, "big")
    received: defaultdict[str, _Received] = defaultdict(_Received)
    for request in read_saved(path):
        if not isinstance(request, ExportTraceServiceRequest):
            continue
        for part in request.resource_spans:
            about = {each.key: each.value.string_value for each in part.resource.attributes}
            service = about.get("service.name", "a service without a name")
            for span in (span for scope in part.scope_spans for span in scope.spans):
                if span.trace_id == wanted:
                    received[service].add(span)
    return received


def _describe_received(
    received: Mapping[str, _Received], path: str, sampling: SamplingSettings
) -> Iterator[str]:
    if not received:
        yield f"{path} has no span of it"
    for service, part in received.items():
        yield (
            f"received from {service}: {part.spans} spans, {part.errors} with an error, "
            f"the longest took {part.longest_seconds:.3f} s"
        )
        for state in part.states:
            threshold = find_threshold(TraceState.from_header([state]))
            yield f"  {_explain_weight(threshold, part, sampling)}"
        for fragment in sorted(part.fragments):
            yield f"  {_FRAGMENT}={fragment}: {_FRAGMENT_MEANS}"


def _explain_weight(threshold: int | None, part: _Received, sampling: SamplingSettings) -> str:
    """Return what the weight of some spans says about why they were kept."""
    share = sampling.performance_sampling
    if threshold is None:
        return "no ot=th: everything was sent, or its caller kept it without saying how often"
    chance = 1 - threshold / NEVER
    weight = f"ot=th:{f'{threshold:014x}'.rstrip('0') or '0'}"
    if chance == 0:
        return f"{weight}: a weight that nobody can have"
    counts = f"{weight}, each span counts {1 / chance:.4g} times"
    if threshold == create_threshold(share):
        return f"{counts}: kept, in the share"
    errors = (0, create_threshold(max(sampling.error_sampling, share)))
    if threshold in errors:
        return f"{counts}: kept for {'an error' if part.errors else 'being slow'}"
    return f"{counts}: kept by the share of another service, or by other settings than these"
