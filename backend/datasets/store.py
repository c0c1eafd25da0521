"""Datasets: files under datasets/<id>/, each with a dataset.json that says what it is and how it is read.

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
from itertools import chain, count
from pathlib import Path

from backend import files
from backend.datasets import sample_corpus
from backend.datasets.checker import check_reading
from backend.errors import ConflictError, NotFoundError
from backend.schemas.data import Dataset
from worker.contract import Checked, DatasetSource, Reading, now

SAMPLE = "sample"
ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,79}$"

_DATA, _ABOUT = "data", "dataset.json"


class Datasets:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changing = threading.Lock()  # so that the same file uploaded twice at once is still one dataset

    def prepare(self) -> None:
        """Make the folder and the built-in sample, and clear away what an interrupted upload left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in (*self.folder.glob(".upload-*"), *self.folder.glob(".deleted-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        if not (self.folder / SAMPLE).exists():
            self._add_sample()

    def _add_sample(self) -> None:
        lines = sample_corpus.sample_lines()
        content = "\n".join(lines).encode() + b"\n"
        checked = Checked(format="txt", reading=Reading(), readings=["text", "document"], rows=len(lines), empty_rows=0)
        with tempfile.TemporaryDirectory(prefix=".upload-", dir=self.folder) as temporary:
            path = Path(temporary, _DATA)
            path.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            self.add(path, "Short stories.txt", checked, len(content), digest, dataset_id=SAMPLE)

    def all(self) -> list[Dataset]:
        """The built-in one first, then the newest first."""
        found = []
        for path in self.folder.glob(f"[!.]*/{_ABOUT}"):
            with suppress(FileNotFoundError):  # deleted while we look
                found.append(self._read(path.parent))
        return sorted(sorted(found, key=lambda d: d.created_at, reverse=True), key=lambda d: not d.built_in)

    def get(self, dataset_id: str) -> Dataset:
        """Raises NotFoundError."""
        folder = self.folder / dataset_id
        if not re.match(ID_PATTERN, dataset_id) or not (folder / _ABOUT).is_file():
            raise NotFoundError(f"There is no dataset {dataset_id[:80]!r}.", hint="GET /api/datasets lists those there are.")
        return self._read(folder)

    def source(self, dataset_id: str, reading: Reading | None = None) -> DatasetSource:
        """Where a dataset's file is and how it is read: as ``reading`` says, or as it is set to. Raises NotFoundError."""
        dataset = self.get(dataset_id)
        return DatasetSource(
            path=str(_data_file(self.folder / dataset.id)),
            format=dataset.format,
            encoding=dataset.encoding,
            compressed=dataset.compressed,
            delimiter=dataset.delimiter,
            header=dataset.header,
            reading=reading or dataset.reading,
        )

    def add(
        self,
        file: Path,
        filename: str,
        checked: Checked,
        size: int,
        sha256: str,
        *,
        origin: str | None = None,
        dataset_id: str | None = None,
    ) -> tuple[Dataset, bool]:
        """Keep a checked file, which is moved; whether it is new: the same content in the same columns is one dataset."""
        name = shown_name(filename)
        with self._changing:
            for known in self.all():
                # The same bytes under another ending may be other columns, and so other examples.
                if known.sha256 == sha256 and known.columns == checked.columns:
                    return known, False
            dataset = Dataset(
                id=dataset_id or self._free_id(f"{_slug(name)}-{sha256[:8]}"),
                name=name,
                bytes=size,
                sha256=sha256,
                origin=origin,
                built_in=dataset_id == SAMPLE,
                created_at=now(),
                **checked.model_dump(),
            )
            temporary = Path(tempfile.mkdtemp(prefix=".upload-", dir=self.folder))
            try:
                file.rename(temporary / _DATA)
                _write_about(temporary, dataset)
                temporary.rename(self.folder / dataset.id)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return dataset, True

    def _free_id(self, wanted: str) -> str:
        numbered = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
        return next(each for each in numbered if not (self.folder / each).exists())

    def change(
        self, dataset_id: str, name: str | None = None, reading: Reading | None = None, header: bool | None = None
    ) -> Dataset:
        """Rename a dataset, or have it read in another way, once the whole file has been found to allow that. With another
        ``header`` and no ``reading``, that is guessed anew.

        Raises NotFoundError, ConflictError for the built-in one, InvalidFieldError for ``reading``.
        """
        if self.get(dataset_id).built_in:
            raise ConflictError("The built-in sample stays as it is.", hint="Upload a file of your own.")
        checked = None
        if reading is not None or header is not None:
            dataset = self.get(dataset_id)
            source = self.source(dataset_id, reading)
            if header is not None:
                source = source.model_copy(update={"header": header})
            checked = check_reading(dataset.name, source, guess=reading is None)
        with self._changing:
            dataset = self.get(dataset_id)
            changed = {**(checked.model_dump() if checked else {}), **({"name": name} if name else {})}
            dataset = Dataset.model_validate(dataset.model_dump() | changed)
            _write_about(self.folder / dataset_id, dataset)
        return dataset

    def remove(self, dataset_id: str) -> None:
        """Raises NotFoundError, or ConflictError for the built-in one."""
        if self.get(dataset_id).built_in:
            raise ConflictError("The built-in sample cannot be deleted.")
        # Renamed first: a folder that is half deleted must not look like a dataset.
        doomed = self.folder / f".deleted-{dataset_id}"
        os.replace(self.folder / dataset_id, doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _read(self, folder: Path) -> Dataset:
        return Dataset.model_validate_json((folder / _ABOUT).read_bytes())


def shown_name(filename: str) -> str:
    """The last part of whatever path a browser sent, printable, of a bearable length."""
    name = re.split(r"[/\\]", filename)[-1]
    name = "".join(character for character in name if character.isprintable()).strip()
    return name if len(name) <= 120 else name[:100] + name[-20:]


def _data_file(folder: Path) -> Path:
    """The file itself; the first version of Trainboard called it data.txt."""
    older = folder / f"{_DATA}.txt"
    return older if older.exists() else folder / _DATA


def _write_about(folder: Path, dataset: Dataset) -> None:
    files.write_whole(folder / _ABOUT, dataset.model_dump_json(indent=2))


def _slug(name: str) -> str:
    stem = name.split(".")[0] or name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "text"
