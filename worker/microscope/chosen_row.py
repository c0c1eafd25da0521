"""The one example that the step learns from, made of a row by the code that prepares rows for training."""

from __future__ import annotations

from typing import Any, NamedTuple

from worker.contract import Job, Reading
from worker.data.corpus import Corpus
from worker.data.encoding import Encoded, Encoder
from worker.data.formats import Row, key
from worker.datasets.cache import Samples
from worker.datasets.token_view import places
from worker.errors import DataError, UnsupportedError
from worker.models.loading import LanguageModel, choose_max_length

MOST_TOKENS = 512
"""That are looked at: attention is a square of them."""


class ChosenRow(NamedTuple):
    """``ids`` of the tokens, and whether each is ``learned``. ``side`` of the run's split, None for a text that was typed.

    ``cut`` tokens are beyond what is looked at, which is the ``most`` tokens; ``windows``: the examples that training makes
    of the row, this being the first.
    """

    ids: list[int]
    learned: list[bool]
    side: str | None
    cut: int
    most: int
    windows: int


def choose_row(job: Job, language_model: LanguageModel, samples: Samples, row: int | None, text: str | None) -> ChosenRow:
    """The run's ``row``, or else the typed ``text`` as a row of plain text. Raises DataError and UnsupportedError."""
    tokenizer: Any = language_model.tokenizer
    most = min(choose_max_length(job.config.max_length, language_model.context), MOST_TOKENS)
    if row is None:
        encoder = Encoder(tokenizer, Reading(), most)
        (whole,) = encoder.whole([text or ""], [1])
        if not (text or "").strip() or len(whole.ids) < 2:
            raise UnsupportedError("text", "The text is too short: a model needs a word to foresee the next one from.")
        return _first(encoder, whole, None, most)
    corpus = samples.corpus(job)
    found = _row_at(corpus, row)
    encoder = Encoder(tokenizer, job.dataset.reading, most)
    (whole,) = encoder.whole([found], [row])
    side = "validation" if corpus.split.is_test([key(found)])[0] else "train"
    chosen = _first(encoder, whole, side, most)
    if not any(chosen.learned[1:]):
        raise DataError(
            f"Within its first {most} tokens, row {row} has nothing to learn: all of it is only read.",
            "Choose another row; the page of the dataset shows what is learned of each.",
        )
    return chosen


def _first(encoder: Encoder, whole: Encoded, side: str | None, most: int) -> ChosenRow:
    windows = list(encoder.windows(whole))
    example = windows[0]
    cut = len(whole.ids) - len(example.ids) if len(windows) == 1 else 0
    return ChosenRow(example.ids, [False, *example.learned[1:]], side, cut, most, len(windows))


def _row_at(corpus: Corpus, number: int) -> Row:
    """The row at this place of the file, its first section where it has several."""
    for place, _, row in places(corpus):
        if place == number:
            return row
        if place > number:
            break
    raise UnsupportedError(
        "dataset_row", f"The run's dataset has no row {number} that holds anything.", f"It has {corpus.split.texts:,} rows."
    )
