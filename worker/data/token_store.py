"""The tokenized dataset: made once, kept in the run directory until the run has completed, mapped into memory.

``tokens/`` holds for each side its token ids end to end (.tokens, uint16 or int32), where each example begins (.offsets,
int64, one more than there are examples), how many of its tokens are learned (.trained, int64) and, unless that is all but
the first, which ones (.targets, bool); about.json with what all depends on; and a manifest of digests.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ValidationError

from worker.checkpoints.folder import verify, write_folder
from worker.contract import TOKENS_DIR, Reading
from worker.data.corpus import Corpus, Examples
from worker.data.encoding import REFUSED, Encoded, Encoder, told
from worker.data.formats.text import Progress
from worker.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ABOUT_FILE = "about.json"
_MOST_NAMED = 10  # rows that are told by their place; a person looks at a few and mends the file


class Origin(BaseModel):
    """All that the tokens depend on. ``tokenizer`` is a digest of its serialized form."""

    dataset_sha256: str
    reading: Reading
    tokenizer: str
    max_length: int
    validation_split: float
    by_group: bool = False
    test_sha256: str | None = None
    test_reading: Reading | None = None
    versions: dict[str, str]
    skip_refused_rows: bool = False


class Counts(BaseModel):
    """What happened to one side's texts, as in Examples."""

    cut: int = 0
    dropped: int = 0
    dropped_rows: list[int] = []


class About(BaseModel):
    """The content of about.json. ``lost`` and ``refused_rows`` (the first of them) are Encoder's."""

    origin: Origin
    dtype: Literal["uint16", "int32"]
    train: Counts
    validation: Counts
    lost: dict[str, int] = {}
    refused_rows: list[int] = []


def ensure(
    run_dir: Path,
    corpus: Corpus,
    validation_split: float,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    progress: Progress,
    *,
    skip_refused: bool = False,
) -> None:
    """Makes RUN_DIR/tokens, unless an earlier worker of this run left just that, undamaged.

    Each row becomes examples as ``worker.data.encoding`` says; those with nothing to learn are dropped. Raises DataError if
    the disk fails or a row cannot be used; nothing is left behind then.
    """
    folder = run_dir / TOKENS_DIR
    origin = Origin(
        dataset_sha256=corpus.sha256,
        reading=corpus.source.reading,
        tokenizer=_fingerprint(tokenizer),
        max_length=max_length,
        validation_split=validation_split,
        by_group=corpus.split.by_group,
        test_sha256=corpus.test and corpus.test.sha256,
        test_reading=corpus.test and corpus.test.source.reading,
        versions={library: version(library) for library in ("tokenizers", "transformers")},
        skip_refused_rows=skip_refused,
    )
    if _is_whole(folder, origin):
        return
    discard(run_dir)
    try:
        write_folder(folder, lambda aside: _write(aside, corpus, tokenizer, origin, progress))
    except OSError as error:
        raise DataError(
            f"The text's tokens could not be written: {error}.",
            f"Free some space: they take about as much as the text itself, {corpus.path.stat().st_size / 1e6:.0f} MB.",
        ) from error


def load_tokens(run_dir: Path) -> tuple[Examples, Examples]:
    """The examples to learn from and those to test on, mapped into memory from RUN_DIR/tokens."""
    folder = run_dir / TOKENS_DIR
    about = About.model_validate_json((folder / _ABOUT_FILE).read_bytes())
    train, validation = (_load_side(folder, name, about.dtype, counts) for name, counts in
                         (("train", about.train), ("validation", about.validation)))  # fmt: skip
    return train, validation


def left_out(run_dir: Path) -> list[str]:
    """What of the text is not in these tokens as it stands, a sentence each."""
    about = About.model_validate_json((run_dir / TOKENS_DIR / _ABOUT_FILE).read_bytes())
    return told(about.lost, about.refused_rows)


def _load_side(folder: Path, name: str, dtype: str, counts: Counts) -> Examples:
    targets = folder / f"{name}.targets"
    return Examples(
        tokens=_map(folder / f"{name}.tokens", dtype),
        offsets=_map(folder / f"{name}.offsets", "int64"),
        trained=_map(folder / f"{name}.trained", "int64"),
        targets=_map(targets, "bool") if targets.exists() else None,
        cut=counts.cut,
        dropped=counts.dropped,
        dropped_rows=tuple(counts.dropped_rows),
    )


