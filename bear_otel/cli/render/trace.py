"""One trace as a picture: a tree of spans with time bars, log lines, exceptions."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bear_otel.cli.render.details import (
    describe_attributes,
    describe_exception,
    describe_level,
    describe_oddities,
    describe_outcome,
    describe_statement,
)
from bear_otel.cli.render.records import ExceptionInfo, Log, Span
from bear_otel.cli.render.style import (
    TIMES,
    Piece,
    Style,
    cells,
    clip,
    cut_end,
    cut_middle,
    format_clock,
    format_duration,
    format_value,
    heading,
    pad,
    paint,
    wrap,
)
from bear_otel.cli.render.tree import Node, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ROWS = 100
"""Lines of one tree; more is not read, and `--json` has them all."""

_TIME_WIDTH = 10
_SERVICE_COLORS = ("cyan", "blue", "magenta", "green", "yellow")


def render_trace(
    spans: Sequence[Span], logs: Sequence[Log], style: Style, *, late: bool = False
) -> list[str]:
    """Return the lines of one trace.

    Args:
        spans: its spans in any order; parents may be missing.
        logs: its log lines in any order.
        style: what the terminal can show.
        late: say that the rest of this trace was drawn before.
    """
    # An exporter that retried may have sent a span twice.
    spans = list({(span.span_id, span.name, span.start_ns): span for span in spans}.values())
    nodes = list(islice(walk(spans, logs), MAX_ROWS))
    picture = _Picture(spans, logs, nodes, style, late=late)
    lines = [picture.heading()]
    for node in nodes:
        lines += picture.span(node) if isinstance(node.content, Span) else picture.log(node)
    drawn = {id(item) for node in nodes for item in (node.content, *node.folded)}
    hidden = [span for span in spans if id(span) not in drawn]
    hidden_logs = sum(id(log) not in drawn for log in logs)
    if hidden or hidden_logs:
        errors = sum(span.error for span in hidden)
        note = f"… {len(hidden):,} more spans ({errors:,} failed), {hidden_logs:,} more log lines"
        lines.append(paint([(note, "dim")], style))
    return lines


def render_log(log: Log, style: Style) -> list[str]:
    """Return the lines of a log line that stands alone."""
    pieces = [
        (f"{format_clock(log.time_ns)}  ", "dim"),
        *describe_level(log),
        (f"{log.service}  ", "cyan"),
        (f"{log.trace_id[:8]}  " if log.trace_id else "", "dim"),
    ]
    indent = sum(cells(text) for text, _ in pieces)
    width = max(style.width - indent, 20)
    first, *rest = wrap(log.body, width, 3) or [""]
    lines = [paint([*pieces, (first, "")], style)]
    below = [
        *([(line, "")] for line in rest),
        *describe_attributes(log.attributes, width),
        *describe_exception(log.exception, width),
    ]
    lines += [paint([(" " * indent, ""), *row], style) for row in below]
    return lines


class _Picture:
    """What the lines of one trace share: its time range, its colours, where the columns are."""

    def __init__(
        self,
        spans: Sequence[Span],
        logs: Sequence[Log],
        nodes: Sequence[Node],
        style: Style,
        *,
        late: bool,
    ) -> None:
        self._style = style
        self._late = late
        items = [*spans, *logs]
        self._trace_id = items[0].trace_id if items else ""
        times = [s.start_ns for s in spans] or [log.time_ns for log in logs]
        self._start = min(times, default=0)
        self._end = max([s.end_ns for s in spans] or times, default=0)
        services = dict.fromkeys(item.service for item in sorted(items, key=_start_of))
        self._colors = {
            name: _SERVICE_COLORS[index % len(_SERVICE_COLORS)]
            for index, name in enumerate(services)
        }
        self._bar_width = min(style.width // 4, 40) if style.width >= 50 else 0
        self._left_width = max(style.width - self._bar_width - _TIME_WIDTH - 1, 20)
        # An exception passes through many spans: it is told once, at the deepest of them.
        self._tellers: dict[ExceptionInfo, Span | Log] = {}
        for node in nodes:
            told = _identity(node.content.exception)
            if told and isinstance(node.content, Span):
                self._tellers[told] = node.content
            elif told:
                self._tellers.setdefault(told, node.content)

    def heading(self) -> str:
        services = [(f"  {cut_middle(name, 20)}", color) for name, color in self._colors.items()]
        right = self._trace_id if self._style.width >= 70 else self._trace_id[:8]
        note = [("  late: drawn before", "yellow")] if self._late else []
        left = [(format_clock(self._start), "dim"), *services[:4], *note]
        left = clip(left, self._style.width - len(right) - 4)
        return heading(left, right, self._style)

    def span(self, node: Node) -> list[str]:
        span = node.content
        assert isinstance(span, Span)
        outcome, color = describe_outcome(span)
        after: list[Piece] = []
        if len(node.folded) > 1:
            after.append((f"  {TIMES}{len(node.folded)}", "yellow"))
        if outcome:
            after.append((f"  {cut_end(outcome, 24)}", color))
        if node.parent and node.parent.service != span.service:
            after.append((f"  {cut_middle(span.service, 20)}", self._colors[span.service]))
        prefix = self._shorten_prefix(node.prefix)
        room = self._left_width - cells(prefix) - sum(cells(text) for text, _ in after)
        mark = "✗ " if span.error else ""
        name = cut_middle(format_value(span.name) or "(no name)", max(room - len(mark), 8))
        name_color = "bold red" if span.error else "" if node.prefix else "bold"
        left = clip([(prefix, "dim"), (mark + name, name_color), *after], self._left_width)
        left.append((" " * (self._left_width - sum(cells(text) for text, _ in left)), ""))
        duration = sum(member.end_ns - member.start_ns for member in node.folded)
        right = [
            (self._bar(node.folded), "red" if span.error else self._colors[span.service]),
            (f"{format_duration(duration):>{_TIME_WIDTH}}", ""),
        ]
        return [paint([*left, (" ", ""), *right], self._style), *self._below(node)]

    def log(self, node: Node) -> list[str]:
        log = node.content
        assert isinstance(log, Log)
        prefix = self._shorten_prefix(node.prefix)
        width = self._style.width - _TIME_WIDTH - cells(prefix) - 7
        lines = wrap(log.body, max(width, 10), 2) or [""]
        offset = log.time_ns - self._start
        sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
        when = f"{sign + format_duration(offset):>{_TIME_WIDTH}}"
        rows = [
            [(prefix, "dim"), *describe_level(log), (pad(lines[0], width), ""), (when, "dim")],
            *([(self._shorten_prefix(node.below) + " " * 4, "dim"), (x, "")] for x in lines[1:]),
        ]
        return [paint(row, self._style) for row in rows] + self._below(node, indent=" " * 4)

    def _below(self, node: Node, indent: str = "") -> list[str]:
        content = node.content
        prefix = self._shorten_prefix(node.below) + indent
        width = max(self._style.width - cells(prefix) - _TIME_WIDTH, 20)
        details: list[list[Piece]] = []
        attributes = content.attributes
        if isinstance(content, Span):
            key, statement = describe_statement(content)
            attributes = {name: attributes[name] for name in attributes if name != key}
            details += [[(line, "dim")] for line in wrap(statement, width, 2)]
            oddities = describe_oddities(content, node.parent, late=self._late)
            details += [[(note, "yellow")] for note in oddities]
        details += describe_attributes(attributes, width)
        told = _identity(content.exception)
        if told and self._tellers[told] is content:
            details += describe_exception(content.exception, width)
        elif isinstance(content, Span) and content.error and not told and content.status_message:
            details += [[(line, "red")] for line in wrap(content.status_message, width, 2)]
        return [paint([(prefix, "dim"), *detail], self._style) for detail in details]

    def _bar(self, spans: Sequence[Span]) -> str:
        # Half a cell is the finest step, and the least that any span gets.
        total = max(self._end - self._start, 1)
        halves = self._bar_width * 2
        start = (min(s.start_ns for s in spans) - self._start) * halves // total
        end = -((self._start - max(s.end_ns for s in spans)) * halves // total)
        start = min(start, halves - 1)
        end = min(max(end, start + 1), halves)
        glyphs = {(True, True): "━", (True, False): "╸", (False, True): "╺", (False, False): " "}
        return "".join(
            glyphs[start <= half < end, start <= half + 1 < end] for half in range(0, halves, 2)
        )

    def _shorten_prefix(self, prefix: str) -> str:
        room = max(self._left_width // 2, 6)
        return prefix if len(prefix) <= room else "…" + prefix[1 - room :]


def _start_of(item: Span | Log) -> int:
    return item.start_ns if isinstance(item, Span) else item.time_ns


def _identity(exception: ExceptionInfo | None) -> ExceptionInfo | None:
    # A log handler and a span event may see the same exception with stacks of different depth.
    return exception and ExceptionInfo(type=exception.type, message=exception.message)
