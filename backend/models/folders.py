"""Folders and files that are models: whether they are whole, and which of their files loading them takes."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

from backend.errors import InvalidFieldError
from worker.contract import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_WEIGHTS_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    WEIGHTS_INDEX_FILE,
    base_of,
    describes,
    is_adapter,
    is_whole,
    weight_files,
)

_GGUF_MAGIC = b"GGUF"
_GGUF_HEAD_BYTES = 16 << 20
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_VOCABULARY = ("tokenizer.json", "tekken.json", "vocab.json", "vocab.txt", "*.model", "*.tiktoken")
_WITHOUT_VOCABULARY = "ByT5Tokenizer"  # its tokens are bytes
_PAPERS = ("README*", "LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
# What a training leaves beside a model, by transformers' Trainer and by us; a manifest names files that are left behind.
_TRAINING = ("trainer_state.json", "training_state.json", "*_results.json", MANIFEST_FILE)


def is_model(path: Path) -> bool:
    """Whether ``path`` is a .gguf file, a folder with a model and all of its weights, or an adapter's."""
    if path.is_dir():
        return is_whole(path) or (is_adapter(path) and (path / ADAPTER_WEIGHTS_FILE).is_file())
    return path.suffix == ".gguf" and path.is_file()


def has_chat_template(path: Path) -> bool:
    """Whether the model or adapter at ``path`` has a form for chats. Reads its small files alone, or the head of a .gguf."""
    if path.is_file():
        return _in_gguf_head(path, b"tokenizer.chat_template")
    if (path / "chat_template.jinja").is_file():
        return True
    try:
        described = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
        return bool(described.get("chat_template"))
    except FileNotFoundError:
        return is_adapter(path) and _base_has_chat_template(path)
    except (OSError, ValueError, AttributeError):  # the worker will say what is wrong with it
        return False


def _base_has_chat_template(adapter: Path) -> bool:
    try:
        base = base_of(adapter)
    except (OSError, ValueError):
        return False
    return base.kind != "hub" and Path(base.location).exists() and has_chat_template(Path(base.location))


def _in_gguf_head(path: Path, key: bytes) -> bool:
    """Whether its table of metadata names ``key``: it stands before the weights, after the vocabulary."""
    with path.open("rb") as file:
        return key in file.read(_GGUF_HEAD_BYTES)


def needed_files(path: Path) -> list[Path]:
    """The files without which the model or adapter at ``path`` cannot be loaded, and its papers. Nothing that could run
    code is among them.

    Raises InvalidFieldError for ``path``, naming what is missing, if it could not be loaded from these.
    """
    if not path.exists():
        raise InvalidFieldError("path", f"There is nothing at {path}.")
    if path.is_file():
        return [_gguf(path)]
    weights = _adapter_weights(path) if is_adapter(path) else _model_weights(path)
    others = {file for file in path.iterdir() if file.is_file() and _is_kept(file.name)}
    return sorted({*weights, *others, *path.glob("additional_chat_templates/*.jinja")})


def _is_kept(name: str) -> bool:
    return (describes(name) and not _among(name, _TRAINING)) or _among(name, _PAPERS)


def _among(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _gguf(path: Path) -> Path:
    with path.open("rb") as file:
        if path.suffix == ".gguf" and file.read(4) == _GGUF_MAGIC:
            return path
    raise InvalidFieldError("path", f"{path.name} is not a .gguf file.", hint="Give a .gguf file or a model's folder.")


def _model_weights(folder: Path) -> list[Path]:
    if not (folder / "config.json").is_file():
        raise InvalidFieldError(
            "path", f"{folder.name} has no config.json.", hint="Give the folder that save_pretrained wrote."
        )
    try:
        files = weight_files(folder)
    except (OSError, ValueError) as error:
        raise InvalidFieldError("path", f"{folder.name} cannot be used: {error}.", hint="Get the model again.") from error
    if not files:
        raise _without_weights(folder, f"no {WEIGHTS_FILE}")
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise InvalidFieldError(
            "path",
            f"{folder.name} lacks {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}:"
            f" {len(missing)} of the {len(files)} files that its {WEIGHTS_INDEX_FILE} names.",
            hint="Get the missing files, or the whole model, again.",
        )
    _require_tokenizer(folder)
    index = folder / WEIGHTS_INDEX_FILE
    return [folder / file for file in files] + ([index] if files != [WEIGHTS_FILE] else [])


def _adapter_weights(folder: Path) -> list[Path]:
    if not (folder / ADAPTER_WEIGHTS_FILE).is_file():
        raise _without_weights(folder, f"no {ADAPTER_WEIGHTS_FILE}")
    try:
        base = base_of(folder)
    except ValueError as error:
        raise InvalidFieldError(
            "path",
            f"{folder.name} is an adapter, and {error}.",
            hint=f"Write into its {ADAPTER_CONFIG_FILE} which model it was made for, and add it again.",
        ) from error
    if base.kind != "hub" and not Path(base.location).exists():
        raise InvalidFieldError(
            "path",
            f"{folder.name} is an adapter, and {base.location}, the model that it was made for, is gone.",
            hint=f"Put that model back, or write into {ADAPTER_CONFIG_FILE} where it is.",
        )
    return [folder / ADAPTER_WEIGHTS_FILE]


def _without_weights(folder: Path, lacks: str) -> InvalidFieldError:
    found = sorted(file.name for file in folder.iterdir())
    if others := [name for name in found if name.endswith(".safetensors")]:
        lacks += f", under which transformers looks for weights, and {others[0]} is another"
    elif pickles := [name for name in found if _among(name, _PICKLES)]:
        lacks += f", and {pickles[0]} can run code when loaded"
    return InvalidFieldError(
        "path", f"{folder.name} has {lacks}.", hint="Save it again as safetensors, with save_pretrained."
    )


def _require_tokenizer(folder: Path) -> None:
    if any(_among(file.name, _VOCABULARY) for file in folder.iterdir()):
        return
    try:
        described = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        if described["tokenizer_class"] == _WITHOUT_VOCABULARY:
            return
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InvalidFieldError(
        "path",
        f"{folder.name} has no tokenizer: no tokenizer.json, and no vocabulary in another form.",
        hint="Put the tokenizer's files of the model that it was made from beside it.",
    )
