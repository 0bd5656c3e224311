"""Tell what the pipeline does and decides, where somebody has asked for it."""

# Names, counts and decisions; never a value, since this way out has no scrubber.

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bear_otel.pipeline.tail import Moment, Outcome

# A child, so that our warnings go on going where the application wants them.
logger = logging.getLogger("bear_otel.debug")
# An application that logs everything at DEBUG has not asked for this.
_OFF: Final = logging.WARNING
logger.setLevel(_OFF)
# Neither into the application's log, nor into the records that we export.
logger.propagate = False

_STDERR: Final = 2

_WHY: Final[dict[Outcome, str]] = {
    "share": "kept: in the share, or a caller has kept it",
    "error": "kept: a span ended in an error",
    "slow": "kept: it was slow",
    "dropped": "dropped: no error, not slow, not in the share",
}
_FAILED_AND_DROPPED: Final = "dropped: an error, but not in the share of errors; not slow"
_MOMENT: Final[dict[Moment | None, str]] = {
    None: "",
    "traces": "; decided early, too many traces were open",
    "spans": "; decided early, too many spans were held",
    "bytes": "; decided early, too much memory was held",
    "age": "; decided early, it was open for too long",
    "late": "; this span came after the decision",
    "end": "; decided early, the process ended",
}


class Decision(NamedTuple):
    """What the tail has made of a trace; its text is what debug mode tells.

    Attributes:
        trace_id: Of the trace.
        outcome: What became of it.
        spans: How many of its spans had ended here.
        failed: Whether one of them ended in an error.
        moment: Why it was decided at another time than the end of its last local root.
    """

    trace_id: int
    outcome: Outcome
    spans: int
    failed: bool
    moment: Moment | None = None

    @override
    def __str__(self) -> str:
        why = _WHY[self.outcome]
        if self.failed and self.outcome == "dropped":
            why = _FAILED_AND_DROPPED
        return f"trace {self.trace_id:032x}: {why}; spans: {self.spans}{_MOMENT[self.moment]}"


class _StderrHandler(logging.Handler):
    """Writes each record as one line.

    Without a lock: spans may end in a signal handler that has interrupted the thread with it.
    """

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        head = f"bear-otel debug {moment}.{record.msecs:03.0f} [{os.getpid()}]"
        with suppress(OSError):
            os.write(_STDERR, f"{head} {record.getMessage()}\n".encode(errors="replace"))
        return True


_handler = _StderrHandler()


def configure_debugging(*, enabled: bool) -> None:
    """Begin to tell on stderr, or fall silent."""
    logger.setLevel(logging.DEBUG if enabled else _OFF)
    if enabled:
        logger.addHandler(_handler)
    else:
        logger.removeHandler(_handler)


def tell(message: str, *args: object) -> None:
    """Tell something, if somebody has asked for it.

    Args:
        message: As in `logging`.
        args: Names, numbers and decisions, which are formatted only if they are told.
    """
    if logger.level == logging.DEBUG:
        # `logging.config` disables every logger that it does not know.
        logger.disabled = False
        logger.debug(message, *args)


def tell_decision(decision: Decision) -> None:
    """Tell what the tail has made of a trace."""
    tell("%s", decision)


def tell_redactions(counts: Mapping[tuple[str, str], int]) -> None:
    """Tell how much was redacted since the start, by kind and door."""
    if logger.level == logging.DEBUG:
        rows = list(counts.items())  # in one step, since other threads go on counting
        parts = [f"{count} {kind} at {door}" for (kind, door), count in sorted(rows)]
        tell("scrubber: %s redacted so far", ", ".join(parts) or "nothing")


def tell_start(
    *,
    sources: Mapping[str, str],
    instrumentors: Mapping[str, str],
    problems: Mapping[str, str],
    skipped: Mapping[str, str],
) -> None:
    """Tell what measures and what does not.

    Args:
        sources: What has been started: name -> detail.
        instrumentors: What OpenTelemetry has offered: name -> problem, empty if it was loaded.
        problems: What could not be started: name -> problem.
        skipped: What has not been loaded on purpose: name -> reason.
    """
    for name, detail in sources.items():
        tell("source %s: started%s", name, f" ({detail})" if detail else "")
    for name, problem in problems.items():
        tell("source %s: not started, %s", name, _name_problem(problem))
    for name, problem in instrumentors.items():
        state = f"not loaded, {_name_problem(problem)}" if problem else "loaded"
        tell("instrumentor %s: %s", name, state)
    for name, reason in skipped.items():
        tell("instrumentor %s: skipped, %s", name, reason)


def _name_problem(problem: str) -> str:
    # What follows is the text of an error, which may quote anything.
    return problem.partition(":")[0]
