"""Measure what telemetry costs a whole server, in CPU time over the same server without it.

Run: python benchmarks/server.py
     python benchmarks/server.py --also ddtrace logfire sentry
     python benchmarks/server.py --previous ../another-checkout    # what has a change brought?

Variants take turns within each round, so that a busy machine hits all of them. Only differences
and ratios within one run mean something; the absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from server_process import Server, Sink
from server_variants import (
    BARE,
    OTHERS,
    OURS,
    PREVIOUS,
    SAMPLED,
    STOCK,
    Variant,
    create_previous,
    install,
    list_versions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An endpoint and how often to ask it."""

    path: str
    name: str
    requests: int


WORKS = (
    Work(path="/plain", name="no database", requests=1500),
    Work(path="/query", name="1 query", requests=1500),
    Work(path="/queries", name="3 queries, 1 log line", requests=800),
    Work(path="/stream", name="200 chunks streamed", requests=100),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One work of one server.

    Attributes:
        cpu: Microseconds of CPU a request, all threads, with the sending of what was recorded.
        median: Microseconds of wall time a request.
        slow: The 99th percentile of it.
        spans: Spans that arrived, a request.
        bytes: What was sent, a request.
    """

    cpu: float
    median: float
    slow: float
    spans: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The life of one server.

    Attributes:
        works: By path.
        start: CPU seconds up to the first answer, the launcher's included.
        stop: CPU seconds from the end of the load to the end of the process.
        memory: Resident bytes after the load.
        logs: Log records that arrived.
        points: Data points that arrived.
    """

    works: dict[str, Reading]
    start: float
    stop: float
    memory: int
    logs: int
    points: int


def run_server(variant: Variant, bin_directory: Path, sink: Sink, scale: float) -> Run:
    """Start a server, put it through all works, and stop it."""
    sink.count()
    logs = points = 0
    works: dict[str, Reading] = {}
    with Server(variant, bin_directory, sink.endpoint) as server:
        server.load("/plain", 1)
        start = server.cpu_seconds()
        for work in WORKS:
            requests = max(20, int(work.requests * scale))
            server.load(work.path, requests // 5)
            server.settle()
            sink.count()
            before = server.cpu_seconds()
            times = server.load(work.path, requests)
            server.settle()
            cpu = server.cpu_seconds() - before
            received = sink.count()
            logs += received["logs"]
            points += received["points"]
            works[work.path] = Reading(
                cpu=cpu / requests * 1e6,
                median=statistics.median(times) * 1e6,
                slow=statistics.quantiles(times, n=100)[-1] * 1e6,
                spans=received["spans"] / requests,
                bytes=received["bytes"] / requests,
            )
        memory = server.memory_bytes()
        before = server.cpu_seconds()
        stop = server.stop() - before
        received = sink.count()
    return Run(
        works=works,
        start=start,
        stop=stop,
        memory=memory,
        logs=logs + received["logs"],
        points=points + received["points"],
    )


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of requests")
    parser.add_argument("--also", nargs="*", choices=OTHERS, default=[], help="other products")
    parser.add_argument("--only", nargs="*", help="of all variants, besides bare")
    parser.add_argument("--previous", type=Path, help="another checkout to compare with")
    options = parser.parse_args()
    variants = [BARE, STOCK, OURS, SAMPLED, *(OTHERS[name] for name in options.also)]
    if options.previous:
        variants.append(create_previous(options.previous.resolve()))
    if options.only:
        variants = [v for v in variants if v is BARE or v.name in options.only]
    # The other checkout runs with the packages of this one.
    bins = {v.name: install(OURS if v.name == PREVIOUS else v) for v in variants}
    runs: dict[str, list[Run]] = defaultdict(list)
    started = time.monotonic()
    with Sink() as sink:
        for number in range(options.rounds):
            # A load that grows or ebbs must not always meet the same variant.
            for variant in variants if number % 2 == 0 else reversed(variants):
                runs[variant.name].append(
                    run_server(variant, bins[variant.name], sink, options.scale)
                )
    print(f"{options.rounds} rounds, {time.monotonic() - started:.0f} s\n")
    for work in WORKS:
        print_work(work, runs)
    print_process(runs)
    print_versions(bins)


def print_work(work: Work, runs: dict[str, list[Run]]) -> None:
    """Print the table of one work.

    CPU times are the least of all rounds: what else the machine does can only add to them.
    """
    print(f"### {work.name}\n")
    print("| variant | CPU us | over bare | x stock (rounds) | p50 us | p99 us | spans | bytes |")
    print("|---|---|---|---|---|---|---|---|")
    times = {name: [run.works[work.path].cpu for run in made] for name, made in runs.items()}
    bare = times[BARE.name]
    over = {
        name: [cpu - base for cpu, base in zip(cpus, bare, strict=True)]
        for name, cpus in times.items()
    }
    least = {name: min(cpus) - min(bare) for name, cpus in times.items()}
    for name, made in runs.items():
        readings = [run.works[work.path] for run in made]
        ratio = ""
        if name != BARE.name and STOCK.name in runs:
            rounds = [
                mine / other for mine, other in zip(over[name], over[STOCK.name], strict=True)
            ]
            ratio = f"{least[name] / least[STOCK.name]:.2f} ({min(rounds):.2f}-{max(rounds):.2f})"
        cells = (
            name,
            f"{min(times[name]):.0f}",
            f"{least[name]:.0f}" if name != BARE.name else "",
            ratio,
            f"{statistics.median(reading.median for reading in readings):.0f}",
            f"{statistics.median(reading.slow for reading in readings):.0f}",
            f"{statistics.median(reading.spans for reading in readings):.2f}",
            f"{statistics.median(reading.bytes for reading in readings):.0f}",
        )
        print(f"| {' | '.join(cells)} |")
    print()


def print_process(runs: dict[str, list[Run]]) -> None:
    """Print what is not paid by request."""
    print("### The process\n")
    print("| variant | start CPU ms | x stock | stop CPU ms | memory MB | logs | points |")
    print("|---|---|---|---|---|---|---|")
    starts = {name: [run.start for run in made] for name, made in runs.items()}
    for name, made in runs.items():
        cells = (
            name,
            f"{statistics.median(starts[name]) * 1e3:.0f}",
            _describe_ratio(starts[name], starts.get(STOCK.name)),
            f"{statistics.median(run.stop for run in made) * 1e3:.0f}",
            f"{statistics.median(run.memory for run in made) / 2**20:.0f}",
            f"{statistics.median(run.logs for run in made):.0f}",
            f"{statistics.median(run.points for run in made):.0f}",
        )
        print(f"| {' | '.join(cells)} |")
    print()


def print_versions(bins: dict[str, Path]) -> None:
    """Print the machine and the versions."""
    print(f"CPython {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores")
    wanted = ("fastapi", "starlette", "uvicorn", "SQLAlchemy", "opentelemetry-sdk")
    for name, directory in bins.items():
        versions = list_versions(directory)
        own = [package for package in OTHERS if package in versions]
        print(
            f"- {name}:", ", ".join(f"{p} {versions[p]}" for p in (*wanted, *own) if p in versions)
        )


def _describe_ratio(values: list[float], others: list[float] | None) -> str:
    if others is None:
        return ""
    ratios = [value / other for value, other in zip(values, others, strict=True)]
    ratio = statistics.median(values) / statistics.median(others)
    return f"{ratio:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    main()
