"""The second privacy line: what it catches at which door, what it cannot, what it leaves alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from collector_harness import Collector, wait_until
from collector_sink import Sink, to_sink
from collector_traffic import attributes, log_request, spans_of, sum_request, trace_request

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"

# The word CANARY, or digits that occur nowhere else, must not come out.
SECRETS = {
    "e-mail": ("mail from CANARY.smith@example.com here", "CANARY"),
    "e-mail in a URL": ("/reset?to=CANARY%40example.com", "CANARY"),
    "JWT": ("eyJhbGciOiJIUzI1NiJ9.CANARYCANARY.c2lnbmF0dXJl", "CANARY"),
    "bearer token": ("Authorization: Bearer CANARY0123456789", "CANARY"),
    "API key": ("key sk-CANARY0123456789abcdefgh used", "CANARY"),
    "AWS key": ("AKIACANARY0123456789", "CANARY"),
    "password in a URL": ("postgresql://app:CANARY@db/shop", "CANARY"),
    "secret in a query": ("/x?access_token=CANARY&page=2", "CANARY"),
    "private key": (
        "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----",
        "CANARY",
    ),
    "card": ("paid with 4111 1111 1111 1111 today", "1111 1111"),
    "card, plain": ("5500005555555559", "5500005555555559"),
    "American Express": ("378282246310005", "378282246310005"),
    "IBAN": ("to DE89 3704 0044 0532 0130 00 please", "0532"),
}
# A personal thing without a shape of its own cannot be seen in text.
UNSEEN = {
    "a name": ("hello CANARY Smith", "CANARY"),
    "an IP address": ("from 192.0.2.77", "192.0.2.77"),
    "a short number": ("ssn 078-05-1120", "078-05-1120"),
}
# Names and status messages are searched for fewer things than values.
SHORT = {"e-mail", "e-mail in a URL", "JWT", "API key"}


def _value(text: str) -> Any:
    return attributes({"note": text})[0]


def _span(text: str, door: str) -> Any:
    request = trace_request([os.urandom(16)], spans=1)
    span = spans_of(request)[0]
    resource = request.resource_spans[0]
    match door:
        case "span attribute":
            span.attributes.append(_value(text))
        case "nested attribute":
            nested = span.attributes.add(key="tree").value.kvlist_value.values
            nested.append(_value(text))
        case "list attribute":
            span.attributes.add(key="list").value.array_value.values.add(string_value=text)
        case "span name":
            span.name = text
        case "status message":
            span.status.message = text
        case "event name":
            span.events.add(name=text)
        case "event attribute":
            span.events.add(name="exception").attributes.append(_value(text))
        case "resource":
            resource.resource.attributes.append(_value(text))
        case "scope attribute":
            resource.scope_spans[0].scope.attributes.append(_value(text))
        case "link attribute":
            link = span.links.add(trace_id=os.urandom(16), span_id=os.urandom(8))
            link.attributes.append(_value(text))
    return request


def _log(text: str, door: str) -> Any:
    request = log_request(["fine"])
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    match door:
        case "log body":
            record.body.string_value = text
        case "log body, tree":
            record.body.kvlist_value.values.append(_value(text))
        case "log attribute":
            record.attributes.append(_value(text))
        case "log event name":
            record.event_name = text
    return request


def _metric(text: str, door: str) -> Any:
    request = sum_request("orders", 1, time.time_ns())
    point = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    match door:
        case "point attribute":
            point.attributes.append(_value(text))
        case "exemplar":
            point.exemplars.add(as_int=1).filtered_attributes.append(_value(text))
    return request


DOORS: dict[str, tuple[Callable[[str, str], Any], set[str]]] = {
    # door: (how to send through it, kinds that it does not stop)
    "span attribute": (_span, set()),
    "nested attribute": (_span, set()),
    "list attribute": (_span, set()),
    "span name": (_span, SECRETS.keys() - SHORT),
    "status message": (_span, SECRETS.keys() - SHORT - {"password in a URL"}),
    "event name": (_span, SECRETS.keys() - SHORT | {"JWT", "API key"}),
    "event attribute": (_span, set()),
    "resource": (_span, set()),
    "scope attribute": (_span, set()),
    "link attribute": (_span, set(SECRETS)),
    "log body": (_log, set()),
    "log body, tree": (_log, set()),
    "log attribute": (_log, set()),
    "log event name": (_log, SECRETS.keys() - SHORT | {"JWT", "API key"}),
    "point attribute": (_metric, set()),
    "exemplar": (_metric, set()),
}


@pytest.fixture
def through(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> Callable[[dict[Any, Any]], dict[Any, bytes]]:
    """Send requests one at a time, return what came out for each."""
    back_end = sink()
    exporter = to_sink("otlp_http/otlp", back_end)
    exporter["otlp_http/otlp"]["sending_queue"] = {"enabled": False}
    one = collector(environment={f"{P}OTLP_URL": "http://x"}, config={"exporters": exporter})

    def send(requests: dict[Any, Any]) -> dict[Any, bytes]:
        out = {}
        for name, request in requests.items():
            before = len(back_end.requests)
            assert one.send(request) == 200
            wait_until(lambda before=before: len(back_end.requests) > before, what=str(name))
            out[name] = back_end.requests[-1].body
        return out

    return send


def test_each_door_stops_what_it_says(
    through: Callable[[dict[Any, Any]], dict[Any, bytes]],
) -> None:
    """The whole table, so that a hole that opens or closes is seen."""
    requests = {
        (door, kind): make(text, door)
        for door, (make, _) in DOORS.items()
        for kind, (text, _) in SECRETS.items()
    }
    leaks: dict[str, set[str]] = {door: set() for door in DOORS}
    for (door, kind), body in through(requests).items():
        if SECRETS[kind][1].encode() in body:
            leaks[door].add(kind)
    assert leaks == {door: holes for door, (_, holes) in DOORS.items()}


def test_what_has_no_shape_passes(through: Callable[[dict[Any, Any]], dict[Any, bytes]]) -> None:
    """Said as a test, so that nobody takes this line for the first one."""
    out = through({kind: _log(text, "log body") for kind, (text, _) in UNSEEN.items()})
    assert all(UNSEEN[kind][1].encode() in body for kind, body in out.items())


def test_keys_that_name_a_secret_or_a_person_are_masked(
    through: Callable[[dict[Any, Any]], dict[Any, bytes]],
) -> None:
    """The key is enough, whatever the value looks like; pseudonyms and markers pass."""
    masked = (
        "db.password", "http.request.header.authorization", "http.request.header.cookie",
        "x-api-key", "oauth.refresh_token", "client_secret", "client.address", "user.email",
        "user.full_name", "enduser.id",
    )  # fmt: skip
    kept = {
        "user.email": "ps1.202611.mfrggzdfmztwq2lk",
        "user.name": "[REDACTED:name]",
        "gen_ai.usage.input_tokens": "1200",
        "token_count": "7",
        "author": "CANARY",
        "keyboard": "CANARY",
        "session.id": "CANARY",
    }
    requests: dict[Any, Any] = {}
    for key, value in {**dict.fromkeys(masked, "CANARY-value"), **kept}.items():
        request = trace_request([os.urandom(16)], spans=1)
        spans_of(request)[0].attributes.extend(attributes({key: value}))
        requests[key, value] = request
    wrong = {
        (key, value)
        for (key, value), body in through(requests).items()
        if (value.encode() in body) != (kept.get(key) == value)
    }
    assert wrong == set()


HARMLESS = [
    "GET /items/{id}",
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "550e8400-e29b-41d4-a716-446655440000",
    "5fb8c2b4-4123-4567-8901-234567890123",
    "2026-11-24T14:03:40.123456789Z",
    "1795529154513600116",
    "1795529154513",
    "1.45.2",
    "v0.159.0",
    "10.4.1.22",
    "0.4111111111111111",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "01JD3ZK4Q8V0W9N7YB2M5T6R1X",
    "AB12CDEF34567890",
    "eu-central-1",
    "order 20261124-000123",
    "opentelemetry-instrumentation-fastapi",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "task-scheduler sk-learn 1.5",
    "https://shop.example/items?page=2&sort=price",
    "token_count=1200",
    "+0.000123",
    "550-1234",
    "a@b",
]


def test_ids_times_versions_and_hashes_are_left_alone(
    through: Callable[[dict[Any, Any]], dict[Any, bytes]],
) -> None:
    """A second line that eats ids costs more than it saves."""
    doors = {"span attribute": _span, "span name": _span, "log body": _log}
    requests = {(door, text): make(text, door) for door, make in doors.items() for text in HARMLESS}
    eaten = {key for key, body in through(requests).items() if key[1].encode() not in body}
    assert eaten == set()


def test_numbers_stay_numbers(through: Callable[[dict[Any, Any]], dict[Any, bytes]]) -> None:
    """Scanning every type must not turn counts into text."""
    request = trace_request([os.urandom(16)], spans=1)
    span = spans_of(request)[0]
    span.attributes.add(key="count").value.int_value = 1795529154513600116
    span.attributes.add(key="share").value.double_value = 0.5678901234567891
    span.attributes.add(key="ok").value.bool_value = True
    sent = {a.key: a.value for a in span.attributes}
    body = through({"numbers": request})["numbers"]
    [came] = spans_of(type(request).FromString(body))
    assert {a.key: a.value for a in came.attributes} == sent


def test_sql_literals_go_and_log_bodies_stay(
    through: Callable[[dict[Any, Any]], dict[Any, bytes]],
) -> None:
    """The database sanitiser works on spans, and would rewrite every log body if it saw them."""
    request = trace_request([os.urandom(16)], spans=1)
    query = "SELECT * FROM people WHERE name = 'CANARY' AND age > 33"
    text = attributes({"db.system.name": "postgresql", "db.query.text": query})
    spans_of(request)[0].attributes.extend(text)
    out = through({"span": request, "log": _log("took 17 ms, select 3 of 4", "log body")})
    assert b"SELECT * FROM people WHERE name = ? AND age > ?" in out["span"]
    assert b"took 17 ms, select 3 of 4" in out["log"]


def test_a_series_for_each_person_is_dropped_and_counted(
    collector: Callable[..., Collector], sink: Callable[[], Sink]
) -> None:
    """The point goes, since without the attribute many points would have one identity."""
    back_end = sink()
    one = collector(
        environment={f"{P}OTLP_URL": "http://x"},
        config={"exporters": to_sink("otlp_http/otlp", back_end)},
    )
    personal, harmless = (sum_request(name, 1, time.time_ns()) for name in ("clicks", "orders"))
    point = personal.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    point.attributes.extend(attributes({"user.id": "CANARY"}))
    assert [one.send(personal), one.send(harmless)] == [200, 200]
    wait_until(lambda: back_end.metric_names() == {"orders"}, what="the harmless metric")
    assert one.metric("otelcol_processor_filter_datapoints_filtered") == 1
