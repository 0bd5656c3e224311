"""Notice that a process only supervises workers, and has nothing of its own to tell."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook, wrap_function_wrapper

if TYPE_CHECKING:
    from collections.abc import Callable

# The method in which the parent of workers spends its life, by module.
_SUPERVISORS = {
    "uvicorn.supervisors.multiprocess": "Multiprocess.run",
    "uvicorn.supervisors.basereload": "BaseReload.run",
    "gunicorn.arbiter": "Arbiter.run",
    "hypercorn.run": "run",
    "granian.server.mp": "MPServer.serve",
    "multiprocessing.forkserver": "main",
}


def watch_supervisors(stand_down: Callable[[], None]) -> None:
    """Call `stand_down` when this process becomes the parent of workers.

    Spawned workers start their own telemetry; forked ones wake up what they have inherited.
    """
    for module, method in _SUPERVISORS.items():
        hook = functools.partial(_wrap, method=method, stand_down=stand_down)
        register_post_import_hook(hook, module)


def _wrap(module: Any, *, method: str, stand_down: Callable[[], None]) -> None:
    def run(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        # hypercorn serves in this very process when it is told to have no workers.
        if getattr(args[0] if args else None, "workers", 1) != 0:
            stand_down()
        return wrapped(*args, **kwargs)

    wrap_function_wrapper(module, method, run)
