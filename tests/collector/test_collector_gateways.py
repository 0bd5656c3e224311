"""Two tiers: every kept trace is whole, whichever gateway its spans came to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from collector_harness import Collector, wait_until
from collector_sink import QUICK, Sink, to_sink
from collector_traffic import log_request, metrics_of, spans_of, sum_request, trace_request

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"
SAMPLED = {"BEAR_OTEL_SAMPLING_DECIDED_BY": "collector", f"{P}SAMPLING_WAIT_SECONDS": "10"}


def _gateway(collector: Callable[..., Collector], sink: Sink, **more: str) -> Collector:
    return collector(
        "--role=gateway",
        environment={f"{P}OTLP_URL": "http://x"} | more,
        config={"exporters": to_sink("otlp_http/otlp", sink)},
    )


def _agent(collector: Callable[..., Collector], *gateways: Collector, **more: str) -> Collector:
    addresses = [f"127.0.0.1:{gateway.grpc}" for gateway in gateways]
    plain = {f"{P}GATEWAY": addresses[0], f"{P}GATEWAY_INSECURE_ENABLED": "true"}
    exporters: dict[str, Any] = {"otlp_grpc/gateway": QUICK}
    if len(addresses) > 1:
        plain[f"{P}GATEWAYS"] = ",".join(addresses)
        exporters["load_balancing/gateways"] = {"protocol": {"otlp": QUICK}}
    return collector("--role=agent", environment=plain | more, config={"exporters": exporters})


def _traces(sink: Sink) -> dict[bytes, set[bytes]]:
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for message in sink.accepted("traces"):
        for span in spans_of(message):
            found[span.trace_id].add(span.span_id)
    return found


def test_two_agents_and_two_gateways_keep_traces_whole(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """All errors, all slow ones, a tenth of the rest, each with the spans of both services."""
    sinks = (sink(), sink())
    gateways = [_gateway(collector, one, **SAMPLED) for one in sinks]
    agents = [_agent(collector, *gateways) for _ in range(2)]
    sent: dict[str, dict[bytes, set[bytes]]] = {}
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        "error": (100, {"error": True}),
        "slow": (100, {"milliseconds": 1500}),
        "rest": (2000, {}),
    }
    for kind, (count, options) in kinds.items():
        ids = [os.urandom(16) for _ in range(count)]
        sent[kind] = {trace_id: set() for trace_id in ids}
        for start in range(0, count, 200):
            # One service's part is remarkable, the other's is not; each has its own agent.
            for agent, what in zip(agents, (options, {}), strict=True):
                request = trace_request(ids[start : start + 200], spans=2, **what)
                assert agent.send(request) == 200
                for span in spans_of(request):
                    sent[kind][span.trace_id].add(span.span_id)
    remarkable = sent["error"].keys() | sent["slow"].keys()
    wait_until(
        lambda: remarkable <= _traces(sinks[0]).keys() | _traces(sinks[1]).keys(),
        what="all errors and all slow traces",
    )
    everything = sent["error"] | sent["slow"] | sent["rest"]
    name = "otelcol_processor_tail_sampling_global_count_traces_sampled"

    def count(**labels: str) -> float:
        return sum(gateway.metric(name, **labels) for gateway in gateways)

    wait_until(lambda: count() >= len(everything), what="a decision for every trace")
    spans = 2 * len(agents) * count(decision="sampled")
    wait_until(lambda: sum(len(one.span_ids()) for one in sinks) >= spans, what="all kept spans")
    first, second = (_traces(one) for one in sinks)
    kept = first | second
    assert count(decision="sampled") == len(kept)
    assert first.keys() & second.keys() == set()
    assert {t: spans for t, spans in kept.items() if spans != everything[t]} == {}
    share = len(kept.keys() & sent["rest"].keys())
    # 10 % of 2,000; four standard deviations are 54.
    assert 146 <= share <= 254
    assert min(len(first), len(second)) > len(kept) / 4
    early = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early"
    assert sum(gateway.metric(early) for gateway in gateways) == 0


def test_without_collector_sampling_everything_passes(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """The opposite: the application decides by default, so nothing is sampled twice."""
    back_end = sink()
    gateway = _gateway(collector, back_end)
    agent = _agent(collector, gateway)
    request = trace_request(os.urandom(16) for _ in range(100))
    assert agent.send(request) == 200
    sent = Counter(span.span_id for span in spans_of(request))
    wait_until(lambda: back_end.span_ids() == sent, what="all spans")


def test_the_series_of_one_agent_stay_with_one_gateway(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """Delta conversion needs every point of a series; the spread is for traces only."""
    sinks = (sink(), sink())
    agent = _agent(collector, *(_gateway(collector, one) for one in sinks))
    start = time.time_ns()
    for value in range(1, 21):
        assert agent.send(sum_request("shop.orders", value, start)) == 200
    assert agent.send(log_request([f"record {n}" for n in range(50)])) == 200

    points = [0, 0]
    logs = [0, 0]

    def count() -> bool:
        for n, one in enumerate(sinks):
            sums = [m.sum for request in one.accepted("metrics") for m in metrics_of(request)]
            points[n] = sum(len(each.data_points) for each in sums)
            logs[n] = len(one.log_ids())
        return (sum(points), sum(logs)) == (20, 50)

    wait_until(count, what="all points and records")
    assert (points, logs) == ([20, 0], [50, 0])


def test_a_gateway_that_is_down_loses_nothing_though_the_agent_is_killed(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """The queue of each gateway is on the agent's disk."""
    back_end = sink()
    gateway = _gateway(collector, back_end)
    agent = _agent(collector, gateway)
    gateway.stop()
    request = trace_request(os.urandom(16) for _ in range(100))
    assert agent.send(request) == 200
    agent.stop(signal.SIGKILL)
    agent.start()
    gateway.start()
    sent = {span.span_id for span in spans_of(request)}
    wait_until(lambda: back_end.span_ids().keys() == sent, what="all spans")


