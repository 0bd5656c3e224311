"""What users do is recorded if they have agreed; without their names, and not of everybody."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from bear_otel import ConfigurationError, record_user_interaction, user_consent
from bear_otel.monitoring import setup_production_monitoring
from bear_otel.privacy import Pseudonymizer
from bear_otel.sources.crowds import Crowds
from bear_otel.sources.http import CURRENT_REQUEST
from bear_otel.sources.interactions import Behavior, Session, UserInteraction, create_interaction
from bear_otel.sources.users import USERS
from bear_otel.testing import Captured, capture
from tests.sources.users_harness import RECORD, analytics, events, outcomes

DEVICE = {
    "bear.device.class": "desktop",
    "bear.device.screen.width": "1920+",
    "bear.device.viewport.width": "1024-1439",
    "user_agent.name": "Chrome",
    "user_agent.os.name": "Windows",
    "user_agent.version": "91",
}


def vital(name: str, value: float) -> tuple[str, dict[str, Any]]:
    """Return the event of a vital that is good."""
    return "browser.web_vital", {
        "browser.web_vital.name": name,
        "browser.web_vital.value": value,
        "browser.web_vital.delta": value,
        "browser.web_vital.rating": "good",
    }


def test_the_original_record_becomes_these_events() -> None:
    """All of it: numbers as attributes, and nothing that is not listed here."""
    with analytics() as telemetry:
        assert record_user_interaction(RECORD, consent=True)
        session = telemetry.logs[0].log_record.attributes["session.id"]  # type: ignore[index]
        expected = [
            vital("lcp", 1100.0),
            vital("fcp", 800.0),
            vital("fid", 50.0),
            vital("cls", 0.1),
            ("bear.feature.used", {"bear.feature.name": "chat"}),
            ("bear.feature.used", {"bear.feature.name": "file_upload"}),
            (
                "bear.page.left",
                {
                    "bear.page.clicks": 15,
                    "bear.page.duration": 120.0,
                    "bear.page.errors": 0,
                    "bear.page.scroll_depth": 0.75,
                },
            ),
            (
                "session.end",
                {
                    "bear.session.bounced": False,
                    "bear.session.duration": 300.0,
                    "bear.session.interactions": 15,
                    "bear.session.page_views": 3,
                },
            ),
        ]
        assert events(telemetry) == [
            (name, {"session.id": session, **DEVICE, **attributes}) for name, attributes in expected
        ]
        (load,) = telemetry.metrics()["bear.browser.page_load.duration"]
        assert (load.sum, load.attributes) == (1.2, {})
        assert outcomes(telemetry) == {"recorded": 1}
        telemetry.assert_nothing_of("session_123", "1920x1080", "1200x800", "Windows 10")


def test_the_original_spelling_means_the_same() -> None:
    """CamelCase and milliseconds are understood by the original's interface."""
    original = {
        "sessionId": "session_123",
        "session": {"duration": 300_000, "pageViews": 3, "interactions": 15, "bounced": False},
        "performance": {
            "pageLoadTime": 1200,
            "firstContentfulPaint": 800,
            "largestContentfulPaint": 1100,
            "cumulativeLayoutShift": 0.1,
            "firstInputDelay": 50,
        },
        "behavior": {
            "clickCount": 15,
            "scrollDepth": 75,
            "timeOnPage": 120_000,
            "errorsEncountered": 0,
            "featuresUsed": ["chat", "file_upload"],
        },
        "device": {
            "type": "desktop",
            "os": "Windows 10",
            "browser": "Chrome 91",
            "screenResolution": "1920x1080",
            "viewport": "1200x800",
        },
    }
    monitoring = setup_production_monitoring("production", "1.0.0", enable_user_tracking=True)
    with analytics() as telemetry:
        assert record_user_interaction(RECORD, consent=True)
        ours = events(telemetry)
        for record in (original, RECORD, create_interaction(RECORD)):
            assert monitoring.record_user_interaction(record, consent=True)
        assert events(telemetry) == ours * 4
        # The original's spelling is the original interface's alone.
        assert not record_user_interaction(original, consent=True)


def test_a_session_that_begins_is_an_event() -> None:
    """And one that ends is another."""
    with analytics() as telemetry:
        for session in (Session(started=True), Session(page_views=2)):
            record_user_interaction(UserInteraction(session_id="x", session=session), consent=True)
    assert [name for name, _ in events(telemetry)] == ["session.start", "session.end"]


