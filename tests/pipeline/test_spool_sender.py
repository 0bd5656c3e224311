"""The exporter with a spool against real servers: outages, refusals, order, no needless disk."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from typing_extensions import override

from bear_otel.cli.receiver import Receiver
from bear_otel.pipeline.batch_processors import BatchingSpanProcessor
from bear_otel.pipeline.exporter import BearOtlpMetricExporter, BearOtlpSpanExporter
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.spool import SpoolOptions
from tests.pipeline.running import run_script, wait_for
from tests.pipeline.scripted_server import Reply, Request, ScriptedServer
from tests.pipeline.test_exporter import create_span, get_names, get_refused_port
from tests.pipeline.test_spool import create_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUSY = Reply(status=503, headers={"retry-after": "0"})


class ChoosingServer(ScriptedServer):
    """A server whose answers depend on the request."""

    def __init__(self, choose: Callable[[Request], Reply | None]) -> None:
        super().__init__()
        self._choose = choose

    @override
    def choose(self, request: Request) -> Reply:
        return self._choose(request) or Reply()


def create_options(directory: Path, **options: Any) -> SpoolOptions:
    """Return a spool in a directory."""
    defaults = {"max_bytes": 10_000_000, "max_age_seconds": 3600.0}
    return SpoolOptions(directory=directory, **{**defaults, **options})


@contextmanager
def running(
    url: str,
    directory: Path,
    losses: Losses | None = None,
    *,
    exporter: dict[str, Any] | None = None,
    **queue: Any,
) -> Iterator[Callable[..., None]]:
    """Run a pipeline with a spool; give what puts named spans, as a batch each, into it."""
    losses = losses or Losses()
    options = {"spool": create_options(directory), "losses": losses, **(exporter or {})}
    processor = BatchingSpanProcessor(
        BearOtlpSpanExporter(endpoint=f"{url}/v1/traces", **options),
        losses=losses,
        **{"max_export_batch_size": 1, **queue},
    )

    def put(*names: str) -> None:
        for name in names:
            processor.on_end(create_span(name))

    put.flush = processor.force_flush  # type: ignore[attr-defined]
    try:
        yield put
    finally:
        processor.shutdown()


def count_files(directory: Path) -> int:
    """Return how many bodies wait."""
    return len(list(directory.rglob("*.otlp")))


def name_batches(first: int, after: int) -> list[str]:
    """Return the names of spans."""
    return [f"span {number}" for number in range(first, after)]


def test_while_the_server_answers_no_file_is_touched(tmp_path: Path) -> None:
    """The whole cost of the spool is then a look for its directory, once a minute."""
    with ScriptedServer() as server:
        output = run_script(f"""
            import sys
            sys.path.insert(0, {str(Path.cwd())!r})
            from pathlib import Path
            from tests.pipeline.test_spool_sender import running

            with running({server.url!r}, Path({str(tmp_path / "spool")!r})) as put:
                put("first")
                assert put.flush(60_000)
                touched = []
                sys.addaudithook(
                    lambda event, arguments: touched.append((event, arguments))
                    if event.partition(".")[0] in ("open", "os", "fcntl") else None
                )
                for number in range(50):
                    put(str(number))
                    assert put.flush(60_000)
                print(touched)
        """)
        assert output == "[]\n"
        assert len(server.requests) == 51
    assert list(tmp_path.iterdir()) == []


def test_an_outage_costs_nothing_and_the_oldest_come_first(tmp_path: Path) -> None:
    """What the queue could never hold waits on disk, and goes out without being asked."""
    port, losses = get_refused_port(), Losses()
    names = name_batches(0, 40)
    with running(f"http://127.0.0.1:{port}", tmp_path, losses, max_queue_size=10) as put:
        for number in range(0, 40, 10):
            put(*names[number : number + 10])
            assert put.flush(60_000)
        assert count_files(tmp_path) == 40
        got: list[str] = []
        with Receiver(port=port, on_traces=lambda request: got.append(_get_name(request))):
            wait_for(lambda: len(got) == 40)
            wait_for(lambda: count_files(tmp_path) == 0)
    # The one that asked whether the server is back, whichever it was; then the oldest.
    asked, *rest = got
    assert rest == [name for name in names if name != asked]
    assert losses.counts() == {}


def _get_name(request: Any) -> str:
    return request.resource_spans[0].scope_spans[0].spans[0].name


def test_a_silent_server_holds_nothing_up(tmp_path: Path) -> None:
    """Half a second after it fell silent, fresh data is on disk; its late answer still counts."""
    answering = threading.Event()

    def choose(_: Request) -> None:
        assert answering.wait(60)

    with ChoosingServer(choose) as server, running(server.url, tmp_path) as put:
        start = time.monotonic()
        for name in name_batches(0, 20):
            put(name)
        wait_for(lambda: count_files(tmp_path) == 20)
        assert time.monotonic() - start < 8.0  # a request may take ten
        answering.set()
        wait_for(lambda: count_files(tmp_path) == 0)
        assert sorted(get_names(server)) == sorted(name_batches(0, 20))


def test_fresh_data_overtakes_what_waits(tmp_path: Path) -> None:
    """A long backlog delays a fresh batch by one request at most."""
    down, fifth_came, fresh_is_put = True, threading.Event(), threading.Event()

    def choose(_: Request) -> Reply | None:
        if down:
            return Reply(status=503, headers={"retry-after": "300"})
        if len(server.requests) == 5 + 2:
            fifth_came.set()
            assert fresh_is_put.wait(60)
        return None

    with ChoosingServer(choose) as server:
        with running(server.url, tmp_path) as put:
            put(*name_batches(0, 60))
            wait_for(lambda: count_files(tmp_path) == 60)
        down = False
        with running(server.url, tmp_path) as put:
            put("starts the thread")
            assert fifth_came.wait(60)
            put("fresh")
            fresh_is_put.set()
            wait_for(lambda: count_files(tmp_path) == 0)
        names = get_names(server)
    assert Counter(names[2:]) == Counter([*name_batches(0, 60), "starts the thread", "fresh"])
    assert names.index("fresh") <= 10


def test_a_refused_key_stops_the_flow_and_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One request, one message; the data waits on disk for the key to be mended."""
    losses = Losses()
    with ScriptedServer(Reply(status=401)) as server:
        with running(server.url, tmp_path, losses) as put:
            put(*name_batches(0, 20))
            wait_for(lambda: count_files(tmp_path) == 20)
            assert len(server.requests) == 1
            # The key has been mended; a flush does not wait for the next look.
            assert put.flush(60_000)
            wait_for(lambda: count_files(tmp_path) == 0)
        assert Counter(get_names(server)) == Counter(["span 0", *name_batches(0, 20)])
    assert losses.counts() == {}
    assert [message.split(";")[0] for message in caplog.messages] == [
        f"traces: {server.url} refuses the key (401)",
        "traces: flowing again after 0 s",
    ]
    assert "keeping up to 10 MB on disk; check the key in" in caplog.messages[0]


