"""Small files that are there whole or not at all, whoever reads them meanwhile and whenever the server is killed."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """``mode``: who may read and write it, before the process's mask. Raises OSError, such as for a full disk; then the file
    is as it was."""
    temporary = path.with_name(f"{path.name}.new")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