def test_nothing_is_recorded_unless_it_is_switched_on() -> None:
    """Whatever the caller says; nor is anything counted, nor are requests looked at."""
    seen = []
    app = FastAPI()

    @app.get("/")
    def index() -> None:
        seen.append((CURRENT_REQUEST.get(), record_user_interaction(RECORD, consent=True)))

    with capture({"users": {"enabled": False}}) as telemetry:
        TestClient(app).get("/")
        assert seen[0][1] is False
        assert (events(telemetry), outcomes(telemetry)) == ([], {})
    assert not record_user_interaction(RECORD, consent=True)


def test_nothing_is_recorded_after_the_end() -> None:
    """`stop` takes it out."""
    with analytics():
        pass
    assert not record_user_interaction(RECORD, consent=True)


@pytest.mark.parametrize("consent", [None, False])
def test_outside_of_a_request_somebody_has_to_say_yes(consent: bool | None) -> None:
    """The default is a refusal."""
    with analytics() as telemetry:
        assert not record_user_interaction(RECORD, consent=consent)
        assert (events(telemetry), outcomes(telemetry)) == ([], {"no_consent": 1})


def create_app(consent: bool | None) -> FastAPI:
    """Return an application that records on a request, in a coroutine and in a thread."""
    app = FastAPI()

    @app.post("/async")
    async def record_in_coroutine() -> bool:
        return record_user_interaction(RECORD, consent=consent)

    @app.post("/sync")
    def record_in_thread() -> bool:
        return record_user_interaction(RECORD, consent=consent)

    return app


@pytest.mark.parametrize("path", ["/async", "/sync"])
@pytest.mark.parametrize(
    ("headers", "consent", "outcome"),
    [
        ({}, True, "recorded"),
        ({}, None, "no_consent"),
        ({"Sec-GPC": "1"}, True, "gpc"),
        ({"DNT": "1"}, True, "dnt"),
        ({"DNT": "0", "Sec-GPC": "0"}, True, "recorded"),
    ],
    ids=str,
)
def test_the_browser_of_the_request_decides(
    path: str, headers: dict[str, str], consent: bool | None, outcome: str
) -> None:
    """Also in a thread; what one request says is nothing to the next."""
    with analytics() as telemetry:
        client = TestClient(create_app(consent))
        assert client.post(path, headers=headers).json() is (outcome == "recorded")
        assert outcomes(telemetry) == {outcome: 1}
        names = {name for name, _ in events(telemetry)}
        assert bool(names) is (outcome == "recorded")
        client.post(path)
        expected = "recorded" if consent else "no_consent"
        assert outcomes(telemetry)[expected] == 1 + (expected == outcome)
    assert CURRENT_REQUEST.get() is None


def test_dnt_may_be_switched_off() -> None:
    """By a setting; GPC may not."""
    with analytics(respect_dnt=False) as telemetry:
        client = TestClient(create_app(consent=True))
        assert client.post("/async", headers={"DNT": "1"}).json() is True
        assert client.post("/async", headers={"DNT": "1", "Sec-GPC": "1"}).json() is False
        assert outcomes(telemetry) == {"recorded": 1, "gpc": 1}


@pytest.mark.parametrize(
    ("cookie", "consent", "recorded"),
    [
        ("yes", None, True),
        ("no", None, False),
        ("no", True, False),
        ("yes", False, False),
        ("", None, False),
        ("", True, True),
    ],
)
def test_a_function_may_know_who_has_agreed(
    cookie: str, consent: bool | None, recorded: bool
) -> None:
    """It sees the request; its no is a no whatever the caller says."""

    def has_agreed(request: HTTPConnection) -> bool | None:
        return {"yes": True, "no": False}.get(request.cookies.get("analytics", ""))

    with analytics():
        assert user_consent(has_agreed) is has_agreed
        client = TestClient(create_app(consent), cookies={"analytics": cookie})
        assert client.post("/async").json() is recorded


