"""CPU of a Python child process that is none of our business: bare, below us, below stock.

Run: python benchmarks/child_process.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from opentelemetry.instrumentation import auto_instrumentation

from bear_otel.children import ROOT
from bear_otel.cli.instrument import prepare

CHILD = [sys.executable, "-c", "pass"]


def _environments() -> dict[str, dict[str, str]]:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # As the application's own process has left it.
    ours = bare | {ROOT: "1:00000000"}
    prepare(ours)
    ours[ROOT] = "1:00000000"
    # As a child of `opentelemetry-instrument` without our package.
    stock = bare | {
        "PYTHONPATH": str(Path(auto_instrumentation.__file__).parent),
        "OTEL_PYTHON_DISTRO": "none",
        "OTEL_PYTHON_CONFIGURATOR": "none",
    }
    return {"bare": bare, "bear-otel": ours, "stock": stock}


def _cpu_milliseconds(environment: dict[str, str]) -> float:
    process = subprocess.Popen(CHILD, env=environment, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    """Print medians of rounds in which the variants take turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    environments = _environments()
    figures: dict[str, list[float]] = {name: [] for name in environments}
    for _ in range(rounds + 1):
        for name, environment in environments.items():
            figures[name].append(_cpu_milliseconds(environment))
    # The first round fills the caches of the file system.
    medians = {name: statistics.median(times[1:]) for name, times in figures.items()}
    print("| variant | CPU ms, median | over bare, ms |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {median - medians['bare']:+.1f} |")


if __name__ == "__main__":
    main()
