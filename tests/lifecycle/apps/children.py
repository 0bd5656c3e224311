"""A program that does a part of its work in other processes; its argument says which."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from program import work


def _run_processes(method: str) -> None:
    context = multiprocessing.get_context(method)
    children = [context.Process(target=work, args=(f"child {n}",)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def _run_executor(method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        list(executor.map(work, ["child 0", "child 1"]))


def _run_pool(method: str) -> None:
    # Its end terminates the workers by a signal.
    with multiprocessing.get_context(method).Pool(1) as pool:
        pool.map(work, ["child 0", "child 1"])


def _fork() -> None:
    for n in range(2):
        pid = os.fork()
        if pid == 0:
            work(f"child {n}")
            sys.exit()
        os.waitpid(pid, 0)


WAYS = {
    "fork": lambda: _run_processes("fork"),
    "spawn": lambda: _run_processes("spawn"),
    "forkserver": lambda: _run_processes("forkserver"),
    "executor-fork": lambda: _run_executor("fork"),
    "executor-spawn": lambda: _run_executor("spawn"),
    "executor-forkserver": lambda: _run_executor("forkserver"),
    "pool-fork": lambda: _run_pool("fork"),
    "pool-spawn": lambda: _run_pool("spawn"),
    "os-fork": _fork,
}

if __name__ == "__main__":
    # What the parent has counted before must not be counted again by its children.
    work("parent")
    WAYS[sys.argv[1]]()
    work("parent")
