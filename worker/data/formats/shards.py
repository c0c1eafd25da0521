"""The files of a dataset's repository: which of them make up a split, and how they become one file."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from worker.data.formats.guess import format_of
from worker.errors import DataError

LEARNED = "train"
_TESTED = re.compile(r"(test|val|valid|validation|dev|eval|evaluation)(?![a-z])")
_PREFERRED = ("parquet", "jsonl", "json", "csv", "tsv", "txt")
_CHAINABLE = ("jsonl", "txt")  # several of them, one after another, are one of them
_SUFFIX = re.compile(r"\.(parquet|jsonl|ndjson|json|csv|tsv|txt)(\.gz)?$", re.IGNORECASE)
_SHARD_NUMBER = re.compile(r"[-_.]?\d+([-_]of[-_]\d+)?(-[0-9a-f]{8,})?$")
_ABOUT = re.compile(r"(\.|dataset_infos?\b|readme\b|license\b|requirements\b)", re.IGNORECASE)  # beginnings of others' names
_BY_HAND = "Download them, and upload the one you want."
_ROWS_AT_ONCE = 5000
_COPIED_BYTES = 1 << 20


def choose(files: Sequence[str], split: str) -> list[str]:
    """The files of a repository that hold ``split``, in their order. Of several formats the best one.

    A file belongs to the split that it, or a folder that it is in, is called after: data/train-00000-of-00002.parquet.
    Raises DataError if there is none, or if they are not parts of one set.
    """
    data = sorted(file for file in files if _SUFFIX.search(file) and not _ABOUT.match(PurePosixPath(file).name))
    if not data:
        readable = ", ".join(f".{format}" for format in _PREFERRED)
        raise DataError("The repository holds no file that can be read.", f"It needs one of these kinds: {readable}.")
    split = split.lower()
    found = [file for file in data if split in _names(file)]
    found = found or [file for file in data if any(name.startswith(split) for name in _names(file))]
    if found:
        return _one_set(_best(found), split)
    untested = [file for file in data if not any(map(_TESTED.match, _names(file)))]
    if split != LEARNED or not untested:
        there = sorted({name for file in data for name in _names(file)})
        raise DataError(f"The repository has no split {split!r}.", f"Its files are called: {', '.join(there[:10])}.")
    return _joinable(_best(untested))


def _names(file: str) -> list[str]:
    """What a file and its folders are called, in lower case and without the number of a shard: data, train."""
    *folders, name = _SUFFIX.sub("", file).lower().split("/")
    return [part for part in (*folders, _SHARD_NUMBER.sub("", name)) if part]


def _best(files: Sequence[str]) -> list[str]:
    ranks = {file: _PREFERRED.index(format_of(file)) for file in files}
    best = min(ranks.values())
    return [file for file in files if ranks[file] == best]


def _one_set(files: Sequence[str], split: str) -> list[str]:
    """The files, if they are shards of one set; of a folder with several splits those to learn from."""
    sets = {tuple(_names(file)) for file in files}
    if len(sets) > 1 and split != LEARNED:
        sets = {names for names in sets if LEARNED in names} or sets
    if len(sets) > 1:
        telling = sorted({next((name for name in names if _is_only_in(name, names, sets)), names[-1]) for names in sets})
        raise DataError(
            f"The split {split!r} stands for several sets: {', '.join('/'.join(names) for names in sorted(sets)[:10])}.",
            f"Give one of these as the split: {', '.join(telling[:10])}.",
        )
    return _joinable([file for file in files if tuple(_names(file)) in sets])


def _is_only_in(name: str, names: tuple[str, ...], sets: set[tuple[str, ...]]) -> bool:
    return not any(name in others for others in sets if others != names)


def _joinable(files: list[str]) -> list[str]:
    if len(files) > 1 and format_of(files[0]) in ("csv", "tsv"):
        raise _not_joinable(files)
    return files


def _not_joinable(files: Sequence[str]) -> DataError:
    return DataError(f"The data stands in several files that cannot be joined: {', '.join(files[:10])}.", _BY_HAND)


def join(paths: Sequence[Path], folder: Path) -> Path:
    """One file in ``folder`` of these, which are of one format and are used up. Raises DataError if they do not fit."""
    target = folder / f"data{_suffix(paths[0])}"
    if len(paths) == 1:
        return paths[0].rename(target)
    format = format_of(target.name)
    if format == "parquet":
        _merge(paths, target)
    elif len(set(map(_suffix, paths))) == 1 and (format in _CHAINABLE or all(map(_holds_lines, paths))):
        _chain(paths, target)
    else:
        raise _not_joinable([path.name for path in paths])
    return target


def _suffix(path: Path) -> str:
    found = _SUFFIX.search(path.name)
    return found[0].lower() if found else ""


def _holds_lines(path: Path) -> bool:
    """Whether a .json holds an object on each line, and not a list."""
    with path.open("rb") as file:
        return file.read(1024).lstrip().startswith(b"{")


def _chain(paths: Sequence[Path], target: Path) -> None:
    """One after another; several gzip files in one are one. Each begins on a line of its own."""
    with target.open("wb") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole, _COPIED_BYTES)
                part.seek(max(0, part.tell() - 1))
                last = part.read()
            if path.suffix == ".gz":
                whole.write(gzip.compress(b"\n"))
            elif last != b"\n":
                whole.write(b"\n")
            path.unlink()


def _merge(paths: Sequence[Path], target: Path) -> None:
    """A few rows at a time, so that no file is held."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(paths[0]) as first:
            schema = first.schema_arrow
        with parquet.ParquetWriter(target, schema) as whole:
            for path in paths:
                with parquet.ParquetFile(path, buffer_size=_COPIED_BYTES, pre_buffer=False) as part:
                    for batch in part.iter_batches(_ROWS_AT_ONCE):
                        whole.write_table(pyarrow.Table.from_batches([batch]).cast(schema))
                path.unlink()
    except (pyarrow.ArrowException, ValueError) as error:
        raise DataError(f"The files of the dataset do not fit together: {error}", _BY_HAND) from error
