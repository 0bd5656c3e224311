"""The picture of a trace: what it shows, when it is drawn, what cannot break it."""

# ruff: noqa: RUF001 - the pictures have a multiplication sign

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bear_otel.cli.render.pending import PendingTraces
from bear_otel.cli.render.records import ExceptionInfo, Log, Span
from bear_otel.cli.render.style import Style, cells, cut_end, cut_middle
from bear_otel.cli.render.trace import MAX_ROWS, render_log, render_trace

pytestmark = pytest.mark.usefixtures("utc")
MS = 1_000_000
START = 1_700_000_000_000 * MS
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
ERROR = ExceptionInfo(
    type="httpx.ConnectError",
    message="no route for [REDACTED:email]",
    where="shop/payments.py:41 in charge",
)


def _span(span_id: str, parent_id: str, name: str, begin: float, end: float, **more: Any) -> Span:
    return Span(
        trace_id=TRACE_ID,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        start_ns=START + round(begin * MS),
        end_ns=START + round(end * MS),
        **{"service": "shop", **more},
    )


def _log(span_id: str, at: float, level: str, body: str, **more: Any) -> Log:
    return Log(
        trace_id=TRACE_ID if span_id else "",
        span_id=span_id,
        time_ns=START + round(at * MS),
        level=level,
        body=body,
        **{"service": "shop", **more},
    )


def _query(text: str) -> dict[str, str]:
    return {"db.query.text": text, "db.system.name": "sqlite"}


SPANS = [
    _span("a", "", "POST /orders/{order_id}", 0, 48.3, error=True, exception=ERROR, attributes={
        "http.response.status_code": 500, "http.route": "/orders/{order_id}",
        "url.query": "email=[REDACTED:email]", "shop.tier": "gold"}),
    _span("b", "a", "SELECT users", 1.2, 5.4, attributes=_query("SELECT * FROM users")),
    *(_span(f"c{i}", "a", "SELECT items", 6 + i, 7 + i, attributes=_query("SELECT 1"))
      for i in range(12)),
    _span("d", "a", "POST", 25, 46, kind=3, error=True, exception=ERROR, attributes={
        "http.response.status_code": 502,
        "url.full": "https://payments.internal/charge?card=[REDACTED:card]"}),
    _span("e", "d", "POST /charge", 27, 44.9, service="payments", kind=2, remote_parent=True,
          attributes={"http.response.status_code": 200}),
    _span("f", "e", "chat gpt-4o", 32, 44, service="payments", attributes={
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 120}),
]  # fmt: skip
LOGS = [
    _log("a", 1, "info", "order 17 for [REDACTED:email] accepted"),
    _log("a", 47, "error", "charge failed", exception=ERROR),
    _log("d", 25.5, "warn", "payments answers slowly, so this is tried again with more patience"),
]
PICTURE = """\
22:13:20  shop  payments ────────────────────── 4bf92f3577b34da6a3ce929d0e0e4736
✗ POST /orders/{order_id}  500                    ━━━━━━━━━━━━━━━━━━━━   48.3 ms
│  url.query=email=[REDACTED:email]  shop.tier=gold
├╴ info   order 17 for [REDACTED:email] accepted                        +1.00 ms
├─ SELECT users                                   ━━╸                    4.20 ms
│     SELECT * FROM users
├─ SELECT items  ×12                                ━━━━━╸               12.0 ms
│     SELECT 1
├─ ✗ POST  502                                              ━━━━━━━━━╸   21.0 ms
│  │  https://payments.internal/charge?card=[REDACTED:card]
│  │  ConnectError: no route for [REDACTED:email]
│  │  at shop/payments.py:41 in charge
│  ├╴ warn   payments answers slowly, so this is tried again with more  +25.5 ms
│  │         patience
│  └─ POST /charge  200  payments                            ━━━━━━━━    17.9 ms
│     └─ chat gpt-4o                                           ━━━━━╸    12.0 ms
│           gpt-4o-mini, 812 → 120 tokens
└╴ error  charge failed                                                 +47.0 ms
""".splitlines()


def test_a_trace_is_drawn_as_a_tree() -> None:
    """The whole picture at 80 columns: order, bars, folded queries, logs, exception told once."""
    assert render_trace(list(reversed(SPANS)), list(reversed(LOGS)), Style()) == PICTURE


def test_a_terminal_without_box_characters_gets_ascii() -> None:
    """The ASCII picture is the same picture, character for character."""
    lines = render_trace(SPANS, LOGS, Style(unicode=False))

    assert all(line.isascii() for line in lines)
    assert [len(line) for line in lines] == [len(line) for line in PICTURE]
    assert (
        lines[4]
        == "|- SELECT users                                   ===                    4.20 ms"
    )


def test_colours_change_no_text_and_markers_stand_out() -> None:
    """Without its colours the coloured picture is the plain one; markers are inverted."""
    lines = render_trace(SPANS, LOGS, Style(color=True))

    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines] == PICTURE
    assert "\x1b[7;35m[REDACTED:email]\x1b[0m" in lines[2]
    assert not any("\x1b" in line for line in PICTURE)


