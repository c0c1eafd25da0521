"""A run as one TensorBoard event file: https://github.com/tensorflow/tensorboard, tensorboard/compat/proto/event.proto.

Records of a TFRecord file, each an ``Event`` in protobuf's wire format. The few fields that scalars and texts need are
written here: tensorboardX, which could do it, writes to paths alone and not to a stream, brings protobuf and takes seven
times as long. TensorBoard's own loader reads the result in tests/backend/metrics/test_exports.py.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from backend.coach.event_files import checksum
from backend.db import times
from backend.metrics.exports import FIELDS
from backend.series import curves

_FOLDERS = {"step": "train", "evaluation": "validation", "system": "system"}
"""Type of event → what the names of its scalars begin with, by which TensorBoard groups them."""


def event_file(batches: Iterable[list[dict[str, Any]]], started: str, texts: dict[str, str]) -> Iterator[bytes]:
    """The file in pieces: an Event for each of the run's events that has numbers or a sample, in their order.

    ``started`` is the time, ISO 8601, that the file and its ``texts`` (name → Markdown) bear. Scalars are 32-bit floats, as
    TensorBoard has them; what was not finite is NaN.
    """
    began = times.seconds(started)
    yield _record(_event(began, None, _bytes(3, b"brain.Event:2")))
    yield b"".join(_record(_event(began, 0, _bytes(5, _text(tag, text)))) for tag, text in texts.items())
    heads = {
        kind: {field: _scalar_head(f"{folder}/{field}") for field in FIELDS[kind].values()}
        for kind, folder in _FOLDERS.items()
    }
    prompts: dict[str, str] = {}
    for batch in batches:
        yield b"".join(_record(event) for event in _encoded(batch, heads, prompts))


def _encoded(batch: list[dict[str, Any]], heads: dict[str, dict[str, bytes]], prompts: dict[str, str]) -> Iterator[bytes]:
    """``prompts`` gathers prompt → tag, numbered as they come."""
    for event in batch:
        summary = b""
        if event["type"] in heads:
            for name in event.get("losses", ()):
                field = curves.LOSSES + name
                heads["evaluation"].setdefault(field, _scalar_head(f"validation/{field}"))
            summary = _scalars(event, heads[event["type"]])
        elif event["type"] == "sample":
            tag = prompts.setdefault(event["prompt"], f"samples/{len(prompts) + 1}")
            summary = _text(tag, verbatim(event["prompt"] + event["text"]))
        if summary:
            yield _event(times.seconds(event["time"]), event["step"], _bytes(5, summary))


def _scalars(event: dict[str, Any], heads: dict[str, bytes]) -> bytes:
    """A Summary with a value for each field that is known."""
    told = ((head, curves.value(event, field)) for field, head in heads.items())
    return b"".join(head + _float(value) for head, value in told if value is not None)


def verbatim(text: str) -> str:
    """Markdown that shows a text as it stands."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _scalar_head(tag: str) -> bytes:
    """A Value of a Summary up to its number, a float of four bytes."""
    name = _bytes(1, tag.encode())
    return b"\x0a" + _varint(len(name) + 5) + name + b"\x15"


def _text(tag: str, text: str) -> bytes:
    """A Summary with one text, as the text plugin wants it: a tensor of strings without dimensions."""
    metadata = _bytes(9, _bytes(1, _bytes(1, b"text")))
    tensor = _bytes(8, b"\x08\x07" + _bytes(8, text.encode("utf-8", "replace")))
    return _bytes(1, _bytes(1, tag.encode()) + metadata + tensor)


def _event(seconds: float, step: int | None, content: bytes) -> bytes:
    return b"\x09" + struct.pack("<d", seconds) + (b"" if step is None else b"\x10" + _varint(step)) + content


def _bytes(number: int, content: bytes) -> bytes:
    """A field of bytes, of text or of a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _float(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:  # a perplexity may well be beyond what four bytes hold
        return struct.pack("<f", math.inf)


def _record(data: bytes) -> bytes:
    """A record of a TFRecord file: length and content, each with its checksum."""
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)
