"""Servers under steady load while their collector comes and goes: do they stay as they are?

Run: python benchmarks/soak.py [--cycles 3] [--scale 1.0]

uvicorn with one worker and gunicorn with two run under the launcher and share one small spool; one
more uvicorn runs bare beside them, to tell what is noise of the machine. The phases take turns, so
that noise meets all of them. Prints the tables of SOAK.md.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from soak_collector import ROOT, CollectorProcess
from soak_load import Load
from soak_report import list_spool, print_counts, print_curve, print_latencies, take_sample

from tests.lifecycle.lifecycle_harness import Program, wait_until

# Seconds in one cycle; the first phase of a cycle also empties what the one before has left.
PHASES = {"healthy": 75, "dead": 60, "slow": 40, "flapping": 40}
SAMPLE_SECONDS = 5.0
# So little that it overflows; the part of it that is as long as the phases.
SPOOL_BYTES = 600_000
UVICORN = "uvicorn service:app --port {port} --no-access-log --log-level warning"
GUNICORN = (
    "gunicorn service:app --bind 127.0.0.1:{port} --no-control-socket --log-level warning "
    "-k uvicorn_worker.UvicornWorker -w 2"
)
RATES = {"uvicorn": 14, "gunicorn": 18, "bare": 10}


def main() -> None:
    """Run all phases and print the tables."""
    parser = argparse.ArgumentParser(description="Servers under load while a collector fails.")
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the length of each phase")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        collector = stack.enter_context(CollectorProcess())
        spool = directory / "spool"
        environment = {
            "OTEL_SERVICE_NAME": "soak",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_METRIC_EXPORT_INTERVAL": "10000",
            "BEAR_OTEL_SPOOL_DIRECTORY": str(spool),
            "BEAR_OTEL_SPOOL_MAX_BYTES": str(max(100_000, int(SPOOL_BYTES * options.scale))),
        }
        collector.ask("healthy")
        apps = ROOT / "benchmarks" / "apps"
        loads = {}
        for name, command in (("uvicorn", UVICORN), ("gunicorn", GUNICORN), ("bare", UVICORN)):
            program = Program(
                command, directory / name, environment=environment, bare=name == "bare", cwd=apps
            )
            stack.callback(program.close)
            loads[name] = Load(program, RATES[name])
        workers = find_workers(loads)
        stop = threading.Event()
        threads = [threading.Thread(target=load.run, args=[stop]) for load in loads.values()]
        for thread in threads:
            thread.start()
        samples = []
        started = time.monotonic()
        plan = [("warm-up", 15.0), *PHASES.items()] + [*PHASES.items()] * (options.cycles - 1)
        for phase, seconds in [*plan, ("healthy", 75.0)]:
            collector.ask("healthy" if phase == "warm-up" else phase)
            for load in loads.values():
                load.phase = phase
            ends = time.monotonic() + seconds * options.scale
            while time.monotonic() < ends:
                at = time.monotonic() - started
                samples.append(take_sample(at, phase, workers, spool))
                time.sleep(max(0.0, min(SAMPLE_SECONDS, ends - time.monotonic())))
        stop.set()
        for thread in threads:
            thread.join()
        for load in loads.values():
            load.program.signal(signal.SIGTERM)
            load.program.wait()
        report = collector.ask("report")
        print_curve(samples, list(workers))
        print_latencies(loads, PHASES)
        print_counts(report, loads, list_spool(spool))
        for name, load in loads.items():
            said = [line for line in load.program.stderr.splitlines() if "looked at" not in line]
            print(f"{name} said {len(said)} lines", *said[:40], sep="\n    ")


def find_workers(loads: dict[str, Load]) -> dict[str, psutil.Process]:
    """Return the processes that answer requests, when there are all."""
    masters = {name: psutil.Process(load.program.process.pid) for name, load in loads.items()}
    wait_until(lambda: len(masters["gunicorn"].children()) == 2, "gunicorn has two workers")
    for load in loads.values():

        def answers(load: Load = load) -> bool:
            assert load.program.process.poll() is None, load.program.stderr
            failed = load.failed
            load.request()
            answered, load.failed = load.failed == failed, failed
            if answered:
                load.seconds["first"].append(0.0)
            return answered

        wait_until(answers, "a server answers")
    first, second = masters["gunicorn"].children()
    return {
        "uvicorn": masters["uvicorn"],
        "gunicorn 1": first,
        "gunicorn 2": second,
        "bare": masters["bare"],
    }


if __name__ == "__main__":
    main()
