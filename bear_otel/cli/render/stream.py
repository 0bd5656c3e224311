"""Everything that arrives, as one stream of lines: a picture for people, JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from bear_otel.cli.otlp_json import ExportLogsServiceRequest, ExportTraceServiceRequest, OtlpRequest
from bear_otel.cli.render.metrics import MetricMemory, render_metrics
from bear_otel.cli.render.pending import PendingTraces
from bear_otel.cli.render.records import read_logs, read_points, read_spans
from bear_otel.cli.render.style import Style, paint
from bear_otel.cli.render.trace import render_log, render_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Picture:
    """Draw requests as traces, log lines and tables; a trace is held back until it is whole.

    Args:
        style: what the terminal can show.
        write: called with each finished line.
        quiet_s: how long a trace must have been quiet to be taken for whole, in seconds.
    """

    def __init__(
        self, style: Style, write: Callable[[str], object], *, quiet_s: float = 1.0
    ) -> None:
        self._style = style
        self._write = write
        self._pending = PendingTraces(quiet_s=quiet_s)
        self._memory = MetricMemory()
        self._after_log = False

    def feed(self, request: OtlpRequest) -> None:
        """Take what one request brought."""
        if isinstance(request, ExportTraceServiceRequest):
            self._pending.add_spans(read_spans(request), time.monotonic())
        elif isinstance(request, ExportLogsServiceRequest):
            for log in self._pending.add_logs(read_logs(request), time.monotonic()):
                self._draw(render_log(log, self._style), is_log=True)
        else:
            changes = self._memory.changes(read_points(request))
            self._draw(render_metrics(changes, self._style))

    def tell(self, text: str) -> None:
        """Draw a remark."""
        self._draw([paint([(text, "yellow")], self._style)])

    def draw_due(self, *, everything: bool = False) -> None:
        """Draw the traces that are whole by now, or all that is held back."""
        for trace in self._pending.take_due(time.monotonic(), everything=everything):
            if trace.spans:
                lines = render_trace(trace.spans, trace.logs, self._style, late=trace.late)
                self._draw(lines)
            else:
                for log in trace.logs:
                    self._draw(render_log(log, self._style), is_log=True)

    def _draw(self, lines: Sequence[str], *, is_log: bool = False) -> None:
        if lines and not (is_log and self._after_log):
            self._write("")
        for line in lines:
            self._write(line)
        self._after_log = is_log if lines else self._after_log


class JsonLines:
    """Write one JSON object for each span, log line and metric point, at once."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def feed(self, request: OtlpRequest) -> None:
        """Take what one request brought."""
        if isinstance(request, ExportTraceServiceRequest):
            self._write_all("span", read_spans(request))
        elif isinstance(request, ExportLogsServiceRequest):
            self._write_all("log", read_logs(request))
        else:
            self._write_all("metric", read_points(request))

    def _write_all(self, signal_name: str, records: Iterator[Any]) -> None:
        for record in records:
            self._write(json.dumps({"signal": signal_name, **asdict(record)}))

    def tell(self, text: str) -> None:
        """Say a remark where it does not disturb the reader of the lines."""
        print(text, file=sys.stderr)

    def draw_due(self, *, everything: bool = False) -> None:
        """Nothing is held back."""


Printer = Picture | JsonLines


def create_style(stream: TextIO, *, color: bool | None = None) -> Style:
    """Return what the stream can show; colours only on a terminal, and never with `NO_COLOR`."""
    if color is None:
        color = stream.isatty() and not os.environ.get("NO_COLOR")
        color = color and os.environ.get("TERM") != "dumb"
    try:
        "├━╸…".encode(stream.encoding or "ascii")
        unicode = True
    except (UnicodeEncodeError, LookupError):
        unicode = False
    width = shutil.get_terminal_size((80, 24)).columns
    return Style(width=min(max(width, 40), 120), color=color, unicode=unicode)