def test_a_full_queue_in_memory_is_refused_to_the_application(binary: Path, tmp_path: Path) -> None:
    """With gateways that are down the agent says no, so that the application keeps its spans."""
    small = {"queue_size": 300_000, "batch": {"min_size": 1000, "max_size": 100_000}}
    addresses = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    agent = Collector(
        directory=tmp_path / "agent",
        arguments=("--role=agent",),
        environment={
            f"{P}GATEWAY": f"127.0.0.1:{free_port()}",
            f"{P}GATEWAYS": addresses,
            f"{P}GATEWAY_INSECURE_ENABLED": "true",
        },
        config={
            "exporters": {
                "load_balancing/gateways": {"protocol": {"otlp": {"sending_queue": small}}}
            }
        },
    )
    with agent:
        statuses = [agent.send(trace_request(os.urandom(16) for _ in range(50))) for _ in range(60)]
    assert (statuses[0], statuses[-1]) == (200, 503)


@pytest.mark.parametrize(
    ("how", "arrives"), [(signal.SIGTERM, True), (signal.SIGKILL, False)], ids=["stop", "kill -9"]
)
def test_what_waits_for_a_decision(
    collector: Callable[..., Collector],
    sink: Callable[[], Sink],
    how: signal.Signals,
    arrives: bool,
) -> None:
    """A stop decides at once; a kill loses the traces in memory, which the documentation says."""
    back_end = sink()
    gateway = _gateway(collector, back_end, **SAMPLED)
    request = trace_request((os.urandom(16) for _ in range(50)), error=True)
    assert gateway.send(request) == 200
    name = "otelcol_processor_tail_sampling_new_trace_id_received"
    wait_until(lambda: gateway.metric(name) == 50, what="the traces")
    gateway.stop(how)
    gateway.start()
    # What is sent now is decided after all that could still come from before.
    later = trace_request([os.urandom(16)], spans=1, error=True)
    assert gateway.send(later) == 200
    marker = spans_of(later)[0].span_id
    wait_until(lambda: marker in back_end.span_ids(), what="the trace sent later")
    sent = {span.span_id for span in spans_of(request)}
    assert back_end.span_ids().keys() & sent == (sent if arrives else set())


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Return the paths of an authority, and of a certificate for 127.0.0.1 that it signed."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    path = {name: str(tmp_path / name) for name in ("ca", "ca-key", "cert", "key", "request")}
    extension = tmp_path / "extension"
    extension.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    authority = [*new, "-x509", "-subj", "/CN=ca", "-keyout", path["ca-key"], "-out", path["ca"]]
    request = [*new, "-subj", "/CN=node", "-keyout", path["key"], "-out", path["request"]]
    sign = ["openssl", "x509", "-req", "-CA", path["ca"], "-CAkey", path["ca-key"]]
    sign += ["-CAcreateserial", "-extfile", extension, "-in", path["request"], "-out", path["cert"]]
    for command in (authority, request, sign):
        subprocess.run(command, check=True, capture_output=True)
    return path


def test_tiers_with_certificates_and_a_token(
    collector: Callable[..., Collector],
    sink: Callable[[], Sink],
    certificates: dict[str, str],
    tmp_path: Path,
) -> None:
    """Mutual TLS and the right token pass; an agent without a certificate delivers nothing."""
    tokens = tmp_path / "tokens"
    tokens.write_text("right\n")
    back_end = sink()
    gateway = _gateway(
        collector,
        back_end,
        **{
            f"{P}TOKENS_FILE": str(tokens),
            f"{P}TLS_CERT_FILE": certificates["cert"],
            f"{P}TLS_KEY_FILE": certificates["key"],
            f"{P}TLS_CLIENT_CA_FILE": certificates["ca"],
        },
    )
    stranger = {
        f"{P}GATEWAY_INSECURE_ENABLED": "false",
        f"{P}GATEWAY_CA_FILE": certificates["ca"],
        f"{P}GATEWAY_TOKEN": "right",
    }
    known = stranger | {
        f"{P}GATEWAY_CERT_FILE": certificates["cert"],
        f"{P}GATEWAY_KEY_FILE": certificates["key"],
    }
    assert _agent(collector, gateway, **stranger).send(log_request(["stranger"])) == 200
    assert _agent(collector, gateway, **known).send(log_request(["known"])) == 200
    wait_until(lambda: back_end.log_ids() == {"known": 1}, what="the record of the known agent")
