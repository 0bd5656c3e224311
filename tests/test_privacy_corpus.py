"""The privacy corpus is sound, and the scrubber keeps its promises on it."""

# The scorer and the corpus are found at run time.
# pyright: reportMissingImports=false

from __future__ import annotations

import base64
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

_ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(_ROOT / "benchmarks"))

import privacy_corpus as scorer  # noqa: E402 - a script beside the package, not in it
from corpus import checksums, load, make  # noqa: E402 - found through the scorer
from corpus.case import Case, block  # noqa: E402
from privacy_tools import TOOLS, record  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

_DEV = load("dev")
_HOLDOUT = load("holdout")
_ALL = _DEV + _HOLDOUT
_BEAR = TOOLS["bear"]()


def _percent(share: tuple[int, int]) -> float:
    failures, cases = share
    return 100 * failures / cases


def _case(value: object, secret: str) -> Case:
    return Case(
        id="x",
        kind="token.text",
        core=True,
        door="log.body",
        key=None,
        value=value,
        secrets=(secret,),
        keep=(),
    )


def test_the_corpus_is_large_and_its_parts_are_of_a_size() -> None:
    """Figures on few cases, or on parts that differ, would say nothing."""
    assert len(_ALL) >= 1500
    assert 0.7 < len(_DEV) / len(_HOLDOUT) < 1.4


def test_ids_are_unique() -> None:
    """A verdict is found by the id of its case."""
    assert len({case.id for case in _ALL}) == len(_ALL)


def test_both_parts_hold_the_same_kinds() -> None:
    """The hold-out judges what the development part prepares for."""
    kinds = [{case.kind.split(".")[0] for case in part} for part in (_DEV, _HOLDOUT)]
    harmless = [{case.kind for case in part if case.harmless} for part in (_DEV, _HOLDOUT)]
    assert kinds[0] == kinds[1]
    assert harmless[0] == harmless[1]


def test_both_parts_cover_the_same_doors() -> None:
    """Every way out of the process is tried in both parts."""
    assert {case.door for case in _DEV} == {case.door for case in _HOLDOUT}


def test_the_hold_out_shares_nothing_with_the_development_part() -> None:
    """A rule tuned to a development case must not be rewarded in the hold-out."""
    records = [{(c.door, c.key, repr(c.value)) for c in part} for part in (_DEV, _HOLDOUT)]
    secrets = [{secret for c in part for secret in c.secrets} for part in (_DEV, _HOLDOUT)]
    assert records[0].isdisjoint(records[1])
    assert secrets[0].isdisjoint(secrets[1])


def test_each_leak_holds_its_secret_and_each_harmless_case_none() -> None:
    """Without any scrubbing all secrets come out, and everything stays as it was."""
    for case in _ALL:
        verdict = scorer.judge(case, record(case))
        assert (verdict.leaked, verdict.changed, verdict.damaged) == (
            not case.harmless,
            False,
            False,
        ), case


def test_no_token_stands_in_a_file() -> None:
    """Secret scanners must find nothing in the repository, so tokens are made at run time."""
    files = (_ROOT / "tests" / "privacy" / "corpus").glob("*.py")
    source = "".join(path.read_text() for path in files)
    made = {"vendor", "jwt", "pem", "auth_header", "cookie"}
    long = re.compile(r"\S{20,}")
    tokens = {
        secret
        for case in _ALL
        if case.kind.split(".")[0] in made
        for secret in case.secrets
        if long.fullmatch(secret)
    }
    assert not [token for token in tokens if token in source]


@pytest.mark.parametrize(
    ("made", "digit"),
    [
        pytest.param(checksums.luhn_digit("7992739871"), "3", id="luhn"),
        pytest.param(checksums.iban_digits("GB", "WEST12345698765432"), "82", id="iban"),
        pytest.param(checksums.verhoeff_digit("236"), "3", id="verhoeff"),
    ],
)
def test_check_digits_follow_the_published_examples(made: str, digit: str) -> None:
    """A detector that validates must accept what we plant."""
    assert made == digit


