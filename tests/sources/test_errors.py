"""Each exception is told once, whoever sees it, and the application notices nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber

import bear_otel
from bear_otel.capture import Captured, capture
from bear_otel.cli.receiver import Receiver
from bear_otel.sources.error_doors import create_log_filter
from bear_otel.sources.error_groups import ErrorGroups
from bear_otel.sources.errors import ERRORS, Occurrence
from tests.lifecycle.lifecycle_harness import PATIENT
from tests.sources.test_http import get, serve, wait_for

ADA = "ada@example.com"
TEXT = f"no such luck, {ADA}"
SHOP = logging.getLogger("shop")


class CustomError(Exception):
    """Of the application."""


CUSTOM = f"{__name__}.CustomError"


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenError(Exception):
    """One that takes neither an attribute nor a weak reference."""

    reason: str


class UnprintableError(Exception):
    """One that cannot be turned into a text."""

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Capture what would leave, behind a sampler that keeps no span at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        with capture() as captured:
            yield captured


def catch(error: BaseException) -> BaseException:
    """Raise and catch, so that there is a traceback."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        return caught


def log(error: BaseException) -> None:
    """Log an error as applications do."""
    SHOP.error("failed", exc_info=error)


def counts(telemetry: Captured) -> dict[tuple[str, bool], int]:
    """Return `bear.exceptions` by type and whether it was handled."""
    return {
        (point.attributes["error.type"], point.attributes["bear.exception.handled"]): point.value
        for point in telemetry.metrics().get("bear.exceptions", ())
    }


def events(telemetry: Captured) -> list[Any]:
    """Return the log records that are events about exceptions."""
    records = [log.log_record for log in telemetry.logs]
    return [record for record in records if "exception" in (record.event_name or "")]


def test_a_captured_exception_is_an_event_in_its_trace(telemetry: Captured) -> None:
    """With type, text, stack and what the application says about it; scrubbed, never sampled."""
    with trace.get_tracer("t").start_as_current_span("request") as span:
        try:
            raise CustomError(TEXT)
        except CustomError:
            bear_otel.capture_exception(order=7, who=ADA, basket=["book"])
    (event,) = events(telemetry)
    attributes = dict(event.attributes)
    stack = attributes.pop("exception.stacktrace")
    assert attributes == {
        "exception.type": CUSTOM,
        "exception.message": "no such luck, [REDACTED:email]",
        "bear.exception.handled": True,
        "bear.exception.source": "captured",
        "order": 7,
        "who": "[REDACTED:email]",
        "basket": "['book']",
    }
    assert "test_a_captured_exception_is_an_event_in_its_trace" in stack
    assert (event.event_name, event.severity_number) == ("exception", SeverityNumber.ERROR)
    assert event.trace_id == span.get_span_context().trace_id
    assert telemetry.spans == ()
    telemetry.assert_nothing_of(ADA)


def test_there_may_be_nothing_to_capture(telemetry: Captured) -> None:
    """Outside of an `except` block it does nothing."""
    bear_otel.capture_exception()
    assert (events(telemetry), counts(telemetry)) == ([], {})


def test_without_telemetry_nothing_happens() -> None:
    """Before the start, after the stop, and while switched off."""
    error = catch(CustomError())
    bear_otel.capture_exception(error)
    with capture() as telemetry:
        pass
    bear_otel.capture_exception(error)
    assert events(telemetry) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValueError("built in"),
        lambda: CustomError("own"),
        lambda: FrozenError("frozen"),
        UnprintableError,
        lambda: ExceptionGroup("group", [ValueError()]),
    ],
    ids=["built-in", "own", "frozen", "unprintable", "group"],
)
@pytest.mark.parametrize("first", [log, bear_otel.capture_exception], ids=["logged", "captured"])
@pytest.mark.parametrize("second", [log, bear_otel.capture_exception], ids=["logged", "captured"])
def test_one_exception_counts_once(
    telemetry: Captured,
    make: Callable[[], Exception],
    first: Callable[[BaseException], None],
    second: Callable[[BaseException], None],
) -> None:
    """Of whatever class; another one of the same class counts again."""
    error = catch(make())
    first(error)
    second(error)
    assert list(counts(telemetry).values()) == [1]
    first(catch(make()))
    assert list(counts(telemetry).values()) == [2]


def test_telling_it_keeps_no_exception_alive(telemetry: Captured) -> None:
    """Its frames may hold a connection, or all of a request."""
    released = threading.Event()

    class Held:
        def __del__(self) -> None:
            released.set()

    def fail(make: Callable[[], Exception]) -> None:
        _held = Held()
        try:
            raise make()
        except Exception:  # noqa: BLE001
            bear_otel.capture_exception()

    for make in (ValueError, CustomError):
        fail(make)
        assert released.is_set()
        released.clear()


