"""Decide which processes below the launcher are the application, before anything is imported.

Python passes the launcher on to every process that the application starts, by `PYTHONPATH`. Most
of them are none of our business: a helper script, a compiler, `multiprocessing`'s own tracker.
This module imports nothing heavy, since each of them pays for it.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

# The first Python process below the launcher writes here who it is; its children read it.
ROOT = "BEAR_OTEL_ROOT"

# What a process writes there that is none of our business: neither are its own children.
_STRANGER = "none"

_EVERY_CHILD = "BEAR_OTEL_CHILDREN_ENABLED"


def is_application(environ: MutableMapping[str, str], argv: Sequence[str], pid: int) -> bool:
    """Return whether this process is the application or one of its workers.

    The application is the first Python process below the launcher, the same program started again
    (a reloader, gunicorn's upgrade), or a worker that `multiprocessing` spawned.

    Args:
        environ: Environment of this process; gets the mark of the root if it has none.
        argv: Its whole command line, `sys.orig_argv`.
        pid: Its process id.
    """
    root_pid, _, root_digest = environ.get(ROOT, str(pid)).partition(":")
    if root_pid == str(pid):
        # The first one, or the first one after it replaced itself by another program (`os.exec`).
        environ[ROOT] = f"{pid}:{_digest(argv)}"
        return True
    if environ.get(_EVERY_CHILD, "").strip().lower() in ("true", "1", "yes", "on"):
        return True
    if _is_multiprocessing(argv):
        ours = root_pid != _STRANGER and not any("resource_tracker" in each for each in argv)
    else:
        ours = root_digest == _digest(argv)
    if not ours:
        environ[ROOT] = _STRANGER
    return ours


def is_worker(environ: MutableMapping[str, str], pid: int) -> bool:
    """Return whether another process below the same launcher came first."""
    return not environ.get(ROOT, f"{pid}:").startswith(f"{pid}:")


def _is_multiprocessing(argv: Sequence[str]) -> bool:
    return any("from multiprocessing." in argument for argument in argv) or (
        "--multiprocessing-fork" in argv
    )


def _digest(argv: Sequence[str]) -> str:
    # Without the interpreter, which may be named by another path. A checksum, not the words: they
    # may hold a password, and every child can read the environment.
    return f"{zlib.crc32(chr(0).join(argv[1:]).encode('utf-8', 'surrogateescape')):08x}"
