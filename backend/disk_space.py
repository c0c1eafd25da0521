"""A full disk: how to tell, what to say of it, and room for what makes room again."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RESERVE_BYTES = 4 << 20  # SQLite's log of a deletion
_FOLDERS = ("runs", "datasets", "models", "huggingface")


def is_full(error: BaseException) -> bool:
    """Whether the disk, or what one may have of it, is full, as the system or SQLite says it."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "database or disk is full" in str(error)


def largest(data_dir: Path) -> str:
    """What takes most of the data directory, in words, such as: runs 12.3 GB, datasets 1.20 GB. Reads the whole tree."""
    sizes = {name: _bytes(data_dir / name) for name in _FOLDERS}
    known = sorted((name for name, size in sizes.items() if size), key=lambda name: -sizes[name])
    return ", ".join(f"{name} {_shown(sizes[name])}" for name in known)


def free(data_dir: Path) -> str:
    """The room that is left, in words."""
    return _shown(shutil.disk_usage(data_dir).free)


class Reserve:
    """A file that can be let go, so that on a full disk a run or a dataset can still be deleted."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "reserve"

    def keep(self) -> None:
        """Makes the file where there is room for it."""
        if self._path.exists():
            return
        try:
            self._path.write_bytes(os.urandom(_RESERVE_BYTES))  # which no file system makes smaller
        except OSError:  # then there is none; what fails for it is told there
            self._path.unlink(missing_ok=True)

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """Its room is free for the block."""
        self._path.unlink(missing_ok=True)
        try:
            yield
        finally:
            self.keep()


def _bytes(folder: Path) -> int:
    """On the disk, sparse files counted as they are."""
    found = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.lstat(os.path.join(root, name)).st_blocks * 512
            except OSError:  # gone meanwhile
                continue
    return found


def _shown(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
