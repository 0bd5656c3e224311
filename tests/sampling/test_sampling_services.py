"""Two services in a row under load keep a tenth, and lose neither an error nor a count."""

from __future__ import annotations

import http.client
import json
import signal
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.lifecycle.lifecycle_harness import Program, Sink, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.server

APPS = Path(__file__).parent / "apps"
REQUESTS = 3000
WARM_UP = 600
CLIENTS = 8
NEVER = 1 << 56
# Spans of a request in each service: server and client, server and database.
SPANS = 2
# As OTLP numbers them.
SERVER = ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the load generator has seen, and what came of it.

    Attributes:
        answers: Status and trace id by number of the request.
        front: What the first service has sent.
        back: What the second one has sent.
        growth: Bytes of memory that each has gained after the first requests.
    """

    answers: dict[int, tuple[int, str]]
    front: Sink
    back: Sink
    growth: tuple[int, int]

    def traces(self, *remainders: int) -> set[str]:
        """Return the traces of the requests with these numbers modulo 40."""
        return {trace for n, (_, trace) in self.answers.items() if n % 40 in remainders}


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Put both services under load, then end them."""
    directory = tmp_path_factory.mktemp("services")
    with ExitStack() as stack:
        sinks = stack.enter_context(Sink()), stack.enter_context(Sink())
        back = start(stack, directory / "back", "back", sinks[1])
        front = start(stack, directory / "front", "front", sinks[0], back)
        programs = front, back
        for program in programs:
            wait_until(lambda program=program: is_up(program), "the service answers")
        answers = ask(front, range(WARM_UP))
        before = [memory(program) for program in programs]
        answers |= ask(front, range(WARM_UP, REQUESTS))
        growth = tuple(memory(each) - was for each, was in zip(programs, before, strict=True))
        for program in programs:
            program.signal(signal.SIGTERM)
            program.wait()
        yield Load(answers=answers, front=sinks[0], back=sinks[1], growth=growth)  # type: ignore[arg-type]


