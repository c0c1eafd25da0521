"""A folder as a zip file that is made while it is sent: nothing is held, and any part of it can be asked for.

Files are stored as they are, as weights hardly shrink, so that the length of the whole and the place of each byte are known
beforehand. A file is read for its checksum before it is sent, once for as long as it stays the same.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_CHUNK = 1 << 18
_LONG = 0xFFFFFFFF  # in a field of 32 bits: look into the zip64 extra
_MANY = 0xFFFF
_VERSION = 45  # the first with zip64
_UTF8 = 0x800
_DATE = 0x21  # 1 January 1980: the same folder makes the same bytes
_FILE_MODE = 0o100644 << 16


class _Piece(NamedTuple):
    """``read`` gives the bytes of a piece from one of its places to another."""

    length: int
    read: Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class _Entry:
    path: Path
    name: bytes
    size: int
    modified: int
    start: int

    @property
    def crc(self) -> int:
        return _checksum(self.path, self.size, self.modified)

    @property
    def extra(self) -> bytes:
        """Both sizes and the place, in 64 bits, in front of a file and in the list at the end alike."""
        return struct.pack("<HHQQQ", 1, 24, self.size, self.size, self.start)

    def local(self) -> bytes:
        """What stands in front of the file."""
        head = struct.pack("<4s5H3L2H", b"PK\3\4", _VERSION, _UTF8, 0, 0, _DATE, self.crc, _LONG, _LONG, len(self.name), 28)
        return head + self.name + self.extra

    def central(self) -> bytes:
        """Its line in the list at the end."""
        made = _VERSION | 3 << 8  # on Unix
        return (
            struct.pack(
                "<4s6H3L5H2L",
                b"PK\1\2", made, _VERSION, _UTF8, 0, 0, _DATE, self.crc, _LONG, _LONG, len(self.name), 28, 0, 0, 0,
                _FILE_MODE, _LONG,
            )
            + self.name
            + self.extra
        )  # fmt: skip


_LOCAL, _CENTRAL, _END = 30 + 28, 46 + 28, 56 + 20 + 22


class FolderZip:
    """``files`` under their paths within ``folder``, as one zip file. Raises OSError if one is not there."""

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self._entries: list[_Entry] = []
        start = 0
        for path in files:
            about = path.stat()
            name = path.relative_to(folder).as_posix().encode()
            self._entries.append(_Entry(path, name, about.st_size, about.st_mtime_ns, start))
            start += _LOCAL + len(name) + about.st_size
        self._list_start = start
        self._list_length = sum(_CENTRAL + len(entry.name) for entry in self._entries)
        self.length = start + self._list_length + _END
        """Bytes of the whole."""
        known = repr([(entry.name, entry.size, entry.modified) for entry in self._entries])
        self.etag = f'"{hashlib.sha256(known.encode()).hexdigest()[:32]}"'
        """Another one as soon as a file has changed."""

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``end``. Raises OSError if a file has gone or changed meanwhile."""
        place = 0
        for piece in self._pieces():
            first, last = max(start - place, 0), min(end - place, piece.length)
            if first < last:
                yield from piece.read(first, last)
            place += piece.length
            if place >= end:
                return

    def _pieces(self) -> Iterator[_Piece]:
        for entry in self._entries:
            yield _Piece(_LOCAL + len(entry.name), _made(entry.local))
            yield _Piece(entry.size, _stored(entry))
        yield _Piece(self._list_length + _END, _made(self._end))

    def _end(self) -> bytes:
        lines = b"".join(entry.central() for entry in self._entries)
        count, at = len(self._entries), self._list_start + self._list_length
        end64 = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, count, count, self._list_length, self._list_start
        )
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
        few = min(count, _MANY)
        return lines + end64 + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, _LONG, _LONG, 0)


def _made(make: Callable[[], bytes]) -> Callable[[int, int], Iterator[bytes]]:
    def read(start: int, end: int) -> Iterator[bytes]:
        yield make()[start:end]

    return read


def _stored(entry: _Entry) -> Callable[[int, int], Iterator[bytes]]:
    def read(start: int, end: int) -> Iterator[bytes]:
        with entry.path.open("rb") as file:
            file.seek(start)
            while start < end:
                chunk = file.read(min(_CHUNK, end - start))
                if not chunk:
                    raise OSError(f"{entry.path.name} has become shorter while it was sent.")
                start += len(chunk)
                yield chunk

    return read


@lru_cache(maxsize=4096)
def _checksum(path: Path, size: int, modified: int) -> int:
    """CRC-32 of a file of this ``size`` that was last ``modified`` then."""
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
