"""The body of a request, within a limit, whatever the client claims."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message
    from io import BufferedIOBase

MAX_BYTES = 20 * 1024 * 1024
"""Largest body, before and after decompression; the Collector's default."""


class Refused(Exception):  # noqa: N818 - what happened, as the client will read it
    """The answer to a request that is not accepted; an `on_...` callback may raise it too.

    Args:
        status: the HTTP status, for example 503 to make the exporter retry.
        message: what the client may read.
        close: also close the connection, because its next byte is not a new request.
    """

    def __init__(self, status: int, message: str, *, close: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.close = close


def read_body(stream: BufferedIOBase, headers: Message, limit: int) -> bytes:
    """Read a body that has a length or comes in chunks.

    Raises:
        Refused: it is too long, or ends before its end.
    """
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return _read_chunks(stream, limit)
    length = headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Refused(400, "bad Content-Length", close=True)
    if int(length) > limit:
        raise _too_large(limit)
    return _read_exactly(stream, int(length))


def _read_chunks(stream: BufferedIOBase, limit: int) -> bytes:
    body = bytearray()
    while True:
        try:
            size = int(stream.readline(1024).partition(b";")[0], 16)
        except ValueError:
            raise Refused(400, "bad chunk size", close=True) from None
        if size < 0 or len(body) + size > limit:
            raise _too_large(limit)
        body += _read_exactly(stream, size)
        if size == 0:
            while stream.readline(65_537).strip():
                pass  # trailers
            return bytes(body)
        stream.readline(3)


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Refused(400, "the connection ended inside the body", close=True)
    return data


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the body is larger than {limit} bytes", close=True)


def decompress(body: bytes, headers: Message, limit: int) -> bytes:
    """Unpack a body as its headers say.

    Raises:
        Refused: it is not what the headers say, or larger than the limit.
    """
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise Refused(415, f"Content-Encoding must be gzip or deflate, not {encoding[:40]!r}")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its header
    try:
        # One byte more than allowed tells a bomb without unpacking it.
        content = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"bad {encoding} data: {error}") from error
    if len(content) > limit:
        raise Refused(413, f"the unpacked body is larger than {limit} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(400, f"the {encoding} data is truncated or has more behind its end")
    return content
