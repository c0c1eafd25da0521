"""Scalars out of TensorBoard's event files: TFRecords, each an ``Event`` in protobuf's wire format.

https://github.com/tensorflow/tensorboard, tensorboard/compat/proto/event.proto, summary.proto and tensor.proto. Of these few
fields are needed, so they are read here; tensorboard itself would bring a server, protobuf and grpc.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import google_crc32c

_LONGEST = 1 << 28
"""Bytes of a record: beyond, the length itself is broken."""
_FLOAT, _DOUBLE = 1, 2
"""Types of a tensor's values."""


class BrokenFileError(ValueError):
    """A record's checksum does not fit it."""


class Scalar(NamedTuple):
    """A number that was logged under ``tag``."""

    tag: str
    step: int
    value: float


def scalars(path: Path) -> Iterator[Scalar]:
    """Those of a file, in its order. A last record that breaks off is left out, as its writer may be at it.

    Raises BrokenFileError, and OSError.
    """
    with path.open("rb") as file:
        for record in _records(file):
            step, values = 0, []
            for number, content in _fields(record):
                if number == 2 and isinstance(content, int):
                    step = content
                elif number == 5 and isinstance(content, bytes):
                    values = [value for inner, value in _fields(content) if inner == 1 and isinstance(value, bytes)]
            for value in values:
                scalar = _scalar(step, value)
                if scalar is not None:
                    yield scalar


def _records(file: BinaryIO) -> Iterator[bytes]:
    place = 0
    while len(head := file.read(12)) == 12:
        (length,) = struct.unpack_from("<Q", head)
        if checksum(head[:8]) != head[8:] or length > _LONGEST:
            raise BrokenFileError(f"At byte {place} there is no record of an event file.")
        data, end = file.read(length), file.read(4)
        if len(data) < length or len(end) < 4:
            return
        if checksum(data) != end:
            raise BrokenFileError(f"The record at byte {place} is damaged.")
        yield data
        place = file.tell()


def _scalar(step: int, value: bytes) -> Scalar | None:
    """Of a Summary.Value: tag 1, simple_value 2, or tensor 8 with a single number."""
    tag, figure = "", None
    for number, content in _fields(value):
        if number == 1 and isinstance(content, bytes):
            tag = content.decode("utf-8", "replace")
        elif number == 2 and isinstance(content, float):
            figure = content
        elif number == 8 and isinstance(content, bytes):
            figure = _of_tensor(content)
    return None if figure is None else Scalar(tag, step, figure)


def _of_tensor(tensor: bytes) -> float | None:
    """Of a TensorProto: dtype 1; tensor_content 4, float_val 5 or double_val 6."""
    fields = dict(_fields(tensor))
    dtype = fields.get(1)
    form = {_FLOAT: "<f", _DOUBLE: "<d"}.get(dtype) if isinstance(dtype, int) else None
    content = fields.get(4) or fields.get(5 if dtype == _FLOAT else 6)
    if isinstance(content, float):
        return content
    if form is None or not isinstance(content, bytes) or len(content) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, content)[0])


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """A message's fields in their order: number, and what it holds. Raises BrokenFileError."""
    place = 0
    try:
        while place < len(message):
            key, place = _varint(message, place)
            kind = key & 7
            if kind == 0:
                content, place = _varint(message, place)
                yield key >> 3, content
            elif kind in (1, 5):
                form = "<d" if kind == 1 else "<f"
                yield key >> 3, float(struct.unpack_from(form, message, place)[0])
                place += struct.calcsize(form)
            elif kind == 2:
                length, place = _varint(message, place)
                if place + length > len(message):
                    raise BrokenFileError("A field is longer than its record.")
                yield key >> 3, message[place : place + length]
                place += length
            else:
                raise BrokenFileError("A record is not an event of TensorBoard.")
    except (IndexError, struct.error):
        raise BrokenFileError("A record is not an event of TensorBoard.") from None


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def checksum(data: bytes) -> bytes:
    """A TFRecord's of a part of it, little-endian."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
