"""Reset objects that hold threads, locks or sockets in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def reset_in_child(reset: Callable[[], None]) -> None:
    """Call a bound method in every forked child, as long as its object lives.

    Args:
        reset: Bound method that makes the object usable again. It must take no lock: another
            thread of the parent may have held it, and that thread does not exist in the child.
    """
    # Registered functions can never be removed, so they must not keep the object alive.
    method = weakref.WeakMethod(reset)

    def call() -> None:
        if (bound := method()) is not None:
            bound()

    os.register_at_fork(after_in_child=call)
