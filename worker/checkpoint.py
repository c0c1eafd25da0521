"""Folders that are either whole or not there: written aside, checked by digests, renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from safetensors import SafetensorError

from worker.contract import CHECKPOINTS_DIR, MANIFEST_FILE
from worker.errors import CheckpointError

_ASIDE = ".tmp-"


def write_folder(target: Path, write: Callable[[Path], None]) -> int:
    """Has ``write`` fill a folder beside ``target`` and makes that ``target`` in one step. Returns its bytes.

    Killed at any point, it leaves the old ``target`` or the new one, whole, or none and a stale ``.tmp-`` folder.
    Raises OSError if the disk fails; nothing is left behind then.
    """
    aside = target.parent / f"{_ASIDE}{target.name}"
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        write(aside)
        size = _seal(aside)
        if target.exists():
            _remove(target)
        aside.rename(target)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, SafetensorError):  # what a full disk becomes in safetensors
            raise OSError(str(error)) from error
        raise
    _sync(target.parent)
    return size


def _seal(folder: Path) -> int:
    """Writes the manifest, brings every file to the disk, and returns the bytes of all but the manifest."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "README.md"  # the card is made to be edited
    }
    manifest = folder / MANIFEST_FILE
    manifest.write_text(json.dumps({"files": files}, indent=1) + "\n")
    for path in [*folder.rglob("*"), folder]:
        _sync(path)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path != manifest)


def _digest(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def verify(folder: Path) -> None:
    """Raises CheckpointError, naming the file, unless every file is there and as it was written."""
    hint = "Use another checkpoint."
    try:
        files = json.loads((folder / MANIFEST_FILE).read_bytes())["files"]
        for name, expected in files.items():
            path = folder / name
            if not path.is_file():
                raise CheckpointError(f"{path} is missing.", hint)
            if path.stat().st_size != expected["bytes"] or _digest(path) != expected["sha256"]:
                raise CheckpointError(f"{path} was damaged after it was saved.", hint)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder} has no readable {MANIFEST_FILE}, so it cannot be trusted.", hint) from error


def prune(saved: Sequence[Path], keep: int, best: Path | None) -> None:
    """Deletes of the checkpoints ``saved``, oldest first, all but the latest ``keep`` and ``best``. Raises OSError."""
    for path in saved[:-keep]:
        if path != best and path.exists():
            _remove(path)


def sweep(run_dir: Path) -> None:
    """Deletes what a killed worker left half written or half deleted."""
    for path in _stale((run_dir, run_dir / CHECKPOINTS_DIR)):
        shutil.rmtree(path)


def _stale(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in folder.glob(f"{_ASIDE}*")]


def _remove(folder: Path) -> None:
    """Takes the folder out of sight in one step before deleting it, so that nobody finds half of it."""
    trash = folder.parent / f"{_ASIDE}old-{folder.name}"
    folder.rename(trash)
    shutil.rmtree(trash)