@pytest.mark.parametrize(
    "tell",
    [
        lambda: bear_otel.capture_exception(catch(KeyboardInterrupt())),
        lambda: bear_otel.capture_exception(catch(SystemExit(1))),
        lambda: bear_otel.capture_exception(catch(asyncio.CancelledError())),
        lambda: SHOP.warning("retrying", exc_info=catch(CustomError())),
        lambda: SHOP.error("no exception at all"),
        lambda: logging.getLogger("opentelemetry.sdk").error("own", exc_info=catch(CustomError())),
        lambda: logging.getLogger("bear_otel").error("own", exc_info=catch(CustomError())),
    ],
    ids=["interrupt", "exit", "cancelled", "warning", "no-exception", "opentelemetry", "bear-otel"],
)
def test_what_is_no_exception_of_the_application(
    telemetry: Captured, tell: Callable[[], None]
) -> None:
    """Ends as they should be, warnings, and troubles of telemetry itself."""
    tell()
    assert (events(telemetry), counts(telemetry)) == ([], {})


def create_app() -> FastAPI:
    """Return a service that fails."""
    app = FastAPI()

    @app.get("/broken")
    async def broken() -> None:
        raise CustomError(TEXT)

    @app.get("/logged")
    async def logged() -> None:
        try:
            raise CustomError(TEXT)
        except CustomError:
            SHOP.exception("failed")
            raise

    return app


@pytest.mark.parametrize(("path", "handled"), [("/broken", False), ("/logged", True)])
def test_an_exception_in_a_request_is_one_event(
    telemetry: Captured, path: str, handled: bool
) -> None:
    """FastAPI's own, in its trace; the server's line about the same exception is left out."""
    with serve(create_app()) as port:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        assert get(port, path) == 500
        wait_for(lambda: events(telemetry))
    assert [event.event_name for event in events(telemetry)] == ["http.server.request.exception"]
    bodies = [str(log.log_record.body) for log in telemetry.logs]
    assert not [body for body in bodies if "ASGI" in body]
    assert counts(telemetry) == {(CUSTOM, handled): 1}


@pytest.mark.parametrize("name", ["uvicorn.error", "gunicorn.error", "hypercorn.error"])
def test_what_only_a_server_logs_becomes_the_event(telemetry: Captured, name: str) -> None:
    """Of applications without telemetry of their own; a line without an exception stays a line."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    logger.error("Exception in ASGI application\n", exc_info=catch(CustomError()))
    logger.error("cannot bind")
    first, second = [log.log_record for log in telemetry.logs]
    assert (first.event_name, first.body) == ("exception", "Exception in ASGI application")
    assert dict(first.attributes or {})["bear.exception.source"] == "request"
    assert (second.event_name, second.body) == (None, "cannot bind")
    assert counts(telemetry) == {(CUSTOM, False): 1}


@pytest.mark.parametrize("told", [True, False], ids=["fastapi", "another-framework"])
def test_a_stack_that_granian_logs_as_text(telemetry: Captured, told: bool) -> None:
    """It is left out if FastAPI has told the exception, and else all that there is."""
    file = "site-packages/fastapi/telemetry/_asgi.py" if told else "site-packages/other.py"
    line = f'Application callable raised an exception\n  File "/x/{file}", line 429, in __call__'
    logging.getLogger("_granian.utils").error(line)
    assert [log.log_record.body for log in telemetry.logs] == ([] if told else [line])


def test_a_log_record_of_any_make_breaks_nothing(telemetry: Captured) -> None:
    """Such as one that another process has sent, with a stack that is none."""
    record = logging.makeLogRecord({"name": "shop", "levelno": 40, "exc_info": True})
    assert create_log_filter(ERRORS)(record)
    assert counts(telemetry) == {}


def test_lines_of_servers_stay_where_errors_are_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are held back only for the event that replaces them."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "errors")
    with capture() as telemetry:
        logging.getLogger("hypercorn.error").error("failed", exc_info=catch(CustomError()))
    assert [log.log_record.body for log in telemetry.logs] == ["failed"]


def test_a_listener_hears_all_and_may_fail(telemetry: Captured) -> None:
    """Also of errors that are logged without an exception; its own errors stay with it."""
    heard: list[Occurrence] = []

    def listen(occurrence: Occurrence) -> None:
        heard.append(occurrence)
        raise ValueError("a bad listener")

    stop = ERRORS.listen(listen)
    bear_otel.capture_exception(error := catch(CustomError()))
    SHOP.error("no exception")
    stop()
    bear_otel.capture_exception(catch(CustomError()))
    assert [(each.error, each.handled, each.source) for each in heard] == [
        (error, True, "captured"),
        (None, True, "log"),
    ]


def test_the_largest_groups_come_first(telemetry: Captured) -> None:
    """By type and by the innermost place in the application's code, without a word of a text."""
    for number in range(5):
        bear_otel.capture_exception(catch(CustomError(f"{number} {ADA}")))
    try:
        dataclasses.field(default=ADA, default_factory=list)  # type: ignore[call-overload]
    except ValueError as error:
        bear_otel.capture_exception(error)
    first, second = ERRORS.top()
    assert (first.type, first.count) == (CUSTOM, 5)
    assert first.place.startswith(f"{__name__}.catch:")
    name = "test_the_largest_groups_come_first"
    assert second.place.startswith(f"{__name__}.{name}:")
    assert ERRORS.top(1) == (first,)
    assert ADA not in repr(ERRORS.top())