def discard(run_dir: Path) -> None:
    """Deletes RUN_DIR/tokens, if it is there: a run that has completed has no more use for it."""
    shutil.rmtree(run_dir / TOKENS_DIR, ignore_errors=True)


def _fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """A digest of all that decides which tokens a text becomes; empty for the few tokenizers that cannot tell."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    parts = (backend.to_str(), str(tokenizer.eos_token_id), str(tokenizer.chat_template))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_whole(folder: Path, origin: Origin) -> bool:
    try:
        about = About.model_validate_json((folder / _ABOUT_FILE).read_bytes())
        if about.origin != origin or not origin.tokenizer:
            return False
        verify(folder)
    except (FileNotFoundError, ValidationError, CheckpointError):
        return False
    return True


def _map(path: Path, dtype: str) -> np.ndarray[Any, Any]:
    if not path.stat().st_size:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


def _write(folder: Path, corpus: Corpus, tokenizer: PreTrainedTokenizerBase, origin: Origin, progress: Progress) -> None:
    dtype: Literal["uint16", "int32"] = "uint16" if max(tokenizer.get_vocab().values()) < 2**16 else "int32"
    tested, lost, refused = corpus.test or corpus, Counter[str](), list[int]()
    with (
        _Side(folder, "train", dtype, _is_masked(corpus)) as train,
        _Side(folder, "validation", dtype, _is_masked(tested)) as validation,
    ):
        for part in [corpus] if tested is corpus else [corpus, tested]:
            encoder = Encoder(tokenizer, part.source.reading, origin.max_length, skip_refused=origin.skip_refused_rows)
            for chunk, is_test in part.chunks(progress):
                encoded = encoder.whole(chunk.rows, chunk.numbers)
                for side, wanted in ((train, False), (validation, True)):
                    own = [place for place, test in enumerate(is_test | (part is not corpus)) if test == wanted]
                    side.append(encoder, [encoded[place] for place in own], [chunk.numbers[place] for place in own])
            lost += encoder.lost
            refused += encoder.refused_rows[:_MOST_NAMED]
    about = About(
        origin=origin,
        dtype=dtype,
        train=train.counts,
        validation=validation.counts,
        lost=lost,
        refused_rows=refused[:_MOST_NAMED],
    )
    (folder / _ABOUT_FILE).write_text(about.model_dump_json())


def _is_masked(corpus: Corpus) -> bool:
    return corpus.source.reading.kind in ("completion", "chat")


class _Side:
    """The files of one side, being written."""

    def __init__(self, folder: Path, name: str, dtype: str, masked: bool) -> None:
        self.counts = Counts()
        self._dtype = dtype
        self._end = np.zeros(1, dtype=np.int64)
        parts = ("tokens", "offsets", "trained", *(("targets",) if masked else ()))
        self._files = {part: (folder / f"{name}.{part}").open("wb") for part in parts}
        self._files["offsets"].write(self._end.tobytes())

    def append(self, encoder: Encoder, rows: list[Encoded], numbers: list[int]) -> None:
        """Writes the examples that each row becomes, and counts what was lost."""
        kept: list[Encoded] = []
        for whole, number in zip(rows, numbers, strict=True):
            if whole.ids is REFUSED:
                continue
            self.counts.cut += encoder.is_cut(whole)
            examples = list(encoder.windows(whole))
            kept += (useful := [example for example in examples if example.trained])
            if not useful:
                self.counts.dropped += 1
                if len(self.counts.dropped_rows) < _MOST_NAMED:
                    self.counts.dropped_rows.append(number)
        if kept:
            ends = self._end + np.cumsum([len(example.ids) for example in kept])
            ids = chain.from_iterable(example.ids for example in kept)
            self._files["tokens"].write(np.fromiter(ids, dtype=self._dtype).tobytes())
            self._files["offsets"].write(ends.tobytes())
            self._files["trained"].write(np.array([example.trained for example in kept], dtype=np.int64).tobytes())
            if "targets" in self._files:
                targets = chain.from_iterable(example.targets or () for example in kept)
                self._files["targets"].write(np.fromiter(targets, dtype=bool).tobytes())
            self._end = ends[-1:]

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
