"""Count exceptions by type and by the place in the application's code, within bounds."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, TracebackType

# Each type is a series for as long as the process lives; what comes later is added up under the
# name that the conventions have for it
# (https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/#error-type).
_MOST_TYPES = 100
_OTHER = "_OTHER"
# The least recent place gives way.
_MOST_GROUPS = 200
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Exceptions of one type from one place.

    Args:
        type: Class of the exception, with its module.
        place: Function and line: the innermost of the application, else the innermost of all.
        count: How many there were since the start of the process.
    """

    type: str
    place: str
    count: int


class ErrorGroups:
    """The counts; holds class names and places in code, and no text of any exception."""

    def __init__(self) -> None:
        # Reentrant: the garbage collector may run, and report an exception, within it.
        self._lock = threading.RLock()
        self._types: set[str] = set()
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._groups: OrderedDict[tuple[str, str], int] = OrderedDict()

    def add(self, error: BaseException, *, handled: bool) -> None:
        """Count an exception."""
        kind, place = name_type(type(error)), _find_place(error.__traceback__)
        with self._lock:
            if len(self._types) < _MOST_TYPES:
                self._types.add(kind)
            self._counts[kind if kind in self._types else _OTHER, handled] += 1
            self._groups[kind, place] = self._groups.pop((kind, place), 0) + 1
            if len(self._groups) > _MOST_GROUPS:
                self._groups.popitem(last=False)

    def counts(self) -> dict[tuple[str, bool], int]:
        """Return how many there were by type, and whether they were handled."""
        with self._lock:
            return dict(self._counts)

    def top(self, limit: int) -> tuple[ErrorGroup, ...]:
        """Return the largest groups, the largest first."""
        with self._lock:
            groups = Counter(self._groups).most_common(limit)
        return tuple(ErrorGroup(type=key[0], place=key[1], count=count) for key, count in groups)


def name_type(kind: type[BaseException]) -> str:
    """Return the name of a class, with its module if it is not built in.

    https://opentelemetry.io/docs/specs/semconv/registry/attributes/exception/
    """
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _find_place(trace: TracebackType | None) -> str:
    place = ""
    found_application = False
    while trace is not None:
        code = trace.tb_frame.f_code
        ours = _is_application(code)
        if ours or not found_application:
            found_application = ours
            module = trace.tb_frame.f_globals.get("__name__", "?")
            place = f"{module}.{code.co_qualname}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _is_application(code: CodeType) -> bool:
    path = code.co_filename
    return not (
        path.startswith((_STANDARD_LIBRARY, "<frozen"))
        or f"site-packages{os.sep}" in path
        or f"dist-packages{os.sep}" in path
    )