def test_a_function_that_fails_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and said once, and does not reach the request."""

    def fail(request: HTTPConnection) -> bool:
        raise RuntimeError(request.headers["x-secret"])

    with analytics() as telemetry:
        user_consent(fail)
        client = TestClient(create_app(consent=True), headers={"x-secret": "hunter2"})
        assert [client.post("/async").json() for _ in range(2)] == [False, False]
        assert outcomes(telemetry) == {"error": 2}
    said = [each.getMessage() for each in caplog.records if each.name == "bear_otel"]
    assert said == ["an interaction of a user was left out: RuntimeError while it was recorded"]


def test_a_coroutine_function_cannot_be_asked() -> None:
    """Recording does not wait."""

    async def ask_later(request: HTTPConnection) -> bool:
        return True

    with pytest.raises(ConfigurationError, match="a function without `async`"):
        user_consent(ask_later)  # pyright: ignore[reportArgumentType] - the test


def test_an_event_cannot_be_joined_with_the_request() -> None:
    """It has no trace, and the trace no session."""
    with analytics() as telemetry:
        TestClient(create_app(consent=True)).post("/async")
    traces = {log.log_record.trace_id for log in telemetry.logs if log.log_record.event_name}
    assert traces == {0}
    session = events(telemetry)[0][1]["session.id"]
    (span,) = telemetry.spans
    assert session not in str(span.to_json())


def test_a_person_is_recorded_wholly_or_not_at_all() -> None:
    """Whatever the session, and about as many as the share says."""
    with analytics(sampling=0.3) as telemetry:
        drawn = {
            person: {
                record_user_interaction(
                    UserInteraction(session_id=f"{person}-{visit}"), consent=True, person=person
                )
                for visit in range(3)
            }
            for person in map(str, range(1000))
        }
        assert all(len(results) == 1 for results in drawn.values())
        kept = sum(True in results for results in drawn.values())
        # Five standard deviations around 300.
        assert 227 < kept < 373
        assert outcomes(telemetry) == {"recorded": 3 * kept, "not_sampled": 3 * (1000 - kept)}


@pytest.mark.parametrize(("sampling", "recorded"), [(0.0, False), (1.0, True)])
def test_nobody_and_everybody(sampling: float, recorded: bool) -> None:
    """The ends of the scale are exact."""
    with analytics(sampling=sampling):
        results = {
            record_user_interaction(UserInteraction(session_id=str(number)), consent=True)
            for number in range(200)
        }
    assert results == {recorded}


def sessions(telemetry: Captured) -> list[str]:
    """Return the session of each event."""
    return [attributes["session.id"] for _, attributes in events(telemetry)]


def test_a_session_has_one_pseudonym_a_day_that_processes_share_by_a_key_file(
    tmp_path: Path,
) -> None:
    """Without the file nobody else has the key; with it, whoever has it finds the session."""
    start = UserInteraction(session_id="s-1", session=Session(started=True))
    found = []
    for file in (None, None, str(tmp_path / "keys"), str(tmp_path / "keys")):
        privacy = {"key_file": file} if file else {}
        users = {"enabled": True, "sampling": 1}
        with capture({"users": users, "privacy": privacy}) as telemetry:
            record_user_interaction(start, consent=True)
            record_user_interaction(start, consent=True)
            first, second = sessions(telemetry)
            assert first == second
            found.append(first)
    assert len(set(found)) == 3
    assert found[2] == found[3]


def test_keys_are_destroyed_after_the_retention(tmp_path: Path) -> None:
    """At the start, and on each new day; then nothing leads from a session to its pseudonym."""
    import json

    file = tmp_path / "keys"
    today = Pseudonymizer().period("session").start
    old = {f"1-{today - age}": "AAAA" for age in (11, 10, 1)}
    file.write_text(json.dumps({"version": 1, "keys": old}))
    file.chmod(0o600)
    settings = {"privacy": {"key_file": str(file), "data_retention_days": 10}}
    with capture({**settings, "users": {"enabled": True}}):
        kept = json.loads(file.read_text())["keys"]
    assert {name for name in kept if name.startswith("1-")} == {
        f"1-{today - 10}",
        f"1-{today - 1}",
        f"1-{today}",
    }


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """With what to do about it."""
    file = tmp_path / "keys"
    file.write_text("{}")
    file.chmod(0o644)
    with (
        pytest.raises(ConfigurationError, match="run chmod 600"),
        capture({"users": {"enabled": True}, "privacy": {"key_file": str(file)}}),
    ):
        pass


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "UserInteraction.session_id must be text of 1 to 256 characters"),
        ({"session_id": 3}, "UserInteraction.session_id must be text of 1 to 256 characters"),
        ({"session_id": "x", "email": "a@b.de"}, "UserInteraction has an unknown field; it acce"),
        ({"session_id": "x", "session": 3}, "UserInteraction.session must be Session or a map"),
        (
            {"session_id": "x", "session": {"page_views": 1.5}},
            "Session.page_views must be a whole number from 0 to 1000000",
        ),
        (
            {"session_id": "x", "session": {"page_views": True}},
            "Session.page_views must be a whole number from 0 to 1000000",
        ),
        ({"session_id": "x", "session": {"bounced": 1}}, "Session.bounced must be true or false"),
        (
            {"session_id": "x", "session": {"duration_seconds": float("nan")}},
            "Session.duration_seconds must be a number from 0 to 604800",
        ),
        # A telephone number is no number of clicks.
        (
            {"session_id": "x", "behavior": {"click_count": 4915112345678}},
            "Behavior.click_count must be a whole number from 0 to 1000000",
        ),
        (
            {"session_id": "x", "behavior": {"features_used": ["ada@example.com"]}},
            "Behavior.features_used must be up to 50 names of up to 64 letters",
        ),
        (
            {"session_id": "x", "behavior": {"features_used": "chat"}},
            "Behavior.features_used must be up to 50 names of up to 64 letters",
        ),
        ({"session_id": "x", "device": {"os": "w" * 2000}}, "Device.os must be text of 1 to 1024"),
        ([], "an interaction is a UserInteraction or a map"),
    ],
    ids=str,
)
def test_what_is_not_valid_is_left_out_and_said(
    record: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, without the value; to build such a record raises the same."""
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        create_interaction(record)
    with analytics() as telemetry:
        assert [record_user_interaction(record, consent=True) for _ in range(2)] == [False, False]
        assert outcomes(telemetry) == {"invalid": 2}
        assert events(telemetry) == []
    (said,) = (each.getMessage() for each in caplog.records if each.name == "bear_otel")
    assert said.startswith(f"an interaction of a user was left out: {message}")
    assert "@" not in said


