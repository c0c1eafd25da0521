"""The scores of a model on a set, whose texts are read, encoded and masked as training does it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from worker.contract import Reading
from worker.data import group_store
from worker.data.batching import Batch, lay_out
from worker.data.corpus import Corpus, Examples
from worker.data.encoding import REFUSED, Encoded, Encoder, plain_chat_template, told
from worker.data.split import ALONE
from worker.data.token_bytes import TokenBytes
from worker.errors import DataError
from worker.evaluations.wanted import EvaluatedSet, Evaluation
from worker.models.forward import Forward
from worker.models.loading import LanguageModel, choose_max_length
from worker.models.packing import choose_layout
from worker.models.scores import ScoreSums

_ROWS_AT_ONCE = 256
_BATCH_SIZE = 8  # times max length are the tokens of a forward pass

Say = Callable[[str, "float | None"], None]
"""Tells what is being done, and which share of it is."""


def scores_of(language_model: LanguageModel, evaluated: EvaluatedSet, request: Evaluation, say: Say) -> dict[str, Any]:
    """Scores, ``examples``, ``seconds`` and ``notes``, sentences for a person. Raises WorkerError, and what ``say`` does."""
    started = time.perf_counter()
    rows = _rows_of(evaluated, request, language_model.context, say)
    tokenizer = language_model.tokenizer
    notes = []
    plain = rows.reading.kind == "chat" and not tokenizer.chat_template
    if plain:
        tokenizer.chat_template = plain_chat_template(tokenizer)
        notes.append("The model has no chat format, so a plain one was used, as in training.")
    skip = evaluated.job.config.skip_refused_rows if evaluated.job else True
    encoder = Encoder(tokenizer, rows.reading, rows.max_length, skip_refused=skip)
    meter = _Meter(language_model, evaluated.precision, rows.max_length)
    found = _Examples(rows, encoder, request.limit)
    if not found.count:
        raise DataError("The run keeps nothing aside to test on.", "All its examples are the same. Choose a dataset.")
    for examples, count in found.parts(lambda: say("Reading the texts.", found.seen / found.count)):
        for share in meter.add(examples):
            say("Scoring the texts.", (found.seen + share * count) / found.count)
    if plain:
        tokenizer.chat_template = None  # for the next set to tell of it too
    if not meter.sums.tokens:
        notes.append("No example has anything to score.")
    if found.cut:
        cut = f"{found.cut:,} of {found.seen:,} rows are" if found.seen > 1 else "The row is"
        notes.append(f"{cut} longer than {rows.max_length:,} tokens; what is beyond was not scored.")
    notes += [*rows.notes, *told(encoder.lost, encoder.refused_rows)]
    seconds = time.perf_counter() - started
    return {**meter.sums.numbers(), "examples": meter.examples, "seconds": seconds, "notes": notes}


class _Rows(NamedTuple):
    """Where rows come from, and whether only those for testing are meant."""

    corpus: Corpus
    only_tests: bool
    max_length: int
    notes: list[str]

    @property
    def reading(self) -> Reading:
        return self.corpus.source.reading


def _rows_of(evaluated: EvaluatedSet, request: Evaluation, context: int | None, say: Say) -> _Rows:
    """Raises DataError if the set cannot be read, or holds nothing."""

    def progress(_: int) -> None:
        say("Looking through the texts.", None)

    job = evaluated.job
    if job is None:
        assert evaluated.source
        length, notes = _readable(request.max_length, context)
        return _Rows(Corpus.read(evaluated.source, 0.0, length, progress), False, length, notes)
    wanted = job.config.max_length
    length, notes = _readable(wanted, context) if wanted else (choose_max_length(None, context), [])
    if job.validation:
        return _Rows(Corpus.read(job.validation, 0.0, wanted, progress), False, length, notes)
    groups = ALONE
    if job.is_split_by_group:
        with tempfile.TemporaryDirectory(prefix="trainboard-groups-") as folder:
            groups = group_store.ensure(Path(folder), 0, job.dataset, wanted, progress)
    corpus = Corpus.read(job.dataset, job.validation_share, wanted, progress, groups=groups)
    return _Rows(corpus, True, length, notes)


def _readable(wanted: int, context: int | None) -> tuple[int, list[str]]:
    """Tokens at which examples are cut, and a note if the model cannot read as many as are ``wanted``."""
    if context is None or wanted <= context:
        return wanted, []
    return context, [f"This model reads {context:,} tokens at most, so examples are cut there and not at {wanted:,}."]


class _Examples:
    """The examples of ``rows``, made a few rows at a time. ``seen`` counts the rows so far, of ``count``."""

    def __init__(self, rows: _Rows, encoder: Encoder, limit: int | None) -> None:
        self._rows, self._encoder = rows, encoder
        there = rows.corpus.test_texts if rows.only_tests else rows.corpus.split.texts
        self.count = there if limit is None else min(limit, there)
        self.seen = self.cut = 0

    def parts(self, say: Callable[[], None]) -> Iterator[tuple[Examples, int]]:
        """Examples that have something to score, and of how many rows they are. ``say`` is called now and then."""
        for chunk, is_test in self._rows.corpus.chunks(lambda _: say()):
            wanted = [place for place, test in enumerate(is_test) if test or not self._rows.only_tests]
            wanted = wanted[: self.count - self.seen]
            for start in range(0, len(wanted), _ROWS_AT_ONCE):
                part = wanted[start : start + _ROWS_AT_ONCE]
                encoded = self._encoder.whole([chunk.rows[each] for each in part], [chunk.numbers[each] for each in part])
                whole = [each for each in encoded if each.ids is not REFUSED]
                self.cut += sum(map(self._encoder.is_cut, whole))
                kept = [example for each in whole for example in self._encoder.windows(each) if example.trained]
                if kept:
                    yield _together(kept), len(part)
                self.seen += len(part)
            if self.seen == self.count:
                return


def _together(encoded: list[Encoded]) -> Examples:
    """All of them, each of which has something to score."""
    ends = np.cumsum([len(example.ids) for example in encoded])
    masked = any(example.targets is not None for example in encoded)
    return Examples(
        tokens=np.concatenate([np.array(example.ids, dtype=np.int32) for example in encoded]),
        starts=np.concatenate(([0], ends[:-1])),
        ends=ends,
        trained=np.array([example.trained for example in encoded], dtype=np.int64),
        targets=np.concatenate([np.array(example.learned, dtype=bool) for example in encoded]) if masked else None,
    )


class _Meter:
    """Adds up what the model makes of examples."""

    def __init__(self, language_model: LanguageModel, precision: Any, max_length: int) -> None:
        self.sums = ScoreSums()
        self.examples = 0
        self._model: Any = language_model.model
        self._layout, _ = choose_layout(language_model, True, precision, self._model.device)
        self._forward = Forward(language_model, precision)
        self._max_length = max_length
        self._bytes = TokenBytes(language_model.tokenizer)

    def add(self, examples: Examples) -> Iterator[float]:
        """Yields the share of them that has been scored, after each forward pass."""
        by_length = np.argsort(-examples.lengths, kind="stable").tolist()
        batches = lay_out(examples, by_length, self._layout, _BATCH_SIZE, self._max_length)
        for number, batch in enumerate(batches, 1):
            self._score(batch)
            yield number / len(batches)
        self.examples += len(examples)
        self.sums.bytes += self._too_many(examples)

    def _score(self, batch: Batch) -> None:
        scores = self._forward.score(batch.to(self._model.device))
        self.sums.add(scores.nats.numpy(), scores.ranks.numpy(), self._bytes.of(batch.targets.numpy()))

    def _too_many(self, examples: Examples) -> int:
        """Bytes, below zero, that were counted of tokens which follow a mark of the beginning, and are not in the text."""
        first = examples.tokens[examples.starts]
        marked = np.flatnonzero(self._bytes.of(first) == 0)
        leading = [int(examples[number][1]) for number in marked.tolist() if examples.learned(number)[0]]
        return sum(self._bytes.leading(token) for token in leading) - int(self._bytes.of(np.array(leading, dtype=int)).sum())
