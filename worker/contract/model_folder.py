"""Which files of a folder hold a model's weights, by the names that transformers looks for."""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX_FILE = "model.safetensors.index.json"


def weight_files(folder: Path) -> list[str]:
    """The files that transformers would read weights from: one, or those that the index names; empty if there is neither.

    Raises ValueError if the index cannot be read.
    """
    index = folder / WEIGHTS_INDEX_FILE
    if (folder / WEIGHTS_FILE).is_file() or not index.is_file():
        return [WEIGHTS_FILE] if (folder / WEIGHTS_FILE).is_file() else []
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{WEIGHTS_INDEX_FILE} names no files") from error


def is_whole(folder: Path) -> bool:
    """Whether a model can be loaded from ``folder``: its design is there, and every file of its weights."""
    try:
        files = weight_files(folder)
    except (OSError, ValueError):
        return False
    return (folder / "config.json").is_file() and bool(files) and all((folder / file).is_file() for file in files)
