"""Score a scrubber on the privacy corpus: what leaks, what is damaged for nothing.

    python benchmarks/privacy_corpus.py [--part dev|holdout] [--tool bear none ...]
        [--seed N] [--inside json|repr|quotes|line] [--failures]

Three figures, in per cent:
    leak             cases of which a secret came out, plain, URL-encoded, base64 or JSON-escaped
    over-redaction   harmless cases that did not come out as they went in
    collateral       leak cases of which a harmless part, marked as such, did not come out

`core` counts only the cases that every user expects to be right. A seed gives the same records
other secrets; `--inside` puts the texts of logs and errors into another text. The other tools are
imported when asked for; install them where you like: `logfire`, `sentry-sdk`, `presidio-analyzer`
and `presidio-anonymizer` (with any spaCy model for `presidio-ner`).
"""

# The corpus is found at run time, and the other tools may be missing.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

_ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests" / "privacy")]

from corpus import load  # noqa: E402 - the corpus is test data, no part of the package
from privacy_tools import TOOLS, Tool, record  # noqa: E402 - beside this file

if TYPE_CHECKING:
    from corpus.case import Case

WRAPPERS: dict[str, Callable[[str], str]] = {
    "json": lambda text: json.dumps({"level": "error", "msg": text, "n": 3}),
    "repr": lambda text: f"RuntimeError: job failed: ValueError({text!r})",
    "quotes": lambda text: f'worker said "{text}" and stopped',
    "line": lambda text: f"2026-11-24 17:22:25,123 ERROR [shop.orders] {text} (attempt 2 of 5)",
}
_TOKEN = re.compile(r"[\w+/=.~-]{24,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a tool did to one case."""

    leaked: bool
    changed: bool
    damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The figures of some cases, each as (failures, cases)."""

    leak: tuple[int, int]
    core_leak: tuple[int, int]
    over_redaction: tuple[int, int]
    core_over_redaction: tuple[int, int]
    collateral: tuple[int, int]


def judge(case: Case, clean: object) -> Verdict:
    """Compare what came out with what may come out."""
    text = "\n".join(_texts(clean))
    folded = text.casefold()
    return Verdict(
        leaked=any(_occurs(secret, text, folded) for secret in case.secrets),
        changed=_plain(clean) != _plain(record(case)),
        damaged=any(part not in text for part in case.keep),
    )


def score(cases: list[Case], tool: Tool) -> dict[str, Verdict]:
    """Return the verdict on each case, by its id."""
    return {case.id: judge(case, tool(case)) for case in cases}


def rates(cases: list[Case], verdicts: dict[str, Verdict]) -> Rates:
    """Sum the verdicts of some cases up."""

    def share(fails: str, chosen: list[Case]) -> tuple[int, int]:
        return sum(getattr(verdicts[case.id], fails) for case in chosen), len(chosen)

    leaks = [case for case in cases if not case.harmless]
    harmless = [case for case in cases if case.harmless]
    return Rates(
        leak=share("leaked", leaks),
        core_leak=share("leaked", [case for case in leaks if case.core]),
        over_redaction=share("changed", harmless),
        core_over_redaction=share("changed", [case for case in harmless if case.core]),
        collateral=share("damaged", [case for case in leaks if case.keep]),
    )


def wrap(cases: list[Case], wrapper: Callable[[str], str]) -> list[Case]:
    """Return the cases of logs and errors with their texts inside of other texts."""
    doors = ("log.body", "exception.message", "status.description")
    return [
        replace(case, value=wrapper(case.value), keep=())
        for case in cases
        if case.door in doors and isinstance(case.value, str)
    ]


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("utf-8", "replace")
        case Mapping():
            for key, item in value.items():
                yield from _texts(key)
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case _:
            yield str(value)


def _plain(value: object) -> object:
    """Return a value that compares by content, with its types: `1`, `1.0` and `True` differ."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return type(value).__name__, value


def _occurs(secret: str, text: str, folded: str) -> bool:
    forms = [secret]
    if _TOKEN.fullmatch(secret):
        forms.append(secret[len(secret) // 2 :])  # half a token is worth guessing the rest
    for form in forms:
        spelled = {form, quote(form, safe=""), quote_plus(form), json.dumps(form)[1:-1]}
        if any(item.casefold() in folded for item in spelled):
            return True
    return len(secret) > 5 and any(item in text for item in _base64(secret))


def _base64(secret: str) -> Iterator[str]:
    """Yield how a text looks within base64, at each of the three alignments."""
    raw = secret.encode("utf-8", "surrogatepass")
    for lead in range(3):
        body = raw[(3 - lead) % 3 :]
        encoded = base64.b64encode(body[: len(body) // 3 * 3]).decode()
        yield from {encoded, encoded.replace("+", "-").replace("/", "_")}


def _percent(share: tuple[int, int]) -> str:
    failures, cases = share
    return f"{100 * failures / cases:.1f}" if cases else "-"


def _row(name: str, figures: Rates) -> str:
    cells = [
        _percent(figures.core_leak),
        _percent(figures.leak),
        _percent(figures.core_over_redaction),
        _percent(figures.over_redaction),
        _percent(figures.collateral),
    ]
    cases = figures.leak[1] + figures.over_redaction[1]
    return f"| {name} | {cases} | {' | '.join(cells)} |"


def _table(first: str, rows: list[str]) -> str:
    columns = "cases | leak, core | leak | over-redaction, core | over-redaction | collateral"
    return "\n".join([f"| {first} | {columns} |", "|---|--:|--:|--:|--:|--:|--:|", *rows, ""])


def _grouped(cases: list[Case], by: Callable[[Case], str]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[by(case)].append(case)
    return dict(sorted(groups.items()))


def _broad_kind(case: Case) -> str:
    return case.kind if case.harmless else case.kind.split(".")[0]


def main() -> int:
    """Print the tables that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--part", choices=["dev", "holdout"], default="dev")
    parser.add_argument("--tool", choices=TOOLS, nargs="+", default=["bear"])
    parser.add_argument("--seed", default="", help="of the secrets; others than the usual ones")
    parser.add_argument("--inside", choices=WRAPPERS, help="texts within another text")
    parser.add_argument("--failures", action="store_true", help="list the failing cases (dev only)")
    options = parser.parse_args()
    if options.failures and options.part == "holdout":
        parser.error("the hold-out's failures stay unseen, so that nothing is tuned to them")
    os.environ["PRIVACY_CORPUS_SEED"] = options.seed  # read when the corpus is made
    cases = load(options.part)
    if options.inside:
        cases = wrap(cases, WRAPPERS[options.inside])
    scored = {}
    for name in options.tool:
        tool = TOOLS[name]()
        scored[name] = tool, score(cases, tool)
    print(_table("tool", [_row(name, rates(cases, v)) for name, (_, v) in scored.items()]))
    for name, (tool, verdicts) in scored.items():
        for title, by in (("kind", _broad_kind), ("door", lambda case: case.door)):
            groups = _grouped(cases, by)
            print(f"{name}, by {title}\n")
            print(_table(title, [_row(k, rates(group, verdicts)) for k, group in groups.items()]))
        if options.failures:
            _print_failures(cases, verdicts, tool)
    return 0


def _print_failures(cases: list[Case], verdicts: dict[str, Verdict], tool: Tool) -> None:
    for case in cases:
        verdict = verdicts[case.id]
        if case.harmless:
            wrong = ["over-redacted"] if verdict.changed else []
        else:
            wrong = ["leaked"] * verdict.leaked + ["damaged"] * verdict.damaged
        if wrong:
            mark = "core " if case.core else ""
            print(f"{mark}{' and '.join(wrong)}: {case.id} at {case.door}")
            print(f"    in  {record(case)!r}\n    out {tool(case)!r}")


if __name__ == "__main__":
    raise SystemExit(main())
