"""`bear-otel explain` says why a setting holds, a trace was kept, and all is silent."""

from __future__ import annotations

import pytest

from bear_otel.cli.explain import main


def explain(
    what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, **variables: str
) -> str:
    """Return what is printed, on both streams."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    main([what])
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize(
    ("what", "variables", "text"),
    [
        ("resource.region", {}, "its default; no variable sets it"),
        ("resource.region", {"BEAR_OTEL_REGION": "eu"}, "resource.region = eu"),
        ("BEAR_OTEL_REGION", {"BEAR_OTEL_REGION": "eu"}, "the variable BEAR_OTEL_REGION"),
        ("health.token", {"BEAR_OTEL_HEALTH_TOKEN": "s3cr3t"}, "health.token = ********"),
        ("OTEL_SERVICE_NAME", {"OTEL_SERVICE_NAME": "shop"}, "OpenTelemetry's; it is shop"),
        ("OTEL_SERVICE_NAME", {"OTEL_SERVICE_NAME": ""}, "OpenTelemetry's; it is not set"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            {"OTEL_EXPORTER_OTLP_HEADERS": "x-team=s3cr3t"},
            "it is ********\n",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://ada:s3cr3t@collector:4318"},
            "it is http://[REDACTED:password]@collector:4318\n",
        ),
        ("region", {}, "region is no setting"),
        ("0af7651916cd43dd8448eb211c80319c", {}, "kept like every trace"),
    ],
    ids=str,
)
def test_each_thing_is_explained(
    what: str,
    variables: dict[str, str],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With where it comes from; secrets masked."""
    assert text in explain(what, capsys, monkeypatch, **variables)


def test_silence_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is broken, or else by what one has to know."""
    text = explain("silence", capsys, monkeypatch, OTEL_SDK_DISABLED="true")
    assert "-> unset OTEL_SDK_DISABLED" in text
    monkeypatch.setenv("OTEL_SDK_DISABLED", "")
    monkeypatch.setattr("bear_otel.cli.explain.examine", lambda _: [])
    assert "Metrics come once a minute" in explain("silence", capsys, monkeypatch)
