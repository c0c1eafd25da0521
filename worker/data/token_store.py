"""The tokenized dataset: made once, kept in the run directory until the run has completed, mapped into memory.

``tokens/`` holds for each side its token ids end to end (.tokens, uint16 or int32), where each example begins (.offsets,
int64, one more than there are examples), how many of its tokens are learned (.trained, int64), which row of its dataset it
is of (.rows, int64) and, unless all but the first are learned, which ones (.targets, bool); about.json with what all depends
on; and a manifest of digests. Of a mixture the datasets' examples lie one after the other.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
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
_EDITION = 1  # to be raised whenever the files change: then a store of an earlier worker is made anew
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
    mixed: list[tuple[str, Reading]] = []  # digest and reading of each dataset that is learned along with it
    versions: dict[str, str]
    skip_refused_rows: bool = False
    exclude_rows: tuple[int, ...] = ()
    edition: int = 0


class Counts(BaseModel):
    """What happened to the texts of one side of a dataset, as in Examples."""

    examples: int = 0
    cut: int = 0
    dropped: int = 0
    dropped_rows: list[int] = []


class Part(BaseModel):
    """What one dataset has become. ``lost`` and ``refused_rows`` (the first of them) are Encoder's."""

    train: Counts = Counts()
    validation: Counts = Counts()
    lost: dict[str, int] = {}
    refused_rows: list[int] = []


class About(BaseModel):
    """The content of about.json."""

    origin: Origin
    dtype: Literal["uint16", "int32"]
    parts: list[Part]


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
        mixed=[(part.sha256, part.source.reading) for part in corpus.mixed],
        versions={library: version(library) for library in ("tokenizers", "transformers")},
        skip_refused_rows=skip_refused,
        exclude_rows=corpus.source.exclude_rows,
        edition=_EDITION,
    )
    if _is_whole(folder, origin):
        return
    discard(run_dir)
    try:
        write_folder(folder, lambda aside: _write(aside, corpus, tokenizer, origin, progress))
    except OSError as error:
        raise DataError(
            f"The text's tokens could not be written: {error}.",
            f"Free some space: they take about as much as the text itself, {_megabytes(corpus):.0f} MB.",
        ) from error


def load_tokens(run_dir: Path) -> list[tuple[Examples, Examples]]:
    """The examples to learn from and those to test on, mapped into memory from RUN_DIR/tokens: those of the dataset, and of
    each that is mixed with it."""
    folder = run_dir / TOKENS_DIR
    about = About.model_validate_json((folder / _ABOUT_FILE).read_bytes())
    train = _load_side(folder, "train", about.dtype, [part.train for part in about.parts])
    validation = _load_side(folder, "validation", about.dtype, [part.validation for part in about.parts])
    return list(zip(train, validation, strict=True))


def left_out(run_dir: Path) -> list[list[str]]:
    """What of each dataset's text is not in these tokens as it stands, a sentence each."""
    about = About.model_validate_json((run_dir / TOKENS_DIR / _ABOUT_FILE).read_bytes())
    return [told(part.lost, part.refused_rows) for part in about.parts]


def _load_side(folder: Path, name: str, dtype: str, parts: list[Counts]) -> Iterator[Examples]:
    offsets, targets = _map(folder / f"{name}.offsets", "int64"), folder / f"{name}.targets"
    whole = Examples(
        tokens=_map(folder / f"{name}.tokens", dtype),
        starts=offsets[:-1],
        ends=offsets[1:],
        trained=_map(folder / f"{name}.trained", "int64"),
        rows=_map(folder / f"{name}.rows", "int64"),
        targets=_map(targets, "bool") if targets.exists() else None,
    )
    end = 0
    for counts in parts:
        start, end = end, end + counts.examples
        own = counts.model_dump(exclude={"examples", "dropped_rows"})
        yield replace(whole.taken(slice(start, end)), dropped_rows=tuple(counts.dropped_rows), **own)


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
    learned, tests = (corpus, *corpus.mixed), (corpus.test,) if corpus.test else ()
    parts: list[Part] = []
    with (
        _Side(folder, "train", dtype, any(map(_is_masked, learned))) as train,
        _Side(folder, "validation", dtype, any(map(_is_masked, tests or learned))) as validation,
    ):
        for read in (corpus, *tests, *corpus.mixed):
            if read is not corpus.test:  # which is the validation side of the dataset
                parts.append(Part())
            part, skip = parts[-1], origin.skip_refused_rows
            encoder = Encoder(tokenizer, read.source.reading, origin.max_length, skip_refused=skip)
            for chunk, is_test in read.chunks(progress):
                encoded = encoder.whole(chunk.rows, chunk.numbers)
                for side, counts, wanted in ((train, part.train, False), (validation, part.validation, True)):
                    own = [place for place, test in enumerate(is_test | (read is corpus.test)) if test == wanted]
                    side.append(encoder, counts, [encoded[place] for place in own], [chunk.numbers[place] for place in own])
            part.lost = dict(Counter(part.lost) + encoder.lost)
            part.refused_rows = [*part.refused_rows, *encoder.refused_rows][:_MOST_NAMED]
    (folder / _ABOUT_FILE).write_text(About(origin=origin, dtype=dtype, parts=parts).model_dump_json())


def _is_masked(corpus: Corpus) -> bool:
    return corpus.source.reading.kind in ("completion", "chat")


def _megabytes(corpus: Corpus) -> float:
    return sum(part.path.stat().st_size for part in (corpus, *corpus.mixed)) / 1e6


class _Side:
    """The files of one side, being written."""

    def __init__(self, folder: Path, name: str, dtype: str, masked: bool) -> None:
        self._dtype = dtype
        self._end = np.zeros(1, dtype=np.int64)
        parts = ("tokens", "offsets", "trained", "rows", *(("targets",) if masked else ()))
        self._files = {part: (folder / f"{name}.{part}").open("wb") for part in parts}
        self._files["offsets"].write(self._end.tobytes())

    def append(self, encoder: Encoder, counts: Counts, rows: list[Encoded], numbers: list[int]) -> None:
        """Writes the examples that each row becomes, and counts them and what was lost."""
        kept: list[Encoded] = []
        rows_kept: list[int] = []
        for whole, number in zip(rows, numbers, strict=True):
            if whole.ids is REFUSED:
                continue
            counts.cut += encoder.is_cut(whole)
            examples = list(encoder.windows(whole))
            kept += (useful := [example for example in examples if example.trained])
            rows_kept += [number] * len(useful)
            if not useful:
                counts.dropped += 1
                if len(counts.dropped_rows) < _MOST_NAMED:
                    counts.dropped_rows.append(number)
        counts.examples += len(kept)
        if kept:
            ends = self._end + np.cumsum([len(example.ids) for example in kept])
            ids = chain.from_iterable(example.ids for example in kept)
            self._files["tokens"].write(np.fromiter(ids, dtype=self._dtype).tobytes())
            self._files["offsets"].write(ends.tobytes())
            self._files["trained"].write(np.array([example.trained for example in kept], dtype=np.int64).tobytes())
            self._files["rows"].write(np.array(rows_kept, dtype=np.int64).tobytes())
            if "targets" in self._files:
                targets = chain.from_iterable(example.learned for example in kept)
                self._files["targets"].write(np.fromiter(targets, dtype=bool).tobytes())
            self._end = ends[-1:]

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
