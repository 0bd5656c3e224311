"""The application's log records are exported, and its own output stays what it was."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.utils import suppress_instrumentation

import bear_otel
from bear_otel.testing import Captured, capture


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger as Python makes it, and put back what pytest had there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def logs(root: logging.Logger) -> Iterator[Captured]:
    """Capture telemetry of a process that has not configured its logging."""
    with capture() as captured:
        yield captured


def remove_pytest() -> None:
    """Take away the handler that pytest adds for the body of each test."""
    logging.getLogger().handlers[:] = []


def bodies(captured: Captured) -> list[Any]:
    """Return what was logged."""
    return [log.log_record.body for log in captured.logs]


def test_a_record_says_what_where_and_in_which_trace(logs: Captured) -> None:
    """Body with its arguments, severity, logger, extras and ids."""
    with trace.get_tracer("t").start_as_current_span("request") as span:
        logging.getLogger("shop.orders").warning("order %d", 7, extra={"item": "book", "n": 2})
    (log,) = logs.logs
    record = log.log_record
    assert (record.body, record.severity_number) == ("order 7", SeverityNumber.WARN)
    assert log.instrumentation_scope is not None
    assert log.instrumentation_scope.name == "shop.orders"
    assert dict(record.attributes or {}) == {"item": "book", "n": 2}
    context = span.get_span_context()
    assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)


@pytest.mark.parametrize(
    ("fail", "kind", "message"),
    [
        (lambda: {}["missing"], "KeyError", "'missing'"),
        (lambda: Decimal("x"), "decimal.InvalidOperation", "[<class 'decimal.ConversionSyntax'>]"),
    ],
    ids=["built in", "of a module"],
)
def test_an_exception_comes_with_its_stack(
    logs: Captured, fail: Callable[[], object], kind: str, message: str
) -> None:
    """By the names of the conventions; its type as the event of a captured exception has it."""
    try:
        fail()
    except (KeyError, InvalidOperation) as error:
        bear_otel.capture_exception(error)
        logging.getLogger("shop").exception("failed")
    event, line = (log.log_record.attributes or {} for log in logs.logs)
    assert line["exception.type"] == event["exception.type"] == kind
    assert line["exception.message"] == message
    assert "test_application_logs.py" in str(line["exception.stacktrace"])


def test_info_is_exported_where_the_application_sets_no_level(
    logs: Captured, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python would drop it; what the application prints is as before: nothing, then a warning."""
    remove_pytest()
    logger = logging.getLogger("shop.unset")
    logger.debug("debug")
    logger.info("info")
    logger.warning("warning")
    assert bodies(logs) == ["info", "warning"]
    assert capsys.readouterr().err == "warning\n"


@pytest.mark.parametrize(
    ("level", "exported"),
    [
        (logging.ERROR, []),
        (logging.INFO, ["info", "warning"]),
        (logging.DEBUG, ["debug", "info", "warning"]),
    ],
    ids=["error", "info", "debug"],
)
def test_the_applications_own_level_decides(
    logs: Captured, root: logging.Logger, level: int, exported: list[str]
) -> None:
    """Set before or after us, and also when it is the one that we would have chosen."""
    remove_pytest()
    stream = io.StringIO()
    logging.basicConfig(stream=stream, level=level, format="%(message)s")
    logger = logging.getLogger("shop.set")
    for name in ("debug", "info", "warning"):
        getattr(logger, name)(name)
    assert bodies(logs) == exported
    assert stream.getvalue().split() == exported


def test_a_logger_with_its_own_level_prints_as_before(logs: Captured, root: logging.Logger) -> None:
    """The root's handlers get what that logger lets through, although the root's level is ours."""
    stream = io.StringIO()
    root.addHandler(logging.StreamHandler(stream))
    logger = logging.getLogger("shop.own")
    logger.setLevel(logging.INFO)
    logger.info("own")
    logging.getLogger("shop.other").info("other")
    logger.setLevel(logging.NOTSET)
    assert bodies(logs) == ["own", "other"]
    assert stream.getvalue() == "own\n"


def test_a_configuration_of_logging_does_not_end_it(logs: Captured) -> None:
    """`dictConfig` replaces all handlers; ours is none of them."""
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO", "handlers": []}}
    )
    logging.getLogger("shop").info("still here")
    assert bodies(logs) == ["still here"]


@pytest.mark.parametrize(
    ("name", "propagate", "exported"),
    [
        ("uvicorn.error", False, True),
        ("uvicorn.access", False, False),
        ("gunicorn.error", False, True),
        ("gunicorn.access", False, False),
        ("shop.audit", False, False),
        ("shop.audit", True, True),
        ("opentelemetry.sdk", True, False),
        ("bear_otel", True, False),
    ],
)
def test_which_loggers_are_exported(
    logs: Captured, name: str, propagate: bool, exported: bool
) -> None:
    """Errors of servers are, access logs are not, and no logger that keeps to itself."""
    logger = logging.getLogger(name)
    before, level = logger.propagate, logger.level
    logger.propagate = propagate
    logger.setLevel(logging.NOTSET)
    logger.warning("hello")
    logger.propagate = before
    logger.setLevel(level)
    assert bodies(logs) == (["hello"] if exported else [])


def test_a_structured_message_stays_structured(logs: Captured) -> None:
    """A map as a message is a map as a body."""
    logging.getLogger("shop").warning({"event": "paid", "cents": 5})
    assert bodies(logs) == [{"event": "paid", "cents": 5}]


def test_a_record_with_bad_arguments_breaks_nothing(
    logs: Captured, capsys: pytest.CaptureFixture[str]
) -> None:
    """The standard library prints its complaint, and we add none."""
    remove_pytest()
    logging.getLogger("shop").warning("%d orders", "many")
    logging.getLogger("shop").warning("next")
    assert bodies(logs) == ["next"]
    assert capsys.readouterr().err.count("Logging error") == 1


def test_nothing_is_recorded_while_instrumentation_is_suppressed(logs: Captured) -> None:
    """What an exporter's own requests log would be exported, and so on for ever."""
    with suppress_instrumentation():
        logging.getLogger("urllib3").warning("retrying")
    assert bodies(logs) == []


def test_it_can_be_undone(root: logging.Logger) -> None:
    """The class and the level are as they were."""
    before = logging.Logger.callHandlers
    with capture():
        assert logging.Logger.callHandlers is not before
        assert root.level == logging.INFO
    assert logging.Logger.callHandlers is before
    assert root.level == logging.WARNING
