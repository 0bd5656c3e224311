"""Pseudonyms: the same for all who share the keys, and gone with them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bear_otel.privacy import KeyFile, Pseudonymizer
from bear_otel.privacy.pseudonyms import Period

if TYPE_CHECKING:
    from pathlib import Path

_DAY = 86_400
_START = 20_760 * _DAY  # begins a day, and a period of 30 days


class Clock:
    """A clock that stands where it was put."""

    def __init__(self, now: float = _START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_pseudonym_says_its_period_and_nothing_of_the_value() -> None:
    """It has 96 bits of a keyed hash; the key is random, so two processes differ."""
    clock = Clock()

    one = Pseudonymizer(clock=clock).pseudonym("email", "alice@example.com")
    other = Pseudonymizer(clock=clock).pseudonym("email", "alice@example.com")

    assert one.startswith("ps1.20760.")
    assert len(one) == len("ps1.20760.") + 20
    assert one != other


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("email", "Alice@Example.com", "alice@example.COM ", True),
        ("email", "e\u0301lodie@x.fr", "\u00e9lodie@x.fr", True),
        ("user", "Alice", "alice", False),
        ("user", "1", "2", False),
    ],
)
def test_spellings_of_one_person_are_one(kind: str, one: str, other: str, same: bool) -> None:
    """E-mail addresses are compared without case, all values in one normal form."""
    pseudonyms = Pseudonymizer(clock=Clock())

    assert (pseudonyms.pseudonym(kind, one) == pseudonyms.pseudonym(kind, other)) is same


def test_kinds_never_share_a_pseudonym() -> None:
    """A user whose name is an address cannot be joined with that address."""
    pseudonyms = Pseudonymizer(clock=Clock())

    assert pseudonyms.pseudonym("user", "a@b.co") != pseudonyms.pseudonym("email", "a@b.co")


def test_a_new_period_makes_a_new_person() -> None:
    """A session's pseudonym lasts a day, another's thirty."""
    clock = Clock()
    pseudonyms = Pseudonymizer(clock=clock)
    first = {kind: pseudonyms.pseudonym(kind, "x") for kind in ("session", "user")}

    clock.now += _DAY
    next_day = {kind: pseudonyms.pseudonym(kind, "x") for kind in ("session", "user")}
    clock.now += 30 * _DAY
    next_month = pseudonyms.pseudonym("user", "x")

    assert next_day["session"] != first["session"]
    assert next_day["user"] == first["user"]
    assert next_month != first["user"]


def test_processes_that_share_the_file_agree(tmp_path: Path) -> None:
    """Workers that start at once get one key, whoever makes it."""
    program = (
        "import sys; from bear_otel.privacy import KeyFile, Pseudonymizer;"
        "print(Pseudonymizer(KeyFile(sys.argv[1])).pseudonym('user', 'alice'))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "keys")]

    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {worker.communicate(timeout=180)[0].strip() for worker in workers}

    assert len(said) == 1
    assert said.pop().startswith("ps1.")


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """The file is made with mode 0600, and refused when others may read it."""
    path = tmp_path / "deep" / "keys"
    Pseudonymizer(KeyFile(path), clock=Clock()).pseudonym("user", "alice")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read the keys; run chmod 600"):
        KeyFile(path)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"keys": {"x": "y"}}', '{"keys": 3}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """A file that holds something else is not overwritten."""
    path = tmp_path / "keys"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ValueError, match="not a key file"):
        KeyFile(path)
    assert path.read_text() == content


def test_living_pseudonyms_answer_a_request_and_die_with_their_keys(tmp_path: Path) -> None:
    """The running and the last period can be searched for; older keys are gone from the file."""
    clock = Clock()
    destroyed: list[Period] = []
    keys = KeyFile(tmp_path / "keys", destroyed=destroyed.append)
    pseudonyms = Pseudonymizer(keys, clock=clock)
    made = []
    for _ in range(3):
        made.append(pseudonyms.pseudonym("user", "alice"))
        clock.now += 30 * _DAY

    assert pseudonyms.living("user", "alice") == [made[2], made[1]]
    assert destroyed == [Period(30, 20_760)]
    assert "30-20760" not in json.loads((tmp_path / "keys").read_text())["keys"]


def test_destroying_on_request_forgets_at_once(tmp_path: Path) -> None:
    """Nobody can link what was stored to a person again; a running period gets a new key."""
    keys = KeyFile(tmp_path / "keys")
    pseudonyms = Pseudonymizer(keys, clock=Clock())
    pseudonyms.pseudonym("user", "alice")

    gone = keys.destroy(before=30_000)

    assert gone == [Period(30, 20_760)]
    assert pseudonyms.living("user", "alice") == []