def start(
    stack: ExitStack, directory: Path, name: str, sink: Sink, back: Program | None = None
) -> Program:
    """Start a service that keeps a tenth of its traces."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint,
        "BEAR_OTEL_SAMPLING_PERFORMANCE": "0.1",
        # A busy machine makes slow traces, and takes long to send.
        "BEAR_OTEL_SAMPLING_SLOW_SECONDS": "60",
        "OTEL_BSP_MAX_QUEUE_SIZE": "20000",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "20000",
        "BACK": f"http://127.0.0.1:{back.port}" if back else "",
    }
    command = f"uvicorn {name}:app --port {{port}} --no-access-log --log-level critical"
    program = Program(command, directory, environment=environment, cwd=APPS)
    stack.callback(program.close)
    return program


def is_up(program: Program) -> bool:
    """Return whether a service answers; with a path that it does not have."""
    assert program.process.poll() is None, program.stderr
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)) as client:
            client.request("GET", "/")
            return client.getresponse().status == 404
    except OSError:
        return False


def ask(front: Program, numbers: range) -> dict[int, tuple[int, str]]:
    """Ask for each number once, from several clients at a time."""

    def ask_some(first: int) -> dict[int, tuple[int, str]]:
        answers = {}
        with closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)) as client:
            for number in numbers[first::CLIENTS]:
                client.request("GET", f"/orders/{number}")
                answer = client.getresponse()
                answers[number] = answer.status, json.load(answer)
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        return {n: each for some in pool.map(ask_some, range(CLIENTS)) for n, each in some.items()}


def memory(program: Program) -> int:
    """Return the resident bytes of a service."""
    return psutil.Process(program.process.pid).memory_info().rss


def by_trace(sink: Sink) -> dict[str, list[Any]]:
    """Return the spans that a service has sent, by trace."""
    found: dict[str, list[Any]] = defaultdict(list)
    for span in sink.spans:
        if not (span.kind == SERVER and span.name == "GET"):  # whether the service is up
            found[span.trace_id.hex()].append(span)
    return found


def weight(span: Any) -> float:
    """Return how many spans one stands for."""
    (member,) = [each for each in span.trace_state.split(",") if each.startswith("ot=th:")]
    return NEVER / (NEVER - int(member[6:].ljust(14, "0"), 16))


def fragment(span: Any) -> str:
    """Return why only this service has kept the trace, if so."""
    found = {each.key: each.value.string_value for each in span.attributes}
    return found.get("bear.sampling.fragment", "")


def test_every_trace_with_an_error_is_there_whole(load: Load) -> None:
    """In the service where it failed; the caller of one that failed has an error, too."""
    assert [load.answers[n][0] for n in (0, 1, 20)] == [502, 200, 500]
    front, back = by_trace(load.front), by_trace(load.back)
    assert {trace: len(front[trace]) for trace in load.traces(0, 20)} == dict.fromkeys(
        load.traces(0, 20), SPANS
    )
    assert {trace: len(back[trace]) for trace in load.traces(0)} == dict.fromkeys(
        load.traces(0), SPANS
    )


def test_a_tenth_of_the_others_is_there_whole_in_both_services(load: Load) -> None:
    """The same tenth, and nothing else."""
    front, back = by_trace(load.front), by_trace(load.back)
    shared = {trace for trace, spans in front.items() if not any(map(fragment, spans))}
    assert len(shared) == pytest.approx(REQUESTS / 10, rel=0.02)
    assert all(len(front[trace]) == len(back[trace]) == SPANS for trace in shared)
    assert front.keys() == shared | load.traces(0, 20)
    assert back.keys() == shared | load.traces(0)


@pytest.mark.parametrize("service", ["front", "back"])
def test_the_weights_add_up_to_the_truth(load: Load, service: str) -> None:
    """Within four standard deviations, 4.5 %, and the errors exactly.

    On an idle machine it is within 0.2 %: the ids lie evenly. On a busy one requests overtake each
    other, and how many of the errors fall into the share, 15 expected, becomes luck.
    """
    spans = [span for some in by_trace(getattr(load, service)).values() for span in some]
    requests = [span for span in spans if span.kind == SERVER]
    assert sum(map(weight, requests)) == pytest.approx(REQUESTS, rel=0.045)
    failed = [weight(span) for span in requests if span.status.code == ERROR]
    assert failed == [1.0] * (REQUESTS // 40 * (2 if service == "front" else 1))


def test_metrics_count_every_request(load: Load) -> None:
    """As many as the load generator, with each kind of error."""
    duration = "http.server.request.duration"
    statuses = [status for status, _ in load.answers.values()]
    assert load.front.total(duration, http_route="/orders/{number}") == REQUESTS
    assert load.front.total(duration, error_type="502") == statuses.count(502) == REQUESTS // 40
    assert load.front.total(duration, error_type="500") == statuses.count(500) == REQUESTS // 40
    assert load.back.total(duration, http_route="/stock/{number}") == REQUESTS
    assert load.back.total(duration, error_type="RuntimeError") == statuses.count(502)
    assert load.back.total("db.client.operation.duration") == REQUESTS


def test_no_log_record_is_sampled(load: Load) -> None:
    """Every line and every error event is there, with its trace, kept or not."""
    lines = load.front.log_lines()
    expected = {(f"order {n}", trace) for n, (_, trace) in load.answers.items()}
    assert {line for line in lines if line[0].startswith("order ")} == expected
    events = [each for each in load.back.logs if each.event_name == "http.server.request.exception"]
    assert {each.trace_id.hex() for each in events} == load.traces(0)


def test_the_decisions_are_counted(load: Load) -> None:
    """By why a trace was kept or dropped."""
    for sink, errors in ((load.front, REQUESTS // 20), (load.back, REQUESTS // 40)):
        counts = {
            decision: sink.total("bear.sampling.traces", bear_sampling_decision=decision)
            for decision in ("share", "error", "slow", "dropped")
        }
        assert counts["error"] == errors
        # And those of the questions whether the service is up.
        assert REQUESTS <= sum(counts.values()) <= REQUESTS + 20
        assert sink.total("bear.sampling.evictions") == 0
        assert sink.total("bear.exporter.dropped") == 0


def test_memory_stays_where_it_was(load: Load) -> None:
    """After the first requests, a few megabytes of allocator noise."""
    assert max(load.growth) < 12_000_000
