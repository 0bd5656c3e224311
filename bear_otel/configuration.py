"""Load the settings from code, environment and file, with the origin of each value."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from bear_otel.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})

MASK = "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One setting as it stands in the schema."""

    path: tuple[str, ...]
    type: Any
    default: Any
    doc: str
    env: str | None
    secret: bool
    minimum: float | None
    maximum: float | None

    @property
    def name(self) -> str:
        """Dotted name, as written in the file and in code."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Settings, where each value that is not a default came from, and what was not understood."""

    settings: Settings
    origins: Mapping[str, str]
    unknown_variables: tuple[str, ...] = ()


def iterate_leaves(cls: type = Settings, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every setting of the schema, depth first, in the order of declaration."""
    hints = get_type_hints(cls)
    for item in fields(cls):
        where = (*path, item.name)
        hint = hints[item.name]
        if is_dataclass(hint):
            yield from iterate_leaves(typing.cast("type", hint), where)
        else:
            yield _create_leaf(item, where, hint)


def load_configuration(
    *,
    code: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Mapping[str, Any] | None = None,
) -> Configuration:
    """Merge the three doors: code > environment > file > default.

    Args:
        code: Nested mapping with the names of `Settings`.
        environ: Environment variables; an empty value counts as unset.
        file: The map under `distribution: bear_otel:` of the OpenTelemetry configuration file.

    Raises:
        ConfigurationError: An unknown name, or a value that its setting does not accept.
    """
    leaves = {leaf.name: leaf for leaf in iterate_leaves()}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    variables = environ or {}

    for name, raw in _flatten(file or {}, leaves, "distribution.bear_otel"):
        values[name] = _convert(leaves[name], raw, f"distribution.bear_otel.{name}")
        origins[name] = "file"
    for leaf in leaves.values():
        if leaf.env and (raw := variables.get(leaf.env, "").strip()):
            values[leaf.name] = _convert(leaf, raw, leaf.env)
            origins[leaf.name] = leaf.env
    for name, raw in _flatten(code or {}, leaves, "config"):
        values[name] = _convert(leaves[name], raw, name)
        origins[name] = "code"

    known = {leaf.env for leaf in leaves.values()}
    unknown = sorted(
        _say_unknown(name, known)
        for name in variables
        if name.startswith("BEAR_OTEL_") and name not in known and not name.startswith(_FOREIGN)
    )
    return Configuration(
        settings=_build(Settings, values, ()),
        origins=origins,
        unknown_variables=tuple(unknown),
    )


# Set by the launcher for the processes below it; read by the Collector's configuration.
_FOREIGN = ("BEAR_OTEL_ROOT", "BEAR_OTEL_MISSING_TOLD", "BEAR_OTEL_COLLECTOR")


def show(leaf: Leaf, value: object) -> str:
    """Return a value for display: masked if it may hold a secret."""
    if leaf.secret and value:
        return MASK
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _create_leaf(item: Field[Any], path: tuple[str, ...], hint: object) -> Leaf:
    if item.default is MISSING:
        message = f"setting {'.'.join(path)} has no default"
        raise TypeError(message)
    return Leaf(path=path, type=hint, default=item.default, **item.metadata)


def _flatten(
    tree: Mapping[str, Any], leaves: Mapping[str, Leaf], where: str, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if name in leaves:
            yield name, value
        elif any(known.startswith(f"{name}.") for known in leaves):
            if not isinstance(value, Mapping):
                setting = f"{where}.{name}"
                raise ConfigurationError(setting, value, "a map of settings")
            yield from _flatten(value, leaves, where, f"{name}.")
        else:
            close = difflib.get_close_matches(name, leaves, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(leaves)}"
            setting = f"{where}.{name}"
            raise ConfigurationError(setting, _mask_unknown(value), f"unknown; {hint}")


def _mask_unknown(value: object) -> object:
    # A misspelt name may carry anything, a key included.
    return value if isinstance(value, bool | int | float | None) else MASK


def _say_unknown(name: str, known: set[str | None]) -> str:
    close = difflib.get_close_matches(name, [k for k in known if k], n=1, cutoff=0.6)
    return f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")


def _build(cls: type, values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    hints = get_type_hints(cls)
    arguments = {}
    for item in fields(cls):
        where = (*path, item.name)
        if is_dataclass(hints[item.name]):
            arguments[item.name] = _build(typing.cast("type", hints[item.name]), values, where)
        elif (name := ".".join(where)) in values:
            arguments[item.name] = values[name]
    return cls(**arguments)


def _convert(leaf: Leaf, raw: object, where: str) -> object:
    """Return the value in the type of its setting, or say what is accepted."""
    shown = MASK if leaf.secret else raw
    wanted = leaf.type
    if get_origin(wanted) in (UnionType, typing.Union):
        if raw is None:
            return None
        wanted = next(arm for arm in get_args(wanted) if arm is not type(None))
    if get_origin(wanted) is typing.Literal:
        choices = get_args(wanted)
        for choice in choices:
            if str(raw).strip().lower() == choice.lower():
                return choice
        accepted = f"one of {', '.join(map(str, choices))}"
        raise ConfigurationError(where, shown, accepted)
    if wanted is bool:
        return _convert_bool(raw, shown, where)
    if wanted in (int, float):
        return _convert_number(leaf, wanted, raw, shown, where)
    if wanted is str:
        if isinstance(raw, str) and raw.strip():
            return raw.strip()
        raise ConfigurationError(where, shown, "text that is not empty")
    return _convert_list(
        raw, shown, where, separator="\n" if leaf.name.endswith("patterns") else ","
    )


def _convert_bool(raw: object, shown: object, where: str) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ConfigurationError(where, shown, "true or false")


def _convert_number(leaf: Leaf, wanted: type, raw: Any, shown: object, where: str) -> float:
    low, high = leaf.minimum, leaf.maximum
    bounds = "".join(
        [
            f" of at least {low:g}" if low is not None else "",
            (" and" if low is not None else " of") + f" at most {high:g}"
            if high is not None
            else "",
        ]
    )
    accepted = f"a{' whole' if wanted is int else ''} number{bounds}"
    if isinstance(raw, bool):
        raise ConfigurationError(where, shown, accepted)
    try:
        number = wanted(raw)
    except (TypeError, ValueError):
        raise ConfigurationError(where, shown, accepted) from None
    # `not (low <= x)` also refuses NaN.
    if (low is not None and not low <= number) or (high is not None and not number <= high):
        raise ConfigurationError(where, shown, accepted)
    return number


def _convert_list(raw: object, shown: object, where: str, *, separator: str) -> tuple[str, ...]:
    parts = raw.split(separator) if isinstance(raw, str) else raw
    if isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts):
        return tuple(part.strip() for part in parts if part.strip())
    raise ConfigurationError(where, shown, "a list of texts")
