"""Protobuf wire format of what spans, logs and resources share: attributes and their values.

https://protobuf.dev/programming-guides/encoding/ and the OTLP messages `common.proto` and
`resource.proto`. A tag is `field number << 3 | wire type`; the comments name the field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

_DOUBLE: Final = struct.Struct("<Bd")
# Most attributes come again: method, route, status, statement. One dict for each type, since
# 1 == True == 1.0 and their bytes differ. Floats are left out: 0.0 == -0.0.
_MAX_CACHED: Final = 2048
_MAX_CACHED_TEXT: Final = 256
_cached_text: dict[tuple[str, Any], bytes] = {}
_caches: Final[dict[type, dict[tuple[str, Any], bytes]]] = {str: _cached_text, int: {}, bool: {}}


def encode_varint(number: int) -> bytes:
    """Return a number of at most 64 bits; negative ones as two's complement."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_LENGTHS: Final = tuple(encode_varint(length) for length in range(2048))


def sized(payload: bytes) -> bytes:
    """Return a payload behind its length."""
    length = len(payload)
    return (_LENGTHS[length] if length < 2048 else encode_varint(length)) + payload


def encode_text(text: str) -> bytes:
    """Return text behind its length; what UTF-8 cannot say (lone surrogates) becomes `?`."""
    try:
        return sized(text.encode())
    except UnicodeEncodeError:
        return sized(text.encode(errors="replace"))


def encode_attributes(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
    """Return attributes as repeated `KeyValue` fields.

    An attribute whose value has no OTLP form is left out, as the official encoder does; unlike
    there, the value is not logged.
    """
    if not attributes:
        return b""
    caches = _caches
    fields = [b""]
    for key, value in attributes.items():
        cache = caches.get(type(value))
        field = None if cache is None else cache.get((key, value))
        if field is None:
            try:
                field = encode_key_value(key, value)
            except Exception:  # noqa: BLE001, S112 - values of any type come here
                continue
            if cache is not None and (cache is not _cached_text or len(value) <= _MAX_CACHED_TEXT):
                if len(cache) >= _MAX_CACHED:
                    cache.clear()
                cache[key, value] = field
        fields.append(field)
    return tag.join(fields)


def encode_key_value(key: str, value: Any) -> bytes:
    """Return a `KeyValue` behind its length."""
    return sized(b"\n" + encode_text(key) + b"\x12" + sized(encode_value(value)))  # key, value


def encode_value(value: Any) -> bytes:
    """Return the content of an `AnyValue`.

    Raises:
        TypeError: If the value, or one inside it, is of a type that OTLP does not know.
        OverflowError: If an integer needs more than 64 bits.
    """
    # The order matters: a bool is an int, text is a sequence.
    if isinstance(value, str):
        return b"\n" + encode_text(value)  # string_value
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"  # bool_value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError
        return b"\x18" + encode_varint(int(value))  # int_value
    if isinstance(value, float):
        return _DOUBLE.pack(0x21, value)  # double_value
    if value is None:
        return b""
    if isinstance(value, bytes):
        return b"\x3a" + sized(value)  # bytes_value
    if isinstance(value, Sequence):
        items = [b"\n" + sized(encode_value(item)) for item in value]
        return b"\x2a" + sized(b"".join(items))  # array_value
    if isinstance(value, Mapping):
        pairs = [b"\n" + encode_key_value(str(key), item) for key, item in value.items()]
        return b"\x32" + sized(b"".join(pairs))  # kvlist_value
    raise TypeError


def encode_request(
    records: Iterable[Any], encode_record: Callable[[Any], bytes]
) -> tuple[bytes, int, int]:
    """Return an export request, grouped by resource and scope.

    The three requests differ only inside their records: `resource_spans = 1` holds
    `scope_spans = 2` holds `spans = 2`, and the same with logs.

    Args:
        records: Spans or log records.
        encode_record: Returns a record behind its length.

    Returns:
        The request, the number of records in it, and the number of those that failed.
    """
    # By identity, since hashing a resource encodes all of it; the objects are kept so that no
    # other can take over their identity while this runs.
    groups: dict[tuple[int, int], tuple[Any, Any, list[bytes]]] = {}
    encoded = failed = 0
    for record in records:
        try:
            item = encode_record(record)
            resource, scope = record.resource, record.instrumentation_scope
        except Exception:  # noqa: BLE001 - one record must not cost the others
            failed += 1
            continue
        encoded += 1
        key = (id(resource), id(scope))
        group = groups.get(key)
        if group is None:
            group = groups[key] = (resource, scope, [b""])
        group[2].append(item)
    # Equal resources and scopes meet here, whatever their identity.
    tree: dict[bytes, dict[bytes, bytes]] = {}
    for resource, scope, items in groups.values():
        scopes = tree.setdefault(_encode_resource(resource), {})
        head = _encode_scope(scope)
        scopes[head] = scopes.get(head, head) + b"\x12".join(items)
    request = b"".join(
        b"\n" + sized(head + b"".join(b"\x12" + sized(scope) for scope in scopes.values()))
        for head, scopes in tree.items()
    )
    return request, encoded, failed


def _encode_resource(resource: Resource) -> bytes:
    return b"\n" + sized(encode_attributes(b"\n", resource.attributes)) + _schema(resource)


def _encode_scope(scope: InstrumentationScope | None) -> bytes:
    if scope is None:
        return b"\n\x00"
    content = encode_attributes(b"\x1a", scope.attributes)
    if scope.name:
        content += b"\n" + encode_text(scope.name)
    if scope.version:
        content += b"\x12" + encode_text(scope.version)
    return b"\n" + sized(content) + _schema(scope)


def _schema(owner: Resource | InstrumentationScope) -> bytes:
    return b"\x1a" + encode_text(owner.schema_url) if owner.schema_url else b""