def test_what_arrives_cannot_command_the_terminal() -> None:
    """Escape sequences and line breaks in names, attributes and messages are made harmless."""
    evil = "a\x1b]0;owned\x07\r\nb\u202e"
    spans = [_span("a", "", evil, 0, 1, attributes={evil: evil}, service=evil, error=True)]
    lines = render_trace(spans, [_log("a", 0, evil, evil)], Style(color=False))
    lines += render_log(_log("", 0, evil, evil), Style())

    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("spans", "lines"),
    [
        pytest.param(
            [_span("b", "missing", "late child", 0, 1)],
            [
                "late child                                        ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "   its parent missing has not arrived",
            ],
            id="parent-missing",
        ),
        pytest.param(
            [_span("b", "browser", "GET /", 0, 1, kind=2)],
            ["GET /                                             ━━━━━━━━━━━━━━━━━━━━   1.00 ms"],
            id="parent-elsewhere-is-no-news",
        ),
        pytest.param(
            [_span("a", "", "caller", 10, 20), _span("b", "a", "callee", 0, 5)],
            [
                "caller                                                      ━━━━━━━━━━   10.0 ms",
                "└─ callee                                         ━━━━━                  5.00 ms",
                "      starts 10.0 ms before its parent: the clocks differ",
            ],
            id="clock-skew",
        ),
        pytest.param(
            [_span("a", "", "backwards", 5, 0)],
            [
                "backwards                                         ╸                            ?",
                "   ends before it starts",
            ],
            id="negative-duration",
        ),
        pytest.param(
            [_span("a", "b", "egg", 0, 2), _span("b", "a", "hen", 1, 2)],
            [
                "egg                                               ━━━━━━━━━━━━━━━━━━━━   2.00 ms",
                "└─ hen                                                      ━━━━━━━━━━   1.00 ms",
            ],
            id="cycle",
        ),
        pytest.param(
            [_span("a", "a", "self", 0, 1)],
            ["self                                              ━━━━━━━━━━━━━━━━━━━━   1.00 ms"],
            id="own-parent",
        ),
        pytest.param(
            [_span("a", "", "twice", 0, 1), _span("a", "", "twice", 0, 1)],
            ["twice                                             ━━━━━━━━━━━━━━━━━━━━   1.00 ms"],
            id="sent-twice",
        ),
        pytest.param(
            [_span("", "", "no id", 0, 1), _span("", "", "", 0, 1)],
            [
                "no id                                             ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "(no name)                                         ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
            ],
            id="no-ids",
        ),
        pytest.param(
            [_span("a", "", f"GET /{'x' * 50}/end", 0, 1, attributes={"error.type": "a.B"})],
            ["GET /xxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxx/end ━━━━━━━━━━━━━━━━━━━━   1.00 ms"],
            id="long-name",
        ),
        pytest.param(
            [_span("a", "", "job", 0, 1, error=True, status_message="gave up after 3 tries")],
            [
                "✗ job                                             ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "   gave up after 3 tries",
            ],
            id="error-without-exception",
        ),
        pytest.param(
            [_span("a", "", "job", 0, 1, events=(_log("a", 0.5, "event", "cache miss"),))],
            [
                "job                                               ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "└╴ event  cache miss                                                     +500 µs",
            ],
            id="span-event",
        ),
        pytest.param(
            [_span("a", "", "job", 0, 1), *(_span(f"c{i}", "a", "x", 0, 1) for i in range(3))],
            [
                "job                                               ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "├─ x                                              ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "├─ x                                              ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
                "└─ x                                              ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
            ],
            id="three-are-not-folded",
        ),
    ],
)
def test_odd_traces_are_drawn_and_explained(spans: list[Span], lines: list[str]) -> None:
    """Whatever arrives is drawn, each span once, and what is odd about it is said."""
    assert render_trace(spans, [], Style())[1:] == lines


@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_a_trace_of_ten_thousand_spans_is_cut_short(shape: str) -> None:
    """A huge trace takes a screen or two, and the errors among the hidden spans are counted."""
    spans = [
        _span(f"{i}", "0" if shape == "wide" and i else f"{i - 1}" if i else "", f"s{i}", i, 20_000,
              error=i % 2_000 == 1_999)
        for i in range(10_000)
    ]  # fmt: skip
    lines = render_trace(spans, [], Style())

    assert len(lines) == MAX_ROWS + 2
    assert max(cells(line) for line in lines) <= 80
    assert lines[-1] == "… 9,900 more spans (5 failed), 0 more log lines"


TEXT = st.text(max_size=60) | st.sampled_from(["日本語" * 20, "[REDACTED:email]" * 5, "x" * 5000])
IDS = st.sampled_from(["", "a", "b", "c", "d"])


