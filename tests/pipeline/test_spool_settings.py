"""Where the spool is, and whether there is one."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from bear_otel.environment import load_plan
from bear_otel.pipeline.spool import SpoolOptions
from bear_otel.settings import SpoolSettings


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({}, "/home/ada/.local/state/bear-otel/spool"),
        ({"XDG_STATE_HOME": "/state"}, "/state/bear-otel/spool"),
        ({"STATE_DIRECTORY": "/var/lib/shop:/var/lib/more"}, "/var/lib/shop/bear-otel/spool"),
        ({"STATE_DIRECTORY": "/var", "XDG_STATE_HOME": "/state"}, "/var/bear-otel/spool"),
    ],
    ids=["home", "XDG", "systemd", "systemd before XDG"],
)
def test_the_default_is_where_state_belongs(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], directory: str
) -> None:
    """As systemd, the desktop and the home of the user have it."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert load_plan(variables, SpoolSettings()).spool == SpoolOptions(
        directory=Path(directory), max_bytes=64_000_000, max_age_seconds=48 * 3600
    )


def test_a_user_without_a_home_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers do that run under any number; never a folder called `~`."""

    def find_nobody(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", find_nobody)
    spool = load_plan({}, SpoolSettings()).spool
    assert spool is not None
    assert spool.directory == Path(tempfile.gettempdir()) / f"bear-otel-{os.getuid()}"


@pytest.mark.parametrize(
    ("named", "directory"), [("~/spool", "/home/ada/spool"), ("spool", f"{Path.cwd()}/spool")]
)
def test_a_name_is_taken_as_a_shell_would(
    monkeypatch: pytest.MonkeyPatch, named: str, directory: str
) -> None:
    """And does not move when the process changes its working directory."""
    monkeypatch.setenv("HOME", "/home/ada")
    variables = {"STATE_DIRECTORY": "/var"}
    spool = load_plan(variables, SpoolSettings(directory=named)).spool
    assert spool is not None
    assert spool.directory == Path(directory)


def test_it_can_be_switched_off() -> None:
    """What cannot be sent is kept in memory alone then."""
    assert load_plan({}, SpoolSettings(enabled=False)).spool is None