# How a program without a server may fail, in its own words.
PROGRAMS = {
    "program": "raise ValueError(ADA)",
    "own-hook": """
        import sys
        before = sys.excepthook
        def hook(*error):
            print("my own hook", file=sys.stderr)
            before(*error)
        sys.excepthook = hook
        raise ValueError(ADA)
        """,
    "thread": """
        import threading
        def fail():
            raise ValueError(ADA)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        """,
    "task": """
        import asyncio
        async def fail():
            raise ValueError(ADA)
        async def main():
            asyncio.create_task(fail())
            await asyncio.sleep(0.01)
        asyncio.run(main())
        """,
    "callback": """
        import asyncio
        def fail():
            raise ValueError(ADA)
        async def main():
            asyncio.get_running_loop().call_soon(fail)
            await asyncio.sleep(0.01)
        asyncio.run(main())
        """,
    "finalizer": """
        class Failing:
            def __del__(self):
                raise ValueError(ADA)
        Failing()
        """,
    "captured-then-raised": """
        import bear_otel
        try:
            raise ValueError(ADA)
        except ValueError as error:
            bear_otel.capture_exception(error)
            raise
        """,
}
SEEN_BY = {"own-hook": "program", "callback": "task", "captured-then-raised": "captured"}


@pytest.mark.server
@pytest.mark.parametrize("how", PROGRAMS)
def test_whatever_ends_with_an_exception_tells_it_once(tmp_path: Path, how: str) -> None:
    """And prints what it would have printed, and exits as it would have."""
    program = tmp_path / "program.py"
    program.write_text(f"ADA = {ADA!r}\n{textwrap.dedent(PROGRAMS[how])}")
    logs: list[Any] = []
    receiver = Receiver(on_traces=lambda _: None, on_metrics=lambda _: None, on_logs=logs.append)
    with receiver:
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        environ |= {"OTEL_SERVICE_NAME": "t", "BEAR_OTEL_BANNER_ENABLED": "false"}
        environ |= {"XDG_STATE_HOME": str(tmp_path), **PATIENT}
        bare, instrumented = (
            subprocess.run(
                [*command, sys.executable, str(program)],
                env=environ,
                check=False,
                capture_output=True,
                text=True,
            )
            for command in ([], ["bear-otel-instrument"])
        )

    def hide_addresses(output: str) -> str:
        return re.sub(r"0x[0-9a-f]+", "0x", output)

    assert instrumented.returncode == bare.returncode
    assert hide_addresses(instrumented.stderr) == hide_addresses(bare.stderr)
    assert ADA in instrumented.stderr
    records = [
        record
        for request in logs
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    (record,) = records
    attributes = {each.key: each.value for each in record.attributes}
    assert record.event_name == "exception"
    assert record.severity_text == ("FATAL" if SEEN_BY.get(how, how) == "program" else "ERROR")
    assert attributes["exception.type"].string_value == "ValueError"
    assert attributes["exception.message"].string_value == "[REDACTED:email]"
    assert attributes["bear.exception.source"].string_value == SEEN_BY.get(how, how)
    assert ADA not in str(logs)


def test_the_original_interface_does_the_same(telemetry: Captured) -> None:
    """`capture_exception` of the object, and the groups in its status."""
    monitoring = bear_otel.setup_production_monitoring("production", "1.0.0")
    monitoring.capture_exception(catch(CustomError()), order=7)
    assert [dict(event.attributes)["order"] for event in events(telemetry)] == [7]
    assert monitoring.get_system_status().errors == ERRORS.top()
    assert [group.count for group in ERRORS.top()] == [1]


def test_types_and_groups_are_bounded() -> None:
    """Classes made at run time do not make series without end, nor fill the memory."""
    groups = ErrorGroups()
    for number in range(1000):
        groups.add(type(f"E{number}", (Exception,), {})(), handled=False)
    counted = groups.counts()
    assert len(counted) == 101
    assert counted["_OTHER", False] == 900
    assert len(groups.top(10_000)) == 200


def test_no_count_is_lost_between_threads() -> None:
    """Errors come in crowds."""
    groups = ErrorGroups()

    def add() -> None:
        for _ in range(500):
            groups.add(CustomError(), handled=False)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(groups.counts().values()) == [4000]


def test_a_forked_child_counts_from_nothing(telemetry: Captured) -> None:
    """The parent tells what it has counted itself."""
    bear_otel.capture_exception(catch(CustomError()))
    child = os.fork()
    if child == 0:
        os._exit(len(ERRORS.top()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(ERRORS.top()) == 1


def test_hooks_are_put_back() -> None:
    """As if we had never been there; a hook that came after ours stays."""

    def hooks() -> tuple[object, ...]:
        return sys.excepthook, sys.unraisablehook, threading.excepthook

    before = hooks()
    with capture():
        assert not set(before) & set(hooks())
    assert hooks() == before
    with pytest.MonkeyPatch.context() as patch, capture():
        later = print
        patch.setattr(sys, "excepthook", later)
    assert sys.excepthook is not later
    sys.excepthook = before[0]  # type: ignore[assignment]