@pytest.mark.parametrize("seed", range(50))
def test_made_cards_and_accounts_are_valid(seed: int) -> None:
    """Cards pass Luhn and IBANs leave a remainder of 1, also when spaced."""
    card = re.sub(r"\D", "", make.card(random.Random(seed), ""))
    assert checksums.luhn_digit(card[:-1]) == card[-1]
    iban = make.iban(random.Random(seed), "").replace(" ", "")
    assert int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def test_a_case_is_the_same_in_every_run() -> None:
    """Figures of two runs can be compared only if the cases are the same."""
    first, second = (block("email.x", "log.body", "to ⟦$email⟧", times=3) for _ in range(2))
    assert first == second
    assert len({case.secrets for case in first}) == 3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a@b.co, not ours", id="plain"),
        pytest.param("x=" + quote("a@b.co", safe=""), id="url"),
        pytest.param("x=a%40B.co", id="url in other case"),
        pytest.param(base64.b64encode(b"user a@b.co:x").decode(), id="base64"),
        pytest.param({"k": [b"a@b.co"]}, id="bytes within"),
        pytest.param({"a@b.co": 1}, id="key"),
    ],
)
def test_a_secret_is_seen_in_every_encoding(text: object) -> None:
    """A scrubber must not pass by spelling the secret otherwise."""
    assert scorer.judge(_case("", "a@b.co"), text).leaked


@pytest.mark.parametrize("text", ["", "[REDACTED:email]", "a@b.c o", {"k": 1}])
def test_a_clean_output_is_no_leak(text: object) -> None:
    """Markers and other text must not count as leaks."""
    assert not scorer.judge(_case("", "a@b.co"), text).leaked


def test_half_a_token_is_a_leak() -> None:
    """What is left of a token that was cut in the middle helps an attacker."""
    token = "".join(random.Random(0).choices("abcdef0123456789", k=40))
    assert scorer.judge(_case("", token), f"[REDACTED]{token[-20:]}").leaked
    assert not scorer.judge(_case("", token), f"[REDACTED]{token[-6:]}").leaked


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ([1, "a"], (1, "a"), False),
        (1, True, True),
        (1, 1.0, True),
        ({"a": 1}, {}, True),
        ("1", 1, True),
    ],
)
def test_a_change_of_value_or_type_is_over_redaction(
    before: object, after: object, changed: bool
) -> None:
    """Numbers stay numbers; only the kind of sequence may change."""
    assert scorer.judge(_case(before, "zzz"), after).changed is changed


def test_the_failures_of_the_hold_out_cannot_be_listed() -> None:
    """Who cannot see them cannot tune to them."""
    script = _ROOT / "benchmarks" / "privacy_corpus.py"
    run = subprocess.run(
        [sys.executable, str(script), "--part", "holdout", "--failures"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "stay unseen" in run.stderr


@pytest.mark.parametrize("wrapper", scorer.WRAPPERS.values(), ids=scorer.WRAPPERS)
def test_a_text_inside_another_loses_what_it_loses_alone(wrapper: Callable[[str], str]) -> None:
    """Logs quote logs, as JSON, as `repr`, or between quotes."""
    figures = scorer.rates(wrapped := scorer.wrap(_DEV, wrapper), scorer.score(wrapped, _BEAR))
    assert _percent(figures.core_leak) <= 1.0
    assert _percent(figures.over_redaction) <= 1.0


@pytest.mark.parametrize(
    ("cases", "core_leak", "over_redaction"),
    [
        pytest.param(_DEV, 1.0, 2.0, id="dev"),
        pytest.param(_HOLDOUT, 0.8, 0.6, id="holdout"),
    ],
)
def test_the_scrubber_keeps_its_figures(
    cases: list[Case], core_leak: float, over_redaction: float
) -> None:
    """The limits are in per cent; the hold-out's are what was reported, hardly more."""
    verdicts = scorer.score(cases, _BEAR)
    figures = scorer.rates(cases, verdicts)
    assert _percent(figures.core_leak) <= core_leak
    assert _percent(figures.over_redaction) <= over_redaction