def test_a_typed_record_is_checked_when_it_is_built() -> None:
    """With the name of what is wrong."""
    with pytest.raises(ValueError, match=r"Session\.page_views must be a whole number"):
        Session(page_views="3")  # pyright: ignore[reportArgumentType] - the test
    with pytest.raises(ValueError, match=r"Behavior\.features_used must be"):
        Behavior(features_used=None)  # pyright: ignore[reportArgumentType] - the test


@pytest.mark.parametrize(
    ("allowed", "told"), [((), ["chat", "draw"]), (("chat", "call"), ["chat"])], ids=str
)
def test_only_the_features_of_the_list_are_told(allowed: tuple[str, ...], told: list[str]) -> None:
    """Where there is a list."""
    used = Behavior(features_used=("chat", "draw"))
    with analytics(features=allowed) as telemetry:
        record_user_interaction(UserInteraction(session_id="x", behavior=used), consent=True)
    assert [attributes["bear.feature.name"] for _, attributes in events(telemetry)] == told


def test_a_rare_device_is_not_told() -> None:
    """Only its class, if enough sessions share that; all of it, if they share all."""
    with analytics(device_min_sessions=3) as telemetry:
        for session in ("a", "a", "a", "b", "c", "d"):
            record = {**RECORD, "session_id": session, "behavior": None, "performance": None}
            record_user_interaction(record, consent=True)
        record = {**record, "session_id": "e", "device": {**RECORD["device"], "os": "Debian"}}
        record_user_interaction(record, consent=True)
    described = [
        {key: value for key, value in attributes.items() if key in DEVICE}
        for _, attributes in events(telemetry)
    ]
    other, desktop = {"bear.device.class": "other"}, {"bear.device.class": "desktop"}
    assert described == [other] * 4 + [DEVICE, DEVICE, desktop]


def test_crowds_forget_and_stay_small() -> None:
    """New descriptions are not told once there are too many."""
    crowds = Crowds(2)
    assert [crowds.join("x", each) for each in ("a", "a", "b", "a", "c")] == [
        False,
        False,
        True,
        True,
        True,
    ]
    crowds.disperse()
    assert not crowds.join("x", "a")
    for number in range(2000):
        crowds.join(number, "a")
    assert not crowds.join("late", "a")
    assert not crowds.join("late", "b")
    assert crowds.join("x", "b")


def test_threads_may_record_at_the_same_time() -> None:
    """Nothing is lost or counted twice."""
    with analytics() as telemetry:
        record = UserInteraction(session_id="x", session=Session(started=True))

        def work() -> None:
            for _ in range(50):
                record_user_interaction(record, consent=True)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(telemetry.logs) == 400
        assert outcomes(telemetry) == {"recorded": 400}


def test_a_forked_child_has_seen_nobody() -> None:
    """Or it would tell what only sessions of its parent share."""
    with analytics(device_min_sessions=2):
        for session in ("a", "b"):
            record_user_interaction({**RECORD, "session_id": session}, consent=True)
        assert USERS._recorder is not None
        assert USERS._recorder.crowds._members
        USERS.restart_in_child()
        assert not USERS._recorder.crowds._members
