"""What a dataset holds: rows, duplicates and the split, all counted; lengths in tokens, of all rows or of some of them."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from worker.contract import Job
from worker.data.corpus import Corpus
from worker.data.encoding import REFUSED, Encoded, Encoder, told
from worker.data.formats import Row, key
from worker.data.split import ALONE, places_of
from worker.datasets.cache import Samples
from worker.datasets.leaks import Pairs
from worker.datasets.text_problems import TextProblems
from worker.errors import DataError, StopRequested
from worker.protocol import Reply

_MOST_TOKENIZED = 5000
_BINS = 24
_MOST_NAMED = 10
_SECONDS_BETWEEN_PROGRESS = 0.3


def statistics(job: Job, samples: Samples, empty_rows: int, reply: Reply) -> dict[str, Any]:
    """Statistics, as in backend/schemas/data.py. Raises DataError, ModelError; StopRequested if nobody waits any more."""
    progress = _Progress(job, reply)
    progress.what = "Looking for near-duplicates"
    near = samples.near_duplicates(job.dataset, job.config.max_length, progress)
    progress.what = "Reading the file"
    config = job.config
    groups = near.groups if job.is_split_by_group else ALONE
    corpus = Corpus.read(job.dataset, job.validation_share, config.max_length, progress, groups=groups)
    pairs = Pairs(near, corpus.split)
    draw = _Draw(corpus, progress, pairs.wanted)
    progress.say("Turning examples into tokens")
    encoder = Encoder(samples.tokenizer(job), job.dataset.reading, samples.max_length(job), skip_refused=True)
    texts = corpus.split.texts
    return {
        "rows": texts,
        "empty_rows": empty_rows,
        "duplicate_rows": texts - len(np.unique(draw.places)),
        "near_duplicates": pairs.found(draw.places, draw.wanted),
        "text_problems": draw.problems.found(),
        "train_rows": texts - corpus.split.test_texts,
        "validation_rows": corpus.split.test_texts,
        "characters": draw.characters,
        "longest_row": draw.longest[0],
        "longest_characters": draw.longest[1],
        "tokens": _tokens(encoder, draw, samples.max_length(job), texts),
    }


class _Progress:
    """Tells how far a pass over the file is."""

    def __init__(self, job: Job, reply: Reply) -> None:
        self.what = "Reading the file"
        self._bytes = Path(job.dataset.path).stat().st_size
        self._reply = reply
        self._next = time.monotonic() + _SECONDS_BETWEEN_PROGRESS

    def __call__(self, bytes_read: int) -> None:
        if self._reply.is_cancelled():
            raise StopRequested
        if time.monotonic() >= self._next:
            self.say(f"{self.what}: {min(1.0, bytes_read / max(1, self._bytes)):.0%}")

    def say(self, text: str) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN_PROGRESS
        self._reply.send("progress", text=text)


class _Draw:
    """One pass over all rows: the place of each one's text, what looks wrong, the longest, some drawn evenly, and those that
    are ``wanted``, by their order from 0, with their numbers."""

    def __init__(self, corpus: Corpus, progress: _Progress, wanted: Collection[int]) -> None:
        self.characters = 0
        self.longest: tuple[int | None, int] = (None, 0)
        self.drawn: list[tuple[int, Row]] = []
        self.problems = TextProblems()
        chance = np.random.default_rng(0)
        places = []
        self.wanted: dict[int, tuple[int, Row]] = {}
        count = 0
        for chunk, _ in corpus.chunks(progress):
            places.append(places_of([key(row) for row in chunk.rows]))
            for number, row in zip(chunk.numbers, chunk.rows, strict=True):
                text = key(row)
                self.problems.add(number, row)
                self.characters += len(text)
                if len(text) > self.longest[1]:
                    self.longest = (number, len(text))
                    self._longest_row = row
                if count in wanted:
                    self.wanted[count] = (number, row)
                if count < _MOST_TOKENIZED:
                    self.drawn.append((number, row))
                elif (slot := int(chance.integers(count + 1))) < _MOST_TOKENIZED:
                    self.drawn[slot] = (number, row)
                count += 1
        self.exact = count == len(self.drawn)
        if not self.exact and self.longest[0] not in {place for place, _ in self.drawn}:
            self.drawn.append((self.longest[0] or 0, self._longest_row))
        self.places = np.concatenate(places)


def _tokens(encoder: Encoder, draw: _Draw, max_length: int, rows: int) -> dict[str, Any]:
    whole = encoder.whole([row for _, row in draw.drawn], [place for place, _ in draw.drawn])
    if all(each.ids is REFUSED for each in whole):
        raise DataError(
            "The model's chat format takes none of these conversations.", f"Row {encoder.refused_rows[0]} is the first."
        )
    windows: list[list[Encoded]] = [list(encoder.windows(each)) for each in whole]
    lengths = np.array([len(each.ids) for each in whole])
    untrained = sorted(
        place
        for (place, _), each, found in zip(draw.drawn, whole, windows, strict=True)
        if each.ids is not REFUSED and not any(window.trained for window in found)
    )
    scale = rows / len(whole)
    edges = np.unique(np.linspace(0, lengths.max() + 1, _BINS + 1).astype(int))
    counts, _ = np.histogram(lengths, edges)
    truncated = sum(map(encoder.is_cut, whole))
    return {
        "examples": len(whole),
        "notes": told(encoder.lost, sorted(encoder.refused_rows)[:_MOST_NAMED]),
        "exact": draw.exact,
        "max_length": max_length,
        "total": round(int(lengths.sum()) * scale),
        "trained": round(sum(each.trained for found in windows for each in found) * scale),
        "mean": float(lengths.mean()),
        "median": int(np.median(lengths)),
        "longest": int(lengths.max()),
        "longest_row": draw.drawn[int(lengths.argmax())][0],
        "truncated": round(truncated * scale),
        "truncated_share": truncated / len(whole),
        "untrained": round(len(untrained) * scale),
        "untrained_rows": untrained[:_MOST_NAMED],
        "histogram": [
            {"start": int(start), "end": int(end), "count": round(int(count) * scale)}
            for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
    }
