"""Sizes on the disk."""

from __future__ import annotations

import os
from pathlib import Path

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own are


class Sizes:
    """Bytes on the disk, sparse files as they are. What was met before is not counted again: a file of several names, or
    what lies in a folder that was."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def of(self, path: Path) -> int:
        """Of a file or folder; links are not followed, and what goes meanwhile is nothing."""
        found = self._one(path)
        for root, folders, files in os.walk(path):
            found += sum(self._one(os.path.join(root, name)) for name in (*folders, *files))
        return found

    def _one(self, path: str | Path) -> int:
        try:
            about = os.lstat(path)
        except OSError:
            return 0
        key = (about.st_dev, about.st_ino)
        if key in self._seen:
            return 0
        self._seen.add(key)
        return about.st_blocks * _BLOCK_BYTES
