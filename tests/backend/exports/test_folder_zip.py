"""A folder as a zip file: opened by others' programs, and the same bytes however it is asked for."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import pytest

from backend.exports.folder_zip import FolderZip

NAMES = ("model.safetensors", "config.json", "empty", "ünïcode 日本.txt", "deep/er/file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = random.Random(0)
    for number, name in enumerate(NAMES):
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.randbytes(0 if name == "empty" else 300_000 * (number == 0) + 1000 + number))
    return tmp_path / "model"


def zip_of(folder: Path) -> FolderZip:
    return FolderZip(folder, sorted(file for file in folder.rglob("*") if file.is_file()))


def test_others_open_it(folder: Path) -> None:
    made = zip_of(folder)
    data = b"".join(made.read(0, made.length))
    assert len(data) == made.length
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert sorted(opened.namelist()) == sorted(NAMES)
        for name in NAMES:
            assert opened.read(name) == (folder / name).read_bytes()


def test_any_part_of_it_is_that_part(folder: Path) -> None:
    made = zip_of(folder)
    data = b"".join(made.read(0, made.length))
    choose = random.Random(1)
    for _ in range(200):
        start = choose.randrange(made.length)
        end = min(made.length, start + choose.choice((1, 30, 5000, 400_000)))
        assert b"".join(made.read(start, end)) == data[start:end]


class _Opened(io.RawIOBase):
    """A zip file of which a reader sees just the parts that it asks for."""

    def __init__(self, made: FolderZip) -> None:
        self._made, self._place = made, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._made.length}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = self._made.length if size < 0 else min(self._made.length, self._place + size)
        data = b"".join(self._made.read(self._place, end))
        self._place += len(data)
        return data


@pytest.mark.slow
def test_more_than_four_gigabytes(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(5 << 30)  # takes no room on the disk
    (tmp_path / "b").write_bytes(b"behind it")
    made = zip_of(tmp_path)
    with zipfile.ZipFile(_Opened(made)) as opened:  # type: ignore[arg-type]
        assert [one.file_size for one in opened.infolist()] == [5 << 30, 9]
        assert opened.infolist()[1].header_offset > 5 << 30
        assert opened.read("b") == b"behind it"


def test_its_tag_changes_with_any_file(folder: Path) -> None:
    before = zip_of(folder).etag
    assert zip_of(folder).etag == before
    os.utime(folder / "config.json", ns=(1, 1))
    assert zip_of(folder).etag != before


def test_a_file_that_shrinks_meanwhile_is_an_error_and_no_wrong_file(folder: Path) -> None:
    made = zip_of(folder)
    parts = made.read(0, made.length)
    next(parts)
    for name in NAMES:
        (folder / name).write_bytes(b"")
    with pytest.raises(OSError, match="shorter"):
        list(parts)