def test_a_wish_to_wait_is_respected(tmp_path: Path) -> None:
    """Nothing is sent before the time that Retry-After names, whatever comes in."""
    asked: list[float] = []

    def choose(_: Request) -> Reply | None:
        asked.append(time.monotonic())
        return Reply(status=429, headers={"retry-after": "1"}) if len(asked) == 1 else None

    with ChoosingServer(choose) as server, running(server.url, tmp_path) as put:
        put(*name_batches(0, 20))
        wait_for(lambda: len(server.requests) == 21)
    assert asked[1] - asked[0] >= 1.0
    assert Counter(get_names(server)) == Counter(["span 0", *name_batches(0, 20)])


def test_a_body_that_always_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Even if it is the oldest when the server comes back."""
    down, taken = True, []

    def choose(request: Request) -> Reply | None:
        name = _get_name(ExportTraceServiceRequest.FromString(request.body))
        if down or name == "poison":
            return BUSY
        taken.append(name)
        return None

    with ChoosingServer(choose) as server, running(server.url, tmp_path) as put:
        put("poison", *name_batches(0, 5))
        wait_for(lambda: count_files(tmp_path) == 6)
        down = False
        for name in ("fresh 1", "fresh 2"):
            put(name)
            wait_for(lambda name=name: name in taken)
        wait_for(lambda: count_files(tmp_path) == 1)
    assert sorted(taken) == sorted([*name_batches(0, 5), "fresh 1", "fresh 2"])


def test_what_is_refused_for_good_is_dropped_from_the_disk_too(tmp_path: Path) -> None:
    """It is counted, and the next one gets its turn."""
    losses = Losses()
    with ScriptedServer(BUSY, Reply(status=400)) as server:
        with running(server.url, tmp_path, losses) as put:
            put("malformed")
            wait_for(lambda: losses.counts() == {("traces", "rejected"): 1})
            wait_for(lambda: count_files(tmp_path) == 0)
            put("fine")
            wait_for(lambda: "fine" in get_names(server))
        assert get_names(server) == ["malformed", "malformed", "fine"]
    assert losses.counts() == {("traces", "rejected"): 1}


@pytest.mark.parametrize("after", ["gzip", "deflate", "none"])
@pytest.mark.parametrize("before", ["gzip", "deflate", "none"])
def test_what_waited_is_sent_as_it_was_packed(tmp_path: Path, before: str, after: str) -> None:
    """The compression may be another one after a restart."""
    down = True
    with ChoosingServer(lambda _: BUSY if down else None) as server:
        with running(server.url, tmp_path, exporter={"compression": before}) as put:
            put("old")
            wait_for(lambda: count_files(tmp_path) == 1)
        down = False
        with running(server.url, tmp_path, exporter={"compression": after}) as put:
            put("new")
            wait_for(lambda: count_files(tmp_path) == 0)
            wait_for(lambda: get_names(server)[-2:] in (["old", "new"], ["new", "old"]))
        sent = {request.headers.get("content-encoding", "none") for request in server.requests[-2:]}
    assert sent == {before, after}


def test_without_a_disk_the_queue_keeps_what_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As if there were no spool; one line says why."""
    directory = tmp_path / "a file"
    directory.touch()
    losses = Losses()
    with ScriptedServer(BUSY, BUSY, BUSY) as server:
        with running(server.url, directory, losses) as put:
            put(*name_batches(0, 10))
            wait_for(lambda: len(server.requests) == 13)
        assert list(dict.fromkeys(get_names(server))) == name_batches(0, 10)
    assert losses.counts() == {}
    assert [message for message in caplog.messages if "spool" in message] == [
        (
            f"traces: cannot use the spool: {directory} is not a folder; keeping up to 2048 spans "
            "in memory; name another folder in BEAR_OTEL_SPOOL_DIRECTORY"
        )
    ]


