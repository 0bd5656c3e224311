"""Print the tables of the soak: the curve, what a request notices, and what became of all."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bear_otel.pipeline.spool_files import list_entries

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import psutil
    from soak_load import Load

SPANS_A_REQUEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How the workers were at one moment, in the order of their names."""

    at: float
    phase: str
    megabytes: list[float]
    descriptors: list[int]
    threads: list[int]
    spool_bytes: int


def list_spool(directory: Path) -> dict[str, tuple[int, int]]:
    """Return how many bytes of the disk, and how many items, wait of each signal."""
    found = {}
    for folder in directory.glob("*"):
        entries = [entry for entry, _ in list_entries(folder)]
        signal_name = folder.name.partition("-")[0]
        found[signal_name] = (sum(e.size for e in entries), sum(e.items for e in entries))
    return found


def take_sample(
    at: float, phase: str, workers: dict[str, psutil.Process], directory: Path
) -> Sample:
    """Look at all workers, and at the largest folder of the spool."""
    return Sample(
        at=at,
        phase=phase,
        megabytes=[each.memory_info().rss / 1e6 for each in workers.values()],
        descriptors=[each.num_fds() for each in workers.values()],
        threads=[each.num_threads() for each in workers.values()],
        spool_bytes=max((size for size, _ in list_spool(directory).values()), default=0),
    )


def print_curve(samples: list[Sample], names: list[str]) -> None:
    """Print one line a minute: the highest of each number in it."""
    print(f"| minute | phases | RSS MB: {', '.join(names)} | fds | threads | spool MB |")
    print("|---|---|---|---|---|---|")
    minutes: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        minutes[int(sample.at // 60)].append(sample)
    for minute, group in minutes.items():
        phases = ", ".join(dict.fromkeys(sample.phase for sample in group))
        columns = [
            " / ".join(
                format(max(values), ".1f" if name == "megabytes" else "d")
                for values in zip(*(getattr(sample, name) for sample in group), strict=True)
            )
            for name in ("megabytes", "descriptors", "threads")
        ]
        spool = max(sample.spool_bytes for sample in group) / 1e6
        print(f"| {minute + 1} | {phases} | {' | '.join(columns)} | {spool:.2f} |")


def print_latencies(loads: dict[str, Load], phases: Iterable[str]) -> None:
    """Print p50 and p99 of each server in each phase, and against the healthy phase."""
    print("\n| phase | server | requests | p50 ms | p99 ms | p50 x healthy | p99 x healthy |")
    print("|---|---|---|---|---|---|---|")
    for phase in phases:
        for name, load in loads.items():
            p50, p99 = _percentiles(load.seconds[phase])
            healthy50, healthy99 = _percentiles(load.seconds["healthy"])
            print(
                f"| {phase} | {name} | {len(load.seconds[phase])} | {p50 * 1e3:.1f} "
                f"| {p99 * 1e3:.1f} | {p50 / healthy50:.2f} | {p99 / healthy99:.2f} |"
            )


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49], cuts[98]


def print_counts(
    report: dict[str, Any], loads: dict[str, Load], waiting: dict[str, tuple[int, int]]
) -> None:
    """Print what was sent, and what became of it."""
    requests = sum(load.count() for name, load in loads.items() if name != "bare")
    dropped: Counter[str] = Counter()
    for name, value in report["values"].items():
        if name.startswith("bear.exporter.dropped"):
            dropped[next(kind for kind in ("traces", "metrics", "logs") if kind in name)] += value
    print(
        "\n| | sent | arrived | dropped, as counted | on disk | of these two arrived, too "
        "| unexplained | arrived again |\n|---|---|---|---|---|---|---|---|"
    )
    for kind, key, sent in (
        ("spans", "traces", requests * SPANS_A_REQUEST),
        ("logs", "logs", requests),
    ):
        found, lost, left = report[kind], dropped[key], waiting.get(key, (0, 0))[1]
        arrived, again, twice = found["distinct"], found["again"], found["once, unanswered"]
        # The sender has dropped, or keeps, what it does not know to have arrived.
        unexplained = sent - arrived - (lost + left - twice)
        cells = (kind, sent, arrived, lost, left, twice, unexplained, again)
        print(f"| {' | '.join(map(str, cells))} |")
    for kind in ("spans", "logs"):
        print(f"{kind} besides those of the load: {json.dumps(report[kind]['others'])}")
    failed = sum(load.failed for load in loads.values())
    print(f"\nrequests to the two instrumented servers {requests}; failed of all {failed}")
    print(f"last values: {json.dumps(report['values'], indent=1)}")
