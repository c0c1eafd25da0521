"""Rows as the model will see them, token by token, made by the very code that prepares them for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from worker.contract import Job
from worker.data.batching import Batch, Layout, lay_out, shuffled_windows
from worker.data.corpus import Corpus
from worker.data.encoding import Encoded, Encoder
from worker.data.formats import Row, key
from worker.datasets.cache import Sample, Samples
from worker.datasets.preview import drawn
from worker.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TRUNCATED_SHOWN = 300  # tokens beyond the cut: enough to see what is lost
_MOST_WINDOWS = 64  # of one row: more than anybody looks at
_TOKENS_SHOWN = 4096  # of a batch

Place = tuple[int, int, Row]
"""A row: its record's place in the file (of a .txt read as one document, its section's), which of the record's sections it
is, and the row itself."""


def token_view(
    job: Job, samples: Samples, rows: Sequence[int], seed: int | None, count: int, *, batch: bool
) -> dict[str, Any]:
    """backend/schemas/data.py's TokenView. Raises DataError, ModelError."""
    max_length = samples.max_length(job)
    corpus = samples.corpus(job)
    names = TokenNames(samples.tokenizer(job))
    encoder = Encoder(names.tokenizer, job.dataset.reading, max_length)
    items = [
        item
        for number, section, row in _chosen(corpus, rows, seed, count)
        for item in _items(encoder, names, corpus, number, section, row)
    ]
    sample = samples.sample(job) if batch else None
    return {
        "max_length": max_length,
        "items": items,
        "batch": _first_batch(job, sample, names) if sample and sample.exact and len(sample.train) else None,
    }


def _chosen(corpus: Corpus, rows: Sequence[int], seed: int | None, count: int) -> list[Place]:
    """The rows with these places, else ``count`` random ones, else the first."""
    if rows:
        wanted, found = set(rows), []
        for place in places(corpus):
            if place[0] in wanted:
                found.append(place)
            elif found and place[0] > max(wanted):
                break
        if not found:
            raise DataError(f"The file has no row {rows[0]} that holds anything.", f"It has {corpus.split.texts} rows.")
        return found
    if seed is not None:
        return drawn(places(corpus), count, seed)
    return [place for _, place in zip(range(count), places(corpus), strict=False)]


def places(corpus: Corpus) -> Iterator[Place]:
    """All rows in the file's order."""
    before = section = 0
    for chunk, _ in corpus.chunks():
        for number, row in zip(chunk.numbers, chunk.rows, strict=True):
            section = section + 1 if number == before else 0
            before = number
            yield number, section, row


def _items(
    encoder: Encoder, names: TokenNames, corpus: Corpus, number: int, section: int, row: Row
) -> Iterator[dict[str, Any]]:
    """A TokenRow for each example that the row becomes."""
    (whole,) = encoder.whole([row], [number])
    windows = list(encoder.windows(whole))
    side = "validation" if corpus.split.is_test([key(row)])[0] else "train"
    for place, window in enumerate(windows[:_MOST_WINDOWS]):
        lost = len(whole.ids) - len(window.ids) if encoder.is_cut(whole) else 0
        beyond = whole.ids[len(window.ids) : len(window.ids) + min(lost, _TRUNCATED_SHOWN)]
        states = _states(window)
        yield {
            "row": number,
            "side": side,
            "window": place,
            "windows": len(windows),
            "used": window.trained > 0,
            "counts": _counted(states) | ({"truncated": lost} if lost else {}),
            "tokens": [names.token(token, state) for token, state in zip(window.ids, states, strict=True)]
            + [names.token(token, "truncated") for token in beyond],
        }


def _states(example: Encoded) -> list[str]:
    return ["trained" if place and learned else "masked" for place, learned in enumerate(example.learned)]


def _counted(states: Sequence[str]) -> dict[str, int]:
    return dict(Counter(states))


def _first_batch(job: Job, sample: Sample, names: TokenNames) -> dict[str, Any]:
    """The first forward pass of the run's first update, as TokenBatch."""
    config = job.config
    size = config.window_size
    window = next(shuffled_windows(len(sample.train), size, config.seed))
    layout: Layout = "packed" if config.packing else "in_order"
    passes = lay_out(sample.train, window, layout, config.batch_size, sample.max_length)
    lengths = sample.train.lengths[window[: config.batch_size]].tolist()  # of the first pass, if it is as they come
    rows = [list(row) for row in _rows_of(passes[0], lengths)]
    shown = [[names.token(token, state, start) for token, state, start in row] for row in rows]
    return {
        "layout": layout,
        "passes": len(passes),
        "examples": _examples_in(passes[0]),
        "counts": _counted([state for row in rows for _, state, _ in row]),
        "rows": [row[:_TOKENS_SHOWN] for row in shown],
    }


def _rows_of(batch: Batch, lengths: list[int]) -> Iterator[list[tuple[int, str, bool]]]:
    """(token, state, whether an example starts here) of all that a pass reads and predicts, row by row.

    A pass reads each example but for its last token, which it only predicts; here the example stands whole. ``lengths`` are
    those of the examples side by side.
    """
    flat = batch.inputs.flatten().tolist()
    places = range(len(batch.targets)) if batch.trained is None else batch.trained.tolist()
    targets = dict(zip(places, batch.targets.tolist(), strict=True))
    if batch.texts is not None:
        edges = pairwise(batch.texts.starts.tolist())
        yield [token for start, end in edges for token in _example(flat, targets, start, end)]
        return
    width = batch.inputs.shape[1]
    for row, length in enumerate(lengths):
        start, end = row * width, row * width + length
        padding = [(token, "padding", False) for token in flat[end : start + width]]
        yield [*_example(flat, targets, start, end), *padding]


def _example(flat: list[int], targets: dict[int, int], start: int, end: int) -> Iterator[tuple[int, str, bool]]:
    for place in range(start, end):
        yield flat[place], "trained" if place > start and place - 1 in targets else "masked", place == start
    if end - 1 in targets:
        yield targets[end - 1], "trained", False


def _examples_in(batch: Batch) -> int:
    return batch.inputs.shape[0] if batch.texts is None else len(batch.texts.starts) - 1


class TokenNames:
    """Tokens as text, each alone."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer: Any = tokenizer
        self._texts: dict[int, str] = {}

    def token(self, token: int, state: str, start: bool = False) -> dict[str, Any]:
        """A Token."""
        return {"id": token, "text": self.text(token), "state": state, "start": start}

    def text(self, token: int) -> str:
        """What the token with this id shows."""
        if token not in self._texts:
            text: str = self.tokenizer.decode([token])
            piece = str(self.tokenizer.convert_ids_to_tokens(token))
            # SentencePiece leaves out the blank before a word that stands alone.
            self._texts[token] = f" {text}" if piece.startswith("▁") and not text.startswith(" ") else text
        return self._texts[token]
