"""Which files of a folder are a model's, by the names that transformers looks for, and an adapter's, by peft's."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

from worker.contract.job import ModelSource

WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX_FILE = "model.safetensors.index.json"
ADAPTER_CONFIG_FILE = "adapter_config.json"
ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors"

_DESCRIPTION = ("*.json", "*.jinja", "*.model", "*.tiktoken", "vocab.txt", "merges.txt")  # no pickles, no code


def describes(file: str) -> bool:
    """Whether the file of this name may tell of a model's design or its tokenizer."""
    return file != WEIGHTS_INDEX_FILE and any(fnmatch.fnmatch(file, pattern) for pattern in _DESCRIPTION)


def weight_files(folder: Path) -> list[str]:
    """The files that transformers would read weights from: one, or those that the index names; empty if there is neither.

    Raises ValueError if the index cannot be read, or names files in other folders.
    """
    index = folder / WEIGHTS_INDEX_FILE
    if (folder / WEIGHTS_FILE).is_file() or not index.is_file():
        return [WEIGHTS_FILE] if (folder / WEIGHTS_FILE).is_file() else []
    try:
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        elsewhere = [file for file in files if Path(file).name != file]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{WEIGHTS_INDEX_FILE} names no files") from error
    if elsewhere:
        raise ValueError(f"{WEIGHTS_INDEX_FILE} names {elsewhere[0]}, which is no file of the same folder")
    return files


def is_whole(folder: Path) -> bool:
    """Whether a model can be loaded from ``folder``: its design is there, and every file of its weights."""
    try:
        files = weight_files(folder)
    except (OSError, ValueError):
        return False
    return (folder / "config.json").is_file() and bool(files) and all((folder / file).is_file() for file in files)


def is_adapter(folder: Path) -> bool:
    """Whether ``folder`` holds what was trained beside a model, and not that model, its base."""
    return (folder / ADAPTER_CONFIG_FILE).is_file() and not (folder / "config.json").is_file()


def base_of(folder: Path) -> ModelSource:
    """The model that the adapter in ``folder`` is an addition to. Raises ValueError, saying why it cannot be told."""
    try:
        name = json.loads((folder / ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{ADAPTER_CONFIG_FILE} cannot be read") from error
    if not isinstance(name, str) or not name:
        raise ValueError(f"{ADAPTER_CONFIG_FILE} names no base_model_name_or_path")
    if Path(name).is_absolute():
        return ModelSource(kind="gguf" if name.endswith(".gguf") else "folder", location=name)
    if ":" in name or name.startswith(".") or name.count("/") > 1:
        raise ValueError(f"the base that {ADAPTER_CONFIG_FILE} names, {name}, is no id of the hub and no whole path")
    return ModelSource(kind="hub", location=name)
