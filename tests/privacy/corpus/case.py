"""One corpus case, written with its secrets marked in place.

In a value or a key, `⟦...⟧` marks what must not come out and `⟪...⟫` what must stay; the marks are
taken off before use. `$name:argument` inside a mark calls the maker of that name, and a trailing
`|url`, `|b64` or `|json` writes the marked text in that encoding.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from . import make

_MARK = re.compile(r"⟦(?P<secret>[^⟧]*)⟧|⟪(?P<keep>[^⟫]*)⟫")
_ENCODED = re.compile(r"(?P<plain>.*)\|(?P<how>url|b64|json)", re.DOTALL)
_ENCODERS = {
    "url": lambda text: quote(text, safe=""),
    "b64": lambda text: base64.b64encode(text.encode()).decode(),
    "json": lambda text: json.dumps(text)[1:-1],
}
# Another seed makes other values.
_SEED = os.environ.get("PRIVACY_CORPUS_SEED", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A value at one door, and what may and may not come out.

    Attributes:
        id: unique and stable while the case's text is.
        kind: `<broad kind>.<narrow kind>`; harmless look-alikes start with `harmless.`.
        core: an unambiguous case, that every user expects to be right.
        door: the part of a record that holds the value, such as `span.attribute`.
        key: the attribute's key, `None` where the door has none.
        value: what the application recorded.
        secrets: texts that must not occur in the output in any encoding.
        keep: texts that must still occur in it. A harmless case must come out as it went in.
    """

    id: str
    kind: str
    core: bool
    door: str
    key: str | None
    value: object
    secrets: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def harmless(self) -> bool:
        """Whether nothing at all may be changed."""
        return self.kind.startswith("harmless.")


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a value that is not text (a number) as secret."""

    value: int | float


def block(
    kind: str,
    door: str,
    *entries: object,
    key: str | None = None,
    core: bool = True,
    times: int = 1,
) -> list[Case]:
    """Make the cases of one kind at one door.

    Args:
        kind: see `Case`.
        door: see `Case`.
        entries: values, or pairs of key and value.
        key: the key of the entries that are not pairs.
        core: see `Case`.
        times: how many cases to make of an entry that calls a maker, each with other values.
    """
    cases = []
    for entry in entries:
        entry_key, value = entry if isinstance(entry, tuple) else (key, entry)
        for number in range(times if "$" in repr(value) else 1):
            text = repr((kind, door, entry_key, value, number)) + _SEED
            digest = hashlib.sha256(text.encode()).hexdigest()
            reader = _Reader(random.Random(digest))
            plain_key = None if entry_key is None else reader.read_text(entry_key)
            plain_value = reader.read(value)
            cases.append(
                Case(
                    id=f"{kind}.{digest[:8]}",
                    kind=kind,
                    core=core,
                    door=door,
                    key=plain_key,
                    value=plain_value,
                    secrets=tuple(reader.secrets),
                    keep=tuple(reader.keep),
                )
            )
    return cases


def gather(*blocks: list[Case]) -> list[Case]:
    """Join blocks into the cases of a module."""
    return [case for cases in blocks for case in cases]


class _Reader:
    """Takes the marks off one case and remembers what they marked."""

    def __init__(self, rng: random.Random) -> None:
        self.secrets: list[str] = []
        self.keep: list[str] = []
        self._rng = rng

    def read(self, value: object) -> object:
        match value:
            case str():
                return self.read_text(value)
            case bytes():
                return self.read_text(value.decode()).encode()
            case Secret():
                self.secrets.append(str(value.value))
                return value.value
            case Mapping():
                return {self.read(k): self.read(v) for k, v in value.items()}
            case list():
                return [self.read(item) for item in value]
            case _:
                return value

    def read_text(self, text: str) -> str:
        return _MARK.sub(self._unmark, text)

    def _unmark(self, mark: re.Match[str]) -> str:
        marked = mark["keep"] if mark["secret"] is None else mark["secret"]
        encoder = None
        if encoded := _ENCODED.fullmatch(marked):
            marked, encoder = encoded["plain"], _ENCODERS[encoded["how"]]
        if marked.startswith("$"):
            name, _, argument = marked[1:].partition(":")
            marked = make.MAKERS[name](self._rng, argument)
        written = encoder(marked) if encoder else marked
        if mark["secret"] is None:
            self.keep.append(written)
        else:
            self.secrets += _lines(marked)
        return written


def _lines(secret: str) -> list[str]:
    """Split a PEM block, whose frame is no secret, into its lines."""
    return [line for line in secret.splitlines() if not line.startswith("-----")]
