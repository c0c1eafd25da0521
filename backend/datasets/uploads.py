"""Receives a form with a file: its bytes go to the disk and to the checker as they come, and are never held."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.datasets.checker import Checker
from backend.errors import InvalidFieldError, TooLargeError
from worker.contract import Checked

WRITE_BYTES = 1 << 20
FORM_BYTES = 64 * 1024  # what a form adds around the file
SYNC_BYTES = 64 << 20  # brought to the disk at a time, so that the end of a large file does not wait for all of it
DRAIN_BYTES, DRAIN_SECONDS = 16 << 20, 5  # read on after a refusal, so that a browser that is still sending gets to see it
FIELD = b"file"


class Received(NamedTuple):
    """A checked file: where it lies for now, what it was called, and what it is."""

    path: Path
    filename: str
    checked: Checked
    bytes: int
    sha256: str


class _Form:
    """The pieces of the form's file, as they come out of the parser. Fields beside it are passed over."""

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not content_type.startswith("multipart/form-data") or not boundary:
            raise InvalidFieldError("file", "No file was sent.", hint="Send a form: curl -F file=@my.txt .../api/datasets")
        self.filename: str | None = None
        self.pieces: list[bytes] = []
        self.ended = False
        self._inside = False
        self._header = (b"", b"")
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": lambda data, start, end: self._on_header(data[start:end], b""),
                "on_header_value": lambda data, start, end: self._on_header(b"", data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": lambda data, start, end: self.pieces.append(data[start:end]) if self._inside else None,
                "on_part_end": self._on_part_end,
            },
        )

    def feed(self, chunk: bytes) -> bytes:
        """The next part of the body; what of it belongs to the file. Raises InvalidFieldError."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidFieldError("file", f"The form could not be read: {error}") from error
        data, self.pieces = b"".join(self.pieces), []
        return data

    def _on_header(self, name: bytes, value: bytes) -> None:
        self._header = (self._header[0] + name, self._header[1] + value)

    def _on_header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        self._inside = self.filename is None and options.get(b"name") == FIELD and b"filename" in options
        if self._inside:
            self.filename = options[b"filename"].decode("utf-8", "replace")

    def _on_part_end(self) -> None:
        self.ended |= self._inside
        self._inside = False


class _Target:
    """The file being written. ``bytes`` and ``sha256`` are of what it has so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        self._synced = 0
        self._file = path.open("wb")

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.sha256.update(data)
        self.bytes += len(data)
        if self.bytes - self._synced >= SYNC_BYTES:
            self.sync()

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = self.bytes

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@asynccontextmanager
async def receive(
    body: AsyncIterator[bytes], content_type: str, announced: int | None, most: int, folder: Path
) -> AsyncIterator[Received]:
    """The file of a form, checked, in a temporary folder within ``folder`` that is gone when the block ends.

    Raises InvalidFieldError for ``file``, or TooLargeError for more than ``most`` bytes.
    """
    _require_room(announced, most, folder)
    form = _Form(content_type)
    temporary = Path(tempfile.mkdtemp(prefix=".upload-", dir=folder))
    checker: Checker | None = None
    try:
        with _Target(temporary / "data") as target:
            waiting = b""
            while True:
                chunk = await anext(body, b"")
                data = form.feed(chunk) if chunk else b""
                if form.filename is not None and checker is None:
                    checker = await Checker.start(form.filename, target.path)
                waiting += data
                if target.bytes + len(waiting) > most:
                    raise _too_large(most)
                if waiting and checker and (len(waiting) >= WRITE_BYTES or not chunk):
                    await asyncio.gather(asyncio.to_thread(target.write, waiting), checker.feed(waiting))
                    waiting = b""
                if not chunk or (checker and checker.has_answered):
                    break
            await asyncio.to_thread(target.sync)
        if checker is None or form.filename is None:
            raise InvalidFieldError("file", "The form has no file.", hint="Its field must be called file.")
        checked = await checker.finish()
        if not form.ended:
            raise InvalidFieldError("file", "The form ended before the file did.", hint="Send it again.")
        yield Received(target.path, form.filename, checked, target.bytes, target.sha256.hexdigest())
    except (InvalidFieldError, TooLargeError):
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_drain(body), DRAIN_SECONDS)
        raise
    finally:
        if checker:
            await checker.close()
        await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)


def _require_room(announced: int | None, most: int, folder: Path) -> None:
    """Raises TooLargeError if a body of that many bytes is over the limit, or more than the disk has room for."""
    if announced is not None and announced > most + FORM_BYTES:
        raise _too_large(most)
    free = shutil.disk_usage(folder).free
    if announced is not None and announced > free:
        raise TooLargeError(
            f"The file has {announced / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left.",
            field="file",
            hint="Free some space, or send a smaller file.",
        )


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(
        f"The file is larger than the limit of {most:,} bytes.",
        field="file",
        hint="Split it, or raise TRAINBOARD_MAX_UPLOAD_BYTES.",
    )


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Reads on for a while: a connection closed with bytes unread may take the answer with it."""
    read = 0
    async for chunk in body:
        read += len(chunk)
        if read > DRAIN_BYTES:
            return
