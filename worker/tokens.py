"""The tokenized dataset: made once, kept in the run directory until the run has completed, mapped into memory.

``tokens/`` holds for each side its token ids end to end (.tokens, uint16 or int32) and where each example begins
(.offsets, int64, one more than there are examples), about.json with what all depends on, and a manifest of digests.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ValidationError

from worker import checkpoint
from worker.contract import TOKENS_DIR
from worker.data import Corpus, Examples, Progress
from worker.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ABOUT_FILE = "about.json"


class Origin(BaseModel):
    """All that the tokens depend on. ``tokenizer`` is a digest of its serialized form."""

    dataset_sha256: str
    tokenizer: str
    max_length: int
    validation_split: float
    versions: dict[str, str]


class Counts(BaseModel):
    """What happened to one side's texts, as in Examples."""

    cut: int = 0
    dropped: int = 0


class About(BaseModel):
    """The content of about.json."""

    origin: Origin
    dtype: Literal["uint16", "int32"]
    train: Counts
    validation: Counts


def ensure(
    run_dir: Path,
    corpus: Corpus,
    validation_split: float,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    progress: Progress,
) -> None:
    """Makes RUN_DIR/tokens, unless an earlier worker of this run left just that, undamaged.

    Each text is encoded, ended with the end-of-text token, and cut at ``max_length`` tokens; those of fewer than two
    tokens are dropped. Raises DataError if the disk fails; nothing is left behind then.
    """
    folder = run_dir / TOKENS_DIR
    origin = Origin(
        dataset_sha256=corpus.sha256,
        tokenizer=_fingerprint(tokenizer),
        max_length=max_length,
        validation_split=validation_split,
        versions={library: version(library) for library in ("tokenizers", "transformers")},
    )
    if _is_whole(folder, origin):
        return
    discard(run_dir)
    try:
        checkpoint.write_folder(folder, lambda aside: _write(aside, corpus, tokenizer, origin, progress))
    except OSError as error:
        raise DataError(
            f"The text's tokens could not be written: {error}.",
            f"Free some space: they take about as much as the text itself, {corpus.bytes / 1e6:.0f} MB.",
        ) from error


def load(run_dir: Path) -> tuple[Examples, Examples]:
    """The examples to learn from and those to test on, mapped into memory from RUN_DIR/tokens."""
    folder = run_dir / TOKENS_DIR
    about = About.model_validate_json((folder / _ABOUT_FILE).read_bytes())
    train, validation = (
        Examples(_map(folder / f"{name}.tokens", about.dtype), _map(folder / f"{name}.offsets", "int64"), **vars(counts))
        for name, counts in (("train", about.train), ("validation", about.validation))
    )
    return train, validation


def discard(run_dir: Path) -> None:
    """Deletes RUN_DIR/tokens, if it is there: a run that has completed has no more use for it."""
    shutil.rmtree(run_dir / TOKENS_DIR, ignore_errors=True)


def _fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """A digest of all that decides which tokens a text becomes; empty for the few tokenizers that cannot tell."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    parts = (backend.to_str(), str(tokenizer.eos_token_id))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_whole(folder: Path, origin: Origin) -> bool:
    try:
        about = About.model_validate_json((folder / _ABOUT_FILE).read_bytes())
        if about.origin != origin or not origin.tokenizer:
            return False
        checkpoint.verify(folder)
    except (FileNotFoundError, ValidationError, CheckpointError):
        return False
    return True


def _map(path: Path, dtype: str) -> np.ndarray[Any, Any]:
    if not path.stat().st_size:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


def _write(folder: Path, corpus: Corpus, tokenizer: PreTrainedTokenizerBase, origin: Origin, progress: Progress) -> None:
    dtype: Literal["uint16", "int32"] = "uint16" if max(tokenizer.get_vocab().values()) < 2**16 else "int32"
    with _Side(folder, "train", dtype) as train, _Side(folder, "validation", dtype) as validation:
        for texts, is_test in corpus.chunks(progress):
            examples = _encode(texts, tokenizer)
            for side, wanted in ((train, False), (validation, True)):
                own = (ids for ids, test in zip(examples, is_test, strict=True) if test == wanted)
                side.append(own, origin.max_length)
    about = About(origin=origin, dtype=dtype, train=train.counts, validation=validation.counts)
    (folder / _ABOUT_FILE).write_text(about.model_dump_json())


def _encode(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encoded: list[list[int]] = tokenizer(texts, return_attention_mask=False, verbose=False)["input_ids"]
    return [ids if ids[-1:] == eos else ids + eos for ids in encoded]


class _Side:
    """The two files of one side, being written."""

    def __init__(self, folder: Path, name: str, dtype: str) -> None:
        self.counts = Counts()
        self._dtype = dtype
        self._end = np.zeros(1, dtype=np.int64)
        self._tokens = (folder / f"{name}.tokens").open("wb")
        self._offsets = (folder / f"{name}.offsets").open("wb")
        self._offsets.write(self._end.tobytes())

    def append(self, examples: Any, max_length: int) -> None:
        """Writes examples of token ids, each cut at ``max_length``, and counts what was lost."""
        kept: list[list[int]] = []
        for ids in examples:
            self.counts.cut += len(ids) > max_length
            self.counts.dropped += len(ids) < 2
            if len(ids) >= 2:
                kept.append(ids[:max_length])
        if kept:
            ends = self._end + np.cumsum([len(ids) for ids in kept])
            self._tokens.write(np.fromiter(chain.from_iterable(kept), dtype=self._dtype).tobytes())
            self._offsets.write(ends.tobytes())
            self._end = ends[-1:]

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *_: object) -> None:
        self._tokens.close()
        self._offsets.close()