@pytest.mark.parametrize("hang", [True, False], ids=["silent server", "refused port"])
def test_what_is_queued_at_the_end_goes_to_disk(tmp_path: Path, hang: bool) -> None:
    """Within the deadline; the next process delivers it."""
    losses = Losses()
    names = name_batches(0, 600)
    with ScriptedServer(*[Reply(hang=True)] * 9) as server:
        url = server.url if hang else f"http://127.0.0.1:{get_refused_port()}"
        start = time.monotonic()
        queue = {"max_export_batch_size": 100, "shutdown_timeout_seconds": 20}
        with running(url, tmp_path, losses, **queue) as put:
            put(*names)
        assert time.monotonic() - start < 8.0  # a request may take ten
    assert losses.counts() == {}
    got: list[Any] = []
    port = int(url.rpartition(":")[2])
    with Receiver(port=port, on_traces=got.append), running(url, tmp_path) as put:
        put("next process")
        wait_for(lambda: count_files(tmp_path) == 0)
    spans = [span.name for each in got for span in each.resource_spans[0].scope_spans[0].spans]
    assert Counter(spans) == Counter([*names, "next process"])


def test_a_flush_takes_along_what_others_have_left(tmp_path: Path) -> None:
    """Else the last process of a service would leave it to a next one, which may never come."""
    with ScriptedServer() as server, running(server.url, tmp_path) as put:
        put("mine")
        assert put.flush(60_000)
        # An empty request, from a process that is no more.
        spool = create_spool(tmp_path, endpoint=f"{server.url}/v1/traces", service="")
        assert spool.append(b"", items=0)
        assert put.flush(60_000)
        assert (count_files(tmp_path), len(server.requests)) == (0, 2)


