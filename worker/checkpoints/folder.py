"""Folders that are either whole or not there: written aside, checked by digests, renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from worker.contract import CHECKPOINTS_DIR, MANIFEST_FILE
from worker.errors import CheckpointError

_ASIDE = ".tmp-"
_OLD = f"{_ASIDE}old-"  # what is being replaced or deleted


def write_folder(target: Path, write: Callable[[Path], None]) -> int:
    """Has ``write`` fill a folder beside ``target`` and puts that in its place. Returns its bytes.

    An old ``target`` is moved aside, and deleted only when the new one is on the disk under its name: killed at any point,
    it leaves one of them whole, if need be aside, from where ``sweep`` puts it back. Raises OSError if the disk fails; the
    old one is still there then.
    """
    aside, old = (target.parent / f"{prefix}{target.name}" for prefix in (_ASIDE, _OLD))
    target.parent.mkdir(exist_ok=True)
    _settle(old)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        write(aside)
        size = _seal(aside)
        if target.exists():
            target.rename(old)
        aside.rename(target)
        _sync(target.parent)
    except BaseException as error:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, SafetensorError):  # what a full disk becomes in safetensors
            raise OSError(str(error)) from error
        raise
    shutil.rmtree(old, ignore_errors=True)  # what is left of it goes with the next sweep
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
        if not files:
            raise ValueError("a list of nothing proves nothing")
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
    """Puts in its place what a killed worker left whole, and deletes what it left half written or half deleted."""
    for folder in (run_dir, run_dir / CHECKPOINTS_DIR):
        for path in sorted(folder.glob(f"{_ASIDE}*"), key=lambda path: path.name.startswith(_OLD)):  # the new before the old
            _settle(path)


def _settle(path: Path) -> None:
    """Renames a folder that was left aside to what it was to be, if that is missing and this is whole; else deletes it."""
    target = path.parent / path.name.removeprefix(_OLD).removeprefix(_ASIDE)
    if path.exists() and not target.exists():
        with suppress(CheckpointError):
            verify(path)
            path.rename(target)
            _sync(path.parent)
    if path.exists():
        shutil.rmtree(path)


def _remove(folder: Path) -> None:
    """Takes the folder out of sight in one step before deleting it, so that nobody finds half of it."""
    trash = folder.parent / f"{_OLD}{folder.name}"
    shutil.rmtree(trash, ignore_errors=True)
    folder.rename(trash)
    shutil.rmtree(trash)
