"""The order of a trace: spans under their parent, log lines under their span, whatever arrived."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bear_otel.cli.render.records import Log, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLD_FROM = 4
"""So many equal siblings in a row, and more, become one line: the look of an N+1 query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One line of the tree.

    Args:
        content: the span or log line; of folded spans the first.
        folded: all spans that this line stands for.
        parent: the span above, if it arrived.
        prefix: the branches that lead to this line.
        below: the branches that stand before its details.
    """

    content: Span | Log
    folded: tuple[Span, ...]
    parent: Span | None
    prefix: str
    below: str


def walk(spans: Sequence[Span], logs: Sequence[Log]) -> Iterator[Node]:
    """Yield each span and log line once, in the order of a tree, by time among siblings.

    Spans without their parent stand at the top, and so does one span of each cycle; log lines
    whose span did not arrive come last.
    """
    spans = sorted(spans, key=_time)
    by_id = {span.span_id: span for span in spans if span.span_id}
    children: defaultdict[str, list[Span | Log]] = defaultdict(list)
    for span in spans:
        children[span.parent_id].append(span)
        children[span.span_id].extend(span.events)
    for log in logs:
        children[log.span_id if log.span_id in by_id else ""].append(log)
    for siblings in children.values():
        siblings.sort(key=_time)

    tops = [span for span in spans if span.parent_id not in by_id]
    seen: set[int] = set()
    # After the tops, whatever was not reached hangs in a cycle of parents.
    for top in [*tops, *spans]:
        if id(top) not in seen:
            yield from _walk_from(top, by_id, children, seen)
    for log in children[""]:
        if isinstance(log, Log):
            yield Node(content=log, folded=(), parent=None, prefix="", below="")


def _walk_from(
    top: Span,
    by_id: dict[str, Span],
    children: dict[str, list[Span | Log]],
    seen: set[int],
) -> Iterator[Node]:
    # A stack, not recursion: a trace may be ten thousand spans deep.
    stack: list[tuple[list[Span | Log], str, str]] = [([top], "", "")]
    while stack:
        group, prefix, indent = stack.pop()
        content = group[0]
        seen.update(id(member) for member in group)
        below: list[list[Span | Log]] = []
        if isinstance(content, Span) and by_id.get(content.span_id) is content:
            fresh = [child for child in children.get(content.span_id, ()) if id(child) not in seen]
            below = list(_fold(fresh, children))
        yield Node(
            content=content,
            folded=tuple(member for member in group if isinstance(member, Span)),
            parent=by_id.get(content.parent_id) if isinstance(content, Span) else None,
            prefix=prefix,
            below=indent + ("│  " if below else "   "),
        )
        for index in range(len(below) - 1, -1, -1):
            last = index == len(below) - 1
            tip = "─ " if isinstance(below[index][0], Span) else "╴ "
            stack.append(
                (
                    below[index],
                    indent + ("└" if last else "├") + tip,
                    indent + ("   " if last else "│  "),
                )
            )


def _fold(
    siblings: Sequence[Span | Log], children: dict[str, list[Span | Log]]
) -> Iterator[list[Span | Log]]:
    def likeness(item: Span | Log) -> object:
        if isinstance(item, Log) or item.error or children.get(item.span_id):
            return id(item)
        return item.service, item.name

    for _, run in groupby(siblings, likeness):
        members = list(run)
        if len(members) >= _FOLD_FROM:
            yield members
        else:
            yield from ([member] for member in members)


def _time(item: Span | Log) -> int:
    return item.start_ns if isinstance(item, Span) else item.time_ns
