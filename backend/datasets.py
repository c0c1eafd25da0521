"""Datasets: text files under datasets/<id>/, each with a dataset.json that says what it is.

Their folder is the only record of them. A folder is complete or not there: it is filled beside its place, then renamed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from backend import sample_corpus
from backend.errors import ConflictError, InvalidFieldError, NotFoundError, TooLargeError
from backend.schemas import Dataset, Preview
from backend.textfile import CHUNK_BYTES, LineCounter
from worker.contract import now

SAMPLE = "sample"
ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,79}$"
PREVIEW_CHARACTERS = 2000

_DATA, _ABOUT = "data.txt", "dataset.json"


class Datasets:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._adding = threading.Lock()  # so that the same file uploaded twice at once is still one dataset

    def prepare(self) -> None:
        """Make the folder and the built-in sample, and clear away what an interrupted upload left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for leftover in (*self._folder.glob(".upload-*"), *self._folder.glob(".deleted-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        if not (self._folder / SAMPLE).exists():
            with tempfile.TemporaryFile() as file:
                file.write("\n".join(sample_corpus.generate()).encode() + b"\n")
                file.seek(0)
                self.add(file, "Short stories.txt", dataset_id=SAMPLE)

    def all(self) -> list[Dataset]:
        """The built-in one first, then the newest first."""
        found = []
        for path in self._folder.glob(f"[!.]*/{_ABOUT}"):
            with suppress(FileNotFoundError):  # deleted while we look
                found.append(self._read(path.parent))
        return sorted(sorted(found, key=lambda d: d.created_at, reverse=True), key=lambda d: not d.built_in)

    def get(self, dataset_id: str) -> Dataset:
        """Raises NotFoundError."""
        folder = self._folder / dataset_id
        if not re.match(ID_PATTERN, dataset_id) or not (folder / _ABOUT).is_file():
            raise NotFoundError(f"There is no dataset {dataset_id[:80]!r}.", hint="GET /api/datasets lists those there are.")
        return self._read(folder)

    def path(self, dataset_id: str) -> Path:
        """The file of a dataset. Raises NotFoundError."""
        return self._folder / self.get(dataset_id).id / _DATA

    def add(
        self, file: BinaryIO, filename: str, *, most: int | None = None, dataset_id: str | None = None
    ) -> tuple[Dataset, bool]:
        """Keep an uploaded file if it is usable text; whether it is new, for the same content is one dataset.

        ``most``: the bytes it may have.

        Raises InvalidFieldError for ``file``, or TooLargeError; then nothing is left behind.
        """
        name = _shown_name(filename)
        if not name.lower().endswith(".txt"):
            raise InvalidFieldError(
                "file",
                f"{name!r} is not a .txt file.",
                hint="Upload plain text with one example per line, in a file whose name ends in .txt.",
            )
        temporary = Path(tempfile.mkdtemp(prefix=".upload-", dir=self._folder))
        try:
            rows, size, digest = _copy(file, temporary / _DATA, most)
            with self._adding:
                for known in self.all():
                    if known.sha256 == digest:
                        return known, False
                dataset = Dataset(
                    id=dataset_id or f"{_slug(name)}-{digest[:8]}",
                    name=name,
                    format="txt",
                    rows=rows,
                    bytes=size,
                    sha256=digest,
                    built_in=dataset_id == SAMPLE,
                    created_at=now(),
                )
                (temporary / _ABOUT).write_text(dataset.model_dump_json(indent=2), encoding="utf-8")
                temporary.rename(self._folder / dataset.id)
                return dataset, True
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def preview(self, dataset_id: str, limit: int) -> Preview:
        """The first usable lines, cut to a readable length. Raises NotFoundError."""
        dataset = self.get(dataset_id)
        rows: list[str] = []
        with self.path(dataset_id).open(encoding="utf-8-sig") as file:
            while len(rows) < limit and (piece := file.readline(CHUNK_BYTES)):
                if text := piece.strip():
                    rows.append(text[:PREVIEW_CHARACTERS])
                while not piece.endswith("\n") and piece:  # the rest of a very long line
                    piece = file.readline(CHUNK_BYTES)
        return Preview(rows=rows, total=dataset.rows)

    def remove(self, dataset_id: str) -> None:
        """Raises NotFoundError, or ConflictError for the built-in one."""
        if self.get(dataset_id).built_in:
            raise ConflictError("The built-in sample cannot be deleted.")
        # Renamed first: a folder that is half deleted must not look like a dataset.
        doomed = self._folder / f".deleted-{dataset_id}"
        os.replace(self._folder / dataset_id, doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _read(self, folder: Path) -> Dataset:
        return Dataset.model_validate_json((folder / _ABOUT).read_bytes())


def _copy(source: BinaryIO, target: Path, most: int | None) -> tuple[int, int, str]:
    """Usable lines, bytes and SHA-256 of a file, checked and copied piece by piece."""
    lines, digest, size = LineCounter(), hashlib.sha256(), 0
    with target.open("wb") as output:
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if most is not None and size > most:
                raise TooLargeError(f"The file is larger than the limit of {most:,} bytes.", field="file")
            lines.feed(chunk)
            digest.update(chunk)
            output.write(chunk)
        rows = lines.finish()
        output.flush()
        os.fsync(output.fileno())
    return rows, size, digest.hexdigest()


def _shown_name(filename: str) -> str:
    """The last part of whatever path a browser sent, printable, of a bearable length."""
    name = re.split(r"[/\\]", filename)[-1]
    name = "".join(character for character in name if character.isprintable()).strip()
    return name if len(name) <= 120 else name[:116] + name[-4:]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:40] or "text"
