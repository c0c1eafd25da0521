"""Datasets that the server itself writes, from what people did here. They are checked and kept like an upload."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from backend.datasets.checker import check_file
from backend.datasets.store import Datasets
from backend.schemas.data import Dataset


def add_lines(datasets: Datasets, filename: str, lines: Iterable[str]) -> Dataset:
    """A dataset of these lines, or the one that has the same. Raises InvalidFieldError if they are of no use as one."""
    content = "".join(f"{line}\n" for line in lines).encode()
    with tempfile.TemporaryDirectory(prefix=".upload-", dir=datasets.folder) as temporary:
        path = Path(temporary, filename)
        path.write_bytes(content)
        checked = check_file(filename, path)
        return datasets.add(path, filename, checked, len(content), hashlib.sha256(content).hexdigest())[0]
