"""Say in the trace state how many spans a kept one stands for.

The member `ot` of a trace state holds `th`, the rejection threshold of consistent probability
sampling (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/): of 2^56
equally likely random values those from the threshold on are kept, so that a span that was kept
with probability p has `th` = (1 - p) * 2^56 and counts 1 / p times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from opentelemetry.trace.span import TraceState

if TYPE_CHECKING:
    from collections.abc import Iterable

# The threshold that no random value reaches.
NEVER: Final = 1 << 56

_KEY: Final = "ot"
_DIGITS: Final = 14
_THRESHOLD: Final = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
_RANDOM: Final = re.compile(r"(?:^|;)rv:([0-9a-f]{14})(?:;|$)")
# W3C Trace Context: most members, and most characters of one.
_MOST_MEMBERS: Final = 32
_MOST_CHARACTERS: Final = 256


def create_threshold(share: float) -> int:
    """Return the threshold that a share of all random values, 0 to 1, reaches."""
    return NEVER - round(share * NEVER)


def find_randomness(trace_id: int, state: TraceState) -> int:
    """Return the random value of a trace, the same in every service.

    The trace id ends with it, unless the trace state has another one (`rv`). Without the random
    flag of W3C level 2 the id is still presumed to be random, as the specification asks.
    """
    found = _RANDOM.search(state.get(_KEY, ""))
    return int(found[1], 16) if found else trace_id & (NEVER - 1)


def find_threshold(state: TraceState) -> int | None:
    """Return the threshold by which somebody has kept the trace, or None if nobody says."""
    found = _THRESHOLD.search(state.get(_KEY, ""))
    return int(found[1].ljust(_DIGITS, "0"), 16) if found else None


def set_threshold(state: TraceState, threshold: int | None) -> TraceState:
    """Return the trace state with another threshold, or without one.

    What else `ot` says and the members of other vendors stay.
    """
    parts = [part for part in state.get(_KEY, "").split(";") if part and part[:3] != "th:"]
    if threshold is not None:
        parts.insert(0, f"th:{threshold:014x}".rstrip("0") if threshold else "th:0")
    others = ((key, value) for key, value in state.items() if key != _KEY)
    if not parts:
        return TraceState(tuple(others))
    # What was changed stands first, and the member that has not changed for longest gives way.
    entries = ((_KEY, _join(parts)), *others)
    return TraceState(entries[:_MOST_MEMBERS])


def _join(parts: Iterable[str]) -> str:
    kept = [*parts]
    while len(text := ";".join(kept)) > _MOST_CHARACTERS:
        kept.pop()
    return text