def test_the_end_waits_for_a_server_that_is_only_slow(tmp_path: Path) -> None:
    """What it is about to take need not wait for a next process, which may never come."""

    def choose(_: Request) -> None:
        if server.requests:
            time.sleep(0.8)  # how long this server takes

    with ChoosingServer(choose) as server:
        with running(server.url, tmp_path, shutdown_timeout_seconds=60) as put:
            put("quick")
            assert put.flush(60_000)
            put("slow")
        assert get_names(server) == ["quick", "slow"]
    assert count_files(tmp_path) == 0


def test_metrics_arrive_in_order(tmp_path: Path) -> None:
    """Some back ends refuse a point that is older than the newest; so what waits goes first."""
    down = True
    with ChoosingServer(lambda _: BUSY if down else None) as server:
        exporter = BearOtlpMetricExporter(
            endpoint=f"{server.url}/v1/metrics", spool=create_options(tmp_path)
        )
        reader = PeriodicExportingMetricReader(exporter)
        provider = MeterProvider([reader], shutdown_on_exit=False)
        counter = provider.get_meter("tests").create_counter("c")
        for _ in range(3):
            counter.add(1)
            assert provider.force_flush(60_000)
        assert count_files(tmp_path) == 3
        down = False
        asked_in_vain, pause_ends = len(server.requests), time.monotonic() + 0.1
        wait_for(lambda: time.monotonic() > pause_ends)
        counter.add(1)
        assert provider.force_flush(60_000)
        assert count_files(tmp_path) == 0
        provider.shutdown()
        values = [_get_value(request.body) for request in server.requests[asked_in_vain:]]
    assert values[:4] == [1, 2, 3, 4]


def _get_value(body: bytes) -> int:
    (group,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    return group.scope_metrics[0].metrics[0].sum.data_points[0].as_int


def test_a_forked_child_waits_and_sends_by_itself(tmp_path: Path) -> None:
    """Parent and child share the folder, and what waits there arrives once."""
    port = get_refused_port()
    got: list[str] = []
    receiver = Receiver(port=port, on_traces=lambda request: got.append(_get_name(request)))
    spool, both_wait = tmp_path / "spool", tmp_path / "both-wait"

    def listen() -> None:
        wait_for(both_wait.exists)
        receiver.__enter__()

    listening = threading.Thread(target=listen)
    listening.start()
    run_script(f"""
        import logging, os, sys
        logging.disable()
        sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from tests.pipeline.running import wait_for
        from tests.pipeline.test_spool_sender import count_files, running

        directory = Path({str(spool)!r})
        with running("http://127.0.0.1:{port}", directory) as put:
            put(*(f"parent {{n}}" for n in range(20)))
            wait_for(lambda: count_files(directory) >= 20)
            if (pid := os.fork()) == 0:
                put(*(f"child {{n}}" for n in range(20)))
                wait_for(lambda: count_files(directory) >= 40)
                Path({str(both_wait)!r}).touch()
                wait_for(lambda: count_files(directory) == 0)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            wait_for(lambda: count_files(directory) == 0)
    """)
    listening.join()
    receiver.__exit__()
    expected = [f"{who} {number}" for who in ("parent", "child") for number in range(20)]
    assert Counter(got) == Counter(expected)
