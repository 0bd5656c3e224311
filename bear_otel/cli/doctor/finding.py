"""What the doctor has to say about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; a problem names the command that mends it.

    Args:
        topic: What was looked at, such as `endpoint of traces`.
        level: `problem` makes the exit code 1.
        text: What was seen, without a secret.
        mend: What to do about it: a command, or a variable to set.
    """

    topic: str
    level: Level
    text: str
    mend: str = ""


def ok(topic: str, text: str) -> Finding:
    """Return the finding that something is as it should be."""
    return Finding(topic=topic, level="ok", text=text)


def note(topic: str, text: str, mend: str = "") -> Finding:
    """Return a finding that may be meant so."""
    return Finding(topic=topic, level="note", text=text, mend=mend)


def problem(topic: str, text: str, mend: str) -> Finding:
    """Return a finding that has to be mended."""
    return Finding(topic=topic, level="problem", text=text, mend=mend)
