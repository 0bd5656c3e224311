"""Measure what telemetry costs a process before it does anything, and which imports that is.

Run: python benchmarks/startup.py
     python benchmarks/startup.py --imports       # what is imported under our launcher, by cost

CPU time of whole processes, the launcher's included; the variants take turns, and the least of
all rounds counts, since other work on the machine can only add.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from server_process import APPS
from server_variants import BARE, OURS, STOCK, Variant, install

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = {
    "an empty program": "pass",
    "the service, imported": "import service",
}
# Nobody listens there, and nothing is said about it.
_NOWHERE = "http://127.0.0.1:9"
_MOST_ROWS = 25


def run(variant: Variant, bin_directory: Path, *arguments: str) -> tuple[float, str]:
    """Run Python under a variant; return the CPU seconds of its life and its stderr."""
    launcher = [str(bin_directory / word) for word in variant.launcher]
    environment = {
        "PATH": f"{bin_directory}{os.pathsep}/usr/bin{os.pathsep}/bin",
        **{name: value.format(endpoint=_NOWHERE) for name, value in variant.environment.items()},
    }
    for signal in ("TRACES", "METRICS", "LOGS"):
        # What is measured is the start, not the wait for a collector at the end.
        environment[f"OTEL_{signal}_EXPORTER"] = "none"
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*launcher, str(bin_directory / "python"), *arguments],
            cwd=APPS,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode()
    if process.returncode:
        raise RuntimeError(said)
    return usage.ru_utime + usage.ru_stime, said


def print_processes(rounds: int, bins: dict[str, Path]) -> None:
    """Print the table of whole processes."""
    least: dict[tuple[str, str], float] = defaultdict(lambda: float("inf"))
    for _ in range(rounds):
        for program, code in PROGRAMS.items():
            for variant in (BARE, STOCK, OURS):
                seconds, _ = run(variant, bins[variant.name], "-c", code)
                key = program, variant.name
                least[key] = min(least[key], seconds)
    print("| program | bare ms | stock over bare | bear-otel over bare | x stock |")
    print("|---|---|---|---|---|")
    for program in PROGRAMS:
        bare, stock, ours = (least[program, v.name] * 1e3 for v in (BARE, STOCK, OURS))
        ratio = (ours - bare) / (stock - bare)
        print(f"| {program} | {bare:.0f} | {stock - bare:.0f} | {ours - bare:.0f} | {ratio:.2f} |")


def print_imports(bins: dict[str, Path]) -> None:
    """Print what is imported under our launcher, without what the service imports anyway."""
    _, said = run(
        BARE, bins[BARE.name], "-X", "importtime", "-c", PROGRAMS["the service, imported"]
    )
    anyway = {module for module, _ in _parse(said)}
    _, said = run(OURS, bins[OURS.name], "-X", "importtime", "-c", "pass")
    packages: Counter[str] = Counter()
    modules = [(module, cost) for module, cost in _parse(said) if module not in anyway]
    for module, cost in modules:
        depth = 2 if module.startswith(("bear_otel", "opentelemetry")) else 1
        packages[".".join(module.split(".")[:depth])] += cost
    total = sum(cost for _, cost in modules)
    print(f"{len(modules)} modules that the service does not import, {total / 1e3:.0f} ms\n")
    for title, rows in (("package", packages.most_common()), ("module", modules)):
        print(f"| {title} | ms |\n|---|---|")
        for name, cost in sorted(rows, key=lambda row: -row[1])[:_MOST_ROWS]:
            print(f"| {name} | {cost / 1e3:.1f} |")
        print()


def _parse(said: str) -> list[tuple[str, int]]:
    """Return modules and their own microseconds from the output of `-X importtime`."""
    rows = [line.removeprefix("import time:").split("|") for line in said.splitlines()]
    return [
        (name.strip(), int(own))
        for own, _, name in (row for row in rows if len(row) == 3)
        if own.strip().isdecimal()
    ]


def main() -> None:
    """Run it and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    bins = {variant.name: install(variant) for variant in (BARE, STOCK, OURS)}
    if options.imports:
        print_imports(bins)
    else:
        print_processes(options.rounds, bins)


if __name__ == "__main__":
    main()