@given(
    st.lists(
        st.builds(
            Span,
            trace_id=st.just(TRACE_ID),
            span_id=IDS,
            parent_id=IDS,
            service=TEXT,
            name=TEXT,
            kind=st.integers(0, 5),
            start_ns=st.integers(0, 2**64 - 1),
            end_ns=st.integers(0, 2**64 - 1),
            error=st.booleans(),
            status_message=TEXT,
            attributes=st.dictionaries(TEXT, TEXT | st.floats() | st.lists(TEXT, max_size=2)),
            exception=st.none() | st.builds(ExceptionInfo, type=TEXT, message=TEXT, where=TEXT),
        ),
        max_size=6,
        unique_by=lambda span: (span.span_id, span.name, span.start_ns),
    ),
    st.lists(
        st.builds(
            Log,
            trace_id=st.just(TRACE_ID),
            span_id=IDS,
            service=TEXT,
            body=TEXT,
            level=st.sampled_from(["info", "log"]),
            time_ns=st.integers(0, 2**64 - 1),
        ),
        max_size=3,
    ),
    st.integers(40, 130),
)
@settings(max_examples=200, deadline=None)
def test_no_input_breaks_the_picture(spans: list[Span], logs: list[Log], width: int) -> None:
    """Any spans and logs are drawn without an error and within the width."""
    style = Style(width=width)
    lines = render_trace(spans, logs, style)
    for log in logs:
        lines += render_log(log, style)

    assert all(line.isprintable() and cells(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("text", "width", "at_the_end", "in_the_middle"),
    [
        ("short", 5, "short", "short"),
        ("abcdefghij", 7, "abcdef…", "abc…hij"),
        ("日本語日本語", 7, "日本語…", "日…語"),
        ("to [REDACTED:email] now", 12, "to…", "to… now"),
        ("anything", 0, "", ""),
    ],
)
def test_text_is_shortened(text: str, width: int, at_the_end: str, in_the_middle: str) -> None:
    """Shortened text fits, and never shows a part of a redaction marker."""
    assert (cut_end(text, width), cut_middle(text, width)) == (at_the_end, in_the_middle)


@pytest.mark.parametrize(
    ("spans", "logs", "due_after"),
    [
        pytest.param([_span("a", "", "root", 0, 1)], [], 1, id="whole"),
        pytest.param([_span("a", "x", "GET", 0, 1, kind=2)], [], 2.5, id="called-from-afar"),
        pytest.param([], [_log("a", 0, "info", "hi")], 3, id="only-logs"),
        pytest.param([_span("b", "a", "SELECT", 0, 1)], [], 10, id="no-root-yet"),
    ],
)
def test_a_trace_is_held_back_until_it_is_whole(
    spans: list[Span], logs: list[Log], due_after: float
) -> None:
    """A trace is drawn one quiet time after its root arrived, and later when it has none."""
    pending = PendingTraces(quiet_s=1)
    pending.add_spans(spans, 100)
    assert pending.add_logs(logs, 100) == []

    assert pending.take_due(100 + due_after - 0.1) == []
    (trace,) = pending.take_due(100 + due_after)
    assert (trace.spans, trace.logs, trace.late) == (spans, logs, False)
    assert pending.take_due(1000, everything=True) == []


def test_traces_are_drawn_in_the_order_they_began() -> None:
    """Of several that are due, the earliest comes first, whichever ended first."""
    pending = PendingTraces(quiet_s=1)
    for begin in (5, 3, 9):
        span = replace(_span("a", "", "root", begin, 10), trace_id=f"{begin:032x}")
        pending.add_spans([span], 100)

    starts = [trace.spans[0].start_ns - START for trace in pending.take_due(101)]
    assert starts == [3 * MS, 5 * MS, 9 * MS]


def test_new_arrivals_prolong_the_wait_and_late_ones_are_said_to_be() -> None:
    """Quiet means since the last arrival; what comes after the picture is marked as late."""
    pending = PendingTraces(quiet_s=1)
    pending.add_spans([_span("a", "", "root", 0, 1)], 100)
    pending.add_spans([_span("b", "a", "child", 0, 1)], 100.9)
    assert pending.take_due(101.5) == []
    (trace,) = pending.take_due(101.9)
    assert len(trace.spans) == 2

    pending.add_spans([_span("c", "b", "grandchild", 0, 1)], 105)
    (late,) = pending.take_due(106)

    assert late.late
    assert render_trace(late.spans, [], Style(), late=late.late) == [
        "22:13:20  shop  late: drawn before ──────────── 4bf92f3577b34da6a3ce929d0e0e4736",
        "grandchild                                        ━━━━━━━━━━━━━━━━━━━━   1.00 ms",
    ]


def test_a_flood_is_drawn_rather_than_kept() -> None:
    """Memory is bounded: with too much held back, all is drawn as it is."""
    pending = PendingTraces(quiet_s=1)
    pending.add_spans([_span("a", "", "root", 0, 1)] * 50_001, 100)

    assert len(pending.take_due(100)) == 1
