"""Read and write the files of a spool: one file is one body that waits to be sent.

`<directory>/<signal>-<digest>/<created, ns>-<items>-<random>.otlp`: a magic word, a checksum, and
the body as it is sent. The digest stands for the service and the endpoint.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
import struct
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER: Final = struct.Struct(">4sI")
_MAGIC: Final = b"BOT1"
_NAME: Final = re.compile(r"(\d{1,20})-(\d{1,9})-[0-9a-f]{8}\.otlp")
# Even the smallest file takes a block of the disk; so a cap in bytes bounds their number, too.
_BLOCK_BYTES: Final = 4096


class Entry(NamedTuple):
    """A file of the spool; entries sort by age."""

    created_ns: int
    items: int
    path: str
    size: int


class Lease(NamedTuple):
    """A file that nobody else sends or deletes until its descriptor is closed."""

    entry: Entry
    descriptor: int


def name_folder(signal: str, service: str, endpoint: str) -> str:
    """Return the name of the folder for what may be sent to one endpoint.

    Args:
        signal: What the bodies hold.
        service: Whose they are: services may share a directory, and have different keys.
        endpoint: Full URL. Its credentials, and its query, which may hold some, have no part.
    """
    parts = urlsplit(endpoint)
    identity = "\n".join((service, parts.scheme, parts.netloc.rpartition("@")[2], parts.path))
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{signal}-{digest[:16]}"


def create_folder(folder: Path) -> None:
    """Create a folder for files, and the directory that it stands in, where they do not exist.

    Raises:
        OSError: It cannot be created, or is not for us alone.
    """
    os.makedirs(folder.parent, mode=0o700, exist_ok=True)
    # Others may see which folders it has, but not put theirs in.
    check_folder(folder.parent, forbidden=0o022)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    check_folder(folder)


def check_folder(folder: Path, *, forbidden: int = 0o077) -> None:
    """Make sure that a folder is ours.

    Args:
        folder: Its path.
        forbidden: Bits that its mode must not have.

    Raises:
        OSError: It is not, or does not exist.
    """
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        problem = "is a symbolic link"
    elif not stat.S_ISDIR(found.st_mode):
        problem = "is not a folder"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to another user, {found.st_uid}"
    elif found.st_mode & forbidden:
        problem = f"is open to others (mode {stat.S_IMODE(found.st_mode):o})"
    else:
        return
    message = f"{folder} {problem}"
    raise PermissionError(message)


def list_entries(folder: Path) -> Iterator[tuple[Entry, bool]]:
    """Yield each file, and whether it is finished; one whose writer was killed is not.

    Raises:
        OSError: The folder cannot be read.
    """
    with os.scandir(folder) as files:
        for file in files:
            parsed = _NAME.fullmatch(file.name.removeprefix("."))
            if parsed is None:
                continue
            with suppress(FileNotFoundError):  # another process was faster
                size = file.stat(follow_symlinks=False).st_size
                entry = Entry(int(parsed[1]), int(parsed[2]), file.path, round_up(size))
                yield entry, not file.name.startswith(".")


def write_entry(folder: Path, body: bytes, items: int) -> Entry:
    """Write a file that appears whole or not at all.

    It is not forced onto the platter: it survives its process, however that ends; at a power
    failure the newest files may be lost.

    Raises:
        OSError: It cannot be written.
    """
    created_ns = max(0, time.time_ns())
    name = f"{created_ns}-{items}-{secrets.token_hex(4)}.otlp"
    path, unfinished = str(folder / name), str(folder / f".{name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(_HEADER.pack(_MAGIC, zlib.crc32(body)) + body)
        os.rename(unfinished, path)
    except OSError:
        with suppress(OSError):
            os.unlink(unfinished)
        raise
    return Entry(created_ns, items, path, measure(body))


def lock_entry(entry: Entry) -> Lease | None:
    """Return a lease of a file, or None if another process has it, or had it.

    Raises:
        OSError: The file is there and cannot be locked.
    """
    # For writing: what cannot be deleted afterwards must not be sent.
    try:
        descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Ends with the process. Not `lockf`, which two spools in one process would share.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been deleted between the opening and the locking.
        if os.fstat(descriptor).st_nlink:
            return Lease(entry, descriptor)
    except BlockingIOError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def read_body(lease: Lease) -> bytes | None:
    """Return the body of a file, or None if it is not what was written."""
    try:
        with open(lease.descriptor, "rb", closefd=False) as file:
            magic, checksum = _HEADER.unpack(file.read(_HEADER.size))
            body = file.read()
    except (OSError, struct.error):
        return None
    return body if (magic, checksum) == (_MAGIC, zlib.crc32(body)) else None


def delete_entry(lease: Lease) -> None:
    """Delete a file; the lease stays open."""
    try:
        os.unlink(lease.entry.path)
    except OSError:
        # The folder may have become read-only: at least nobody shall send it again.
        with suppress(OSError):
            os.ftruncate(lease.descriptor, 0)


def measure(body: bytes) -> int:
    """Return how many bytes of the disk a body will take."""
    return round_up(_HEADER.size + len(body))


def round_up(size: int) -> int:
    """Return the size of the blocks that hold so many bytes."""
    return max(1, -(-size // _BLOCK_BYTES)) * _BLOCK_BYTES
