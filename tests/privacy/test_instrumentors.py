"""OpenTelemetry's own instrumentors blank the query parameters that we know to be secret."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.util import http

from bear_otel.instrumentors import blank_more_parameters


@pytest.fixture(autouse=True)
def own_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the module as it was."""
    monkeypatch.setattr(http, "PARAMS_TO_REDACT", [*http.PARAMS_TO_REDACT])


def test_secret_parameters_are_blanked_and_others_stay() -> None:
    """The list is read at each request, so what is loaded already blanks them, too."""
    url = "https://x/a?access_token=s3cr3t&page=2"
    assert http.redact_url(url) == url
    blank_more_parameters()
    assert http.redact_url(url) == "https://x/a?access_token=REDACTED&page=2"


def test_a_second_call_adds_nothing() -> None:
    """It is called for each instrumentor."""
    blank_more_parameters()
    once = [*http.PARAMS_TO_REDACT]
    blank_more_parameters()
    assert once == http.PARAMS_TO_REDACT
    assert len(set(once)) == len(once)


def test_nothing_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without such an instrumentor pays nothing."""
    monkeypatch.delitem(sys.modules, "opentelemetry.util.http")
    blank_more_parameters()
    assert "opentelemetry.util.http" not in sys.modules
