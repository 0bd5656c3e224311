"""Faults, counted by id: what arrives, what is lost, and that each loss is counted."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import pytest
import yaml
from collector_harness import Collector, wait_until
from collector_sink import Sink, to_sink
from collector_traffic import log_request, spans_of, trace_request

from bear_otel.cli.collector_files import load_files
from bear_otel.cli.files import find_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"
TWO = {"DD_API_KEY": "dd-key", "NEW_RELIC_LICENSE_KEY": "nr-key"}
OUTAGE_SECONDS = float(os.environ.get("BEAR_OTEL_TEST_OUTAGE_SECONDS", "4"))


def _two(datadog: Sink, newrelic: Sink) -> dict[str, Any]:
    return {
        "exporters": {
            **to_sink("otlp_http/datadog", datadog, metrics_endpoint=f"{datadog.url}/m"),
            **to_sink("otlp_http/newrelic", newrelic),
        }
    }


class Load:
    """A steady stream of traces; an id counts as sent when the Collector has accepted it."""

    def __init__(self, collector: Collector, *, per_second: int = 20) -> None:
        self.collector = collector
        self.pause = 1 / per_second
        self.sent: Counter[bytes] = Counter()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._end.wait(self.pause):
            request = trace_request(os.urandom(16) for _ in range(5))
            if self.collector.send(request) == 200:
                self.sent.update(span.span_id for span in spans_of(request))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def test_a_back_end_that_is_down_loses_nothing_and_delays_nobody(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """After the outage all ids are there once; the other back end had them while it lasted."""
    healthy, failing = sink(), sink()
    one = collector(environment=TWO, config=_two(healthy, failing))
    with Load(one) as load:
        wait_until(lambda: len(failing.span_ids()) > 100)
        failing.stop()
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > OUTAGE_SECONDS, seconds=OUTAGE_SECONDS + 60)
        until_now = set(load.sent)
        wait_until(lambda: healthy.span_ids().keys() >= until_now, what="all during the outage")
        waiting = one.metric("otelcol_exporter_queue_size", exporter="otlp_http/newrelic")
        missing = until_now - failing.span_ids().keys()
        failing.start()
    wait_until(lambda: failing.span_ids().keys() == load.sent.keys(), what="all spans")
    wait_until(lambda: healthy.span_ids() == load.sent, what="all spans")
    assert failing.span_ids() == load.sent
    assert waiting > 0
    assert len(missing) > 0
    assert one.metric("otelcol_exporter_send_failed_spans") == 0


@pytest.mark.parametrize("fsync", ["false", "true"])
def test_kill_9_during_an_outage_loses_nothing(
    collector: Callable[..., Collector], sink: Callable[[], Sink], fsync: str
) -> None:
    """What was accepted is on disk: it survives the kill and a restart while still down."""
    healthy, failing = sink(), sink()
    failing.stop()
    environment = TWO | {f"{P}FSYNC_ENABLED": fsync}
    one = collector(environment=environment, config=_two(healthy, failing))
    with Load(one) as load:
        wait_until(lambda: len(load.sent) > 500)
    one.stop(signal.SIGKILL)
    one.start()
    one.stop(signal.SIGKILL)
    one.start()
    failing.start()
    for back_end in (healthy, failing):
        wait_until(lambda b=back_end: b.span_ids().keys() == load.sent.keys(), what="all spans")


def test_a_graceful_stop_keeps_the_queue(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """A deployment during an outage costs nothing either."""
    back_end = sink()
    back_end.stop()
    one = collector(environment={"NEW_RELIC_LICENSE_KEY": "k"}, config=_two(back_end, back_end))
    with Load(one) as load:
        wait_until(lambda: len(load.sent) > 200)
    one.stop()
    back_end.start()
    one.start()
    wait_until(lambda: back_end.span_ids().keys() == load.sent.keys(), what="all spans")


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry-After": "1"}), (503, {"Retry-After": "1"}), (503, {}), (502, {}), (504, {})],
    ids=str,
)
def test_a_refusal_for_now_loses_nothing(
    collector: Callable[..., Collector],
    sink: Callable[[], Sink],
    status: int,
    headers: dict[str, str],
) -> None:
    """429, 502, 503 and 504 are tried again, not before the time that the back end asks for."""
    back_end = sink()
    refusals = 3
    answers = iter([(status, headers)] * refusals)
    back_end.answer = lambda path: next(answers, (200, {}))
    one = collector(
        environment={f"{P}OTLP_URL": "http://x"},
        config={"exporters": to_sink("otlp_http/otlp", back_end)},
    )
    assert one.send(log_request(["hello"])) == 200
    wait_until(lambda: back_end.log_ids() == {"hello": 1}, what="the record")
    times = [request.at for request in back_end.requests]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == refusals
    assert min(gaps) >= float(headers.get("Retry-After", 0))
    assert one.metric("otelcol_exporter_send_failed_log_records") == 0


@pytest.mark.parametrize("status", [400, 401, 403, 413, 500])
def test_a_refusal_for_good_is_counted_and_hurts_nobody_else(
    collector: Callable[..., Collector], sink: Callable[[], Sink], status: int
) -> None:
    """OTLP gives these no retry, so the records are lost there: counted, and the key unsaid."""
    healthy, refusing = sink(), sink()
    refusing.answer = lambda path: (status, {})
    one = collector(environment=TWO, config=_two(healthy, refusing))
    request = trace_request(os.urandom(16) for _ in range(20))
    sent = Counter(span.span_id for span in spans_of(request))
    assert one.send(request) == 200
    wait_until(lambda: healthy.span_ids() == sent, what="all spans")
    labels = {"exporter": "otlp_http/newrelic", "error_permanent": "true"}
    wait_until(
        lambda: one.metric("otelcol_exporter_send_failed_spans", **labels) == 100,
        what="100 lost spans counted",
    )
    log = one.log.read_text()
    assert f"HTTP Status Code {status}" in log
    assert "nr-key" not in log


def test_a_full_queue_is_counted_and_hurts_nobody_else(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """The sender is told, so it tries again; the healthy back end may then see a record twice."""
    healthy, failing = sink(), sink()
    failing.stop()
    one = collector(
        environment=TWO | {f"{P}NEW_RELIC_QUEUE_BYTES": "400000"}, config=_two(healthy, failing)
    )
    sent: Counter[bytes] = Counter()
    statuses = set()
    for _ in range(40):
        request = trace_request(os.urandom(16) for _ in range(50))
        statuses.add(one.send(request))
        sent.update(span.span_id for span in spans_of(request))
    wait_until(lambda: healthy.span_ids() == sent, what="all spans")
    lost = one.metric("otelcol_exporter_enqueue_failed_spans", exporter="otlp_http/newrelic")
    failing.start()
    wait_until(lambda: len(failing.span_ids()) == len(sent) - lost, what="what fitted")
    assert lost > 0
    assert statuses == {200, 503}


@contextmanager
def _small_disk(path: Path, mebibytes: int) -> Iterator[None]:
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", path]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_is_counted_and_ends_with_the_outage(
    binary: Path, tmp_path: Path, sink: Callable[[], Sink]
) -> None:
    """The process lives, says what it could not keep, and goes on when there is room."""
    back_end = sink()
    back_end.stop()
    with _small_disk(tmp_path / "one" / "state", 8):
        one = Collector(
            directory=tmp_path / "one",
            environment={f"{P}OTLP_URL": "http://x"},
            config={"exporters": to_sink("otlp_http/otlp", back_end)},
        )
        with one:
            kept: Counter[bytes] = Counter()
            refused = 0
            for _ in range(200):
                request = trace_request((os.urandom(16) for _ in range(100)), spans=5)
                if one.send(request) == 200:
                    kept.update(span.span_id for span in spans_of(request))
                else:
                    refused += 1
            counted = one.metric("otelcol_exporter_enqueue_failed_spans")
            back_end.start()
            wait_until(lambda: back_end.span_ids().keys() >= kept.keys(), what="what was kept")
            assert one.send(log_request(["after"])) == 200
            wait_until(lambda: back_end.log_ids() == {"after": 1}, what="the record after it")
    assert refused > 0
    assert counted == refused * 500


def test_retries_never_end() -> None:
    """The default gives up after five minutes and deletes from the disk queue."""
    queues = {}
    for name, file in load_files(find_folder("collector-config")).items():
        exporters = yaml.safe_load(file.path.read_text()).get("exporters") or {}
        for key, exporter in exporters.items():
            settings = exporter.get("protocol", {}).get("otlp", exporter)
            if "retry_on_failure" in settings:
                queues[name, key] = settings["retry_on_failure"]["max_elapsed_time"]
    assert len(queues) >= 6
    assert set(queues.values()) == {0}
