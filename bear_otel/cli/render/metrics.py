"""Metrics as a table of what changed since the last export."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bear_otel.cli.render.style import (
    TIMES,
    Piece,
    Style,
    cells,
    cut_middle,
    format_clock,
    format_quantity,
    format_value,
    heading,
    pad,
    paint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bear_otel.cli.render.records import Point

MAX_ROWS = 20
"""Rows of one table; `--json` has every point."""

_MAX_SERIES = 20_000
_GAUGE_STEP = 0.1  # gauges that move by less than a tenth are not news
_ENOUGH_FOR_P95 = 20
# What the runtime and we say of ourselves comes last, what a request took comes first.
_FIRST = ("http.server.", "db.client.operation.", "gen_ai.")
_LAST = ("process.", "cpython.", "system.", "bear.")
_USUAL = ("url.scheme", "network.", "server.port")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to one series since it was last told: a point with its numbers as differences.

    Args:
        point: the point that arrived.
        value: growth of a sum, or the value of a gauge.
        count: new measurements of a histogram.
        total: the sum of these measurements.
        buckets: their distribution, upper bound to count.
    """

    point: Point
    value: float
    count: int
    total: float
    buckets: dict[float, int]


class MetricMemory:
    """Remember the last point of each series, to tell what changed."""

    def __init__(self) -> None:
        self._last: dict[object, Point] = {}

    def changes(self, points: Iterable[Point]) -> list[Change]:
        """Return what changed; unchanged series, and gauges that hardly moved, are left out."""
        changes: list[Change] = []
        for point in points:
            attributes = tuple(sorted((key, str(value)) for key, value in point.attributes.items()))
            key = (point.service, point.instance, point.name, attributes)
            last = self._last.get(key)
            change = _compare(point, last)
            if change is None:
                continue
            changes.append(change)
            self._last.pop(key, None)
            self._last[key] = point
            if len(self._last) > _MAX_SERIES:
                del self._last[next(iter(self._last))]
        return changes


def _compare(point: Point, last: Point | None) -> Change | None:
    if point.kind == "gauge":
        before = last.value if last else 0.0
        moved = abs(point.value - before) > _GAUGE_STEP * abs(before)
        return _change(point, value=point.value) if moved else None
    # After a restart a cumulative series starts again, and then all of it is new.
    if last is None or point.delta or point.count < last.count or point.value < last.value:
        if not point.count and not point.value:
            return None
        return _change(point, point.value, point.count, point.total, point.buckets)
    count, value = point.count - last.count, point.value - last.value
    if not count and not value:
        return None
    buckets = {bound: n - last.buckets.get(bound, 0) for bound, n in point.buckets.items()}
    if sum(buckets.values()) != count or min(buckets.values(), default=0) < 0:
        buckets = point.buckets  # an exponential histogram that changed its scale
    return _change(point, value, count, point.total - last.total, buckets)


def _change(
    point: Point,
    value: float = 0.0,
    count: int = 0,
    total: float = 0.0,
    buckets: dict[float, int] | None = None,
) -> Change:
    return Change(point=point, value=value, count=count, total=total, buckets=buckets or {})


def render_metrics(changes: Sequence[Change], style: Style) -> list[str]:
    """Return the lines of one table for each process."""
    lines: list[str] = []

    def process(change: Change) -> tuple[str, str]:
        return change.point.service, change.point.instance

    for (service, instance), group in groupby(sorted(changes, key=process), process):
        rows = sorted(group, key=lambda change: (_rank(change.point.name), change.point.name))
        clock = format_clock(rows[0].point.time_ns)
        left: list[Piece] = [(clock, "dim"), (f"  {service}", "cyan"), ("  metrics", "")]
        lines.append(heading(left, f"{instance[:8]}", style))
        lines += _table(rows[:MAX_ROWS], style)
        if len(rows) > MAX_ROWS:
            lines.append(paint([(f"… {len(rows) - MAX_ROWS:,} more series changed", "dim")], style))
    return lines


def _rank(name: str) -> int:
    return 0 if name.startswith(_FIRST) else 2 if name.startswith(_LAST) else 1


def _table(rows: Sequence[Change], style: Style) -> list[str]:
    values = [_columns(row) for row in rows]
    value_widths = [max(cells(row[column]) for row in values) for column in range(3)]
    room = style.width - sum(value_widths) - 2 * sum(width > 0 for width in value_widths)
    name_width = min(max(cells(row.point.name) for row in rows), max(room * 3 // 5, 10))
    label_width = max(room - name_width - 2, 0)
    lines: list[str] = []
    told = ""
    for row, columns in zip(rows, values, strict=True):
        name = "" if row.point.name == told else row.point.name
        told = row.point.name
        label = cut_middle(_label(row.point), label_width)
        numbers = "".join(
            f"  {' ' * (width - cells(text))}{text}"
            for text, width in zip(columns, value_widths, strict=True)
            if width
        )
        pieces: list[Piece] = [
            (pad(cut_middle(name, name_width), name_width), ""),
            (f"  {pad(label, label_width)}", "dim"),
            (numbers, ""),
        ]
        lines.append(paint(pieces, style))
    return lines


def _columns(change: Change) -> tuple[str, str, str]:
    """Return up to three numbers: of a histogram how many, on average, at most for 95 of 100."""
    point = change.point
    if point.kind == "gauge":
        if point.name.endswith(".utilization"):
            return "", "", format_quantity(change.value * 100, "%")
        return "", "", format_quantity(change.value, point.unit)
    if point.kind == "sum":
        grown = f"+{format_quantity(change.value, point.unit)}"
        if change.value == point.value:
            return "", "", grown
        return "", grown, f"of {format_quantity(point.value, point.unit)}"
    average = format_quantity(change.total / change.count, point.unit) if change.count else "-"
    return f"{change.count:,}{TIMES}", f"avg {average}", _p95(change, point.unit)


def _p95(change: Change, unit: str) -> str:
    """Return the 95th percentile, interpolated inside its bucket; of few numbers there is none."""
    if change.count < _ENOUGH_FOR_P95:
        return ""
    wanted, seen, lower = 0.95 * change.count, 0, 0.0
    for bound, count in sorted(change.buckets.items()):
        if count and seen + count >= wanted:
            if bound == float("inf"):
                return f"p95 >{format_quantity(lower, unit)}"
            inside = (wanted - seen) / count
            return f"p95 {format_quantity(lower + (bound - lower) * inside, unit)}"
        seen += count
        lower = bound
    return ""


def _label(point: Point) -> str:
    # The values tell enough in their order; a yes or no needs its name.
    return " ".join(
        key.rpartition(".")[2] if value is True else format_value(value)
        for key, value in point.attributes.items()
        if value is not False and not key.startswith(_USUAL)
    )
