"""Which examples stand out: around a spike of the loss, and of all that was learned or tested since the last evaluation."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.contract import RowLoss, RowsEvent
from worker.data.corpus import Examples

_KEPT = 4  # updates: a row may show in the loss of the update that learns it, or spoil those that follow
_KNOWN = 16  # updates before one can be called unusual, and by whose median it is
_REMEMBERED = 64
_FAR = 6.0  # spreads above the usual loss; of 10,000 updates with losses in a bell curve, none gets there
_MAD_TO_DEVIATION = 1.4826  # of a bell curve
_LEAST = 0.02  # of the usual loss: below, nobody would see it in the chart
_FEWEST = 3  # examples whose median says anything
_OF_SPIKE, _OF_EVALUATION, _FEWER = 20, 100, 10
_EVALUATIONS_IN_FULL = 20  # of a run with more, each but the last names fewer, as the log is read by many
_TEXT_TOKENS, _TEXT_CHARACTERS = 120, 160

Floats = NDArray[np.floating[Any]]


class Rows(NamedTuple):
    """Some examples: their numbers, the mean loss of each in nats a token, and how far it stands out, all [examples]."""

    numbers: NDArray[np.int64]
    losses: Floats
    scores: Floats

    def worst(self, most: int) -> Rows:
        """The ones that stand out most, in that order, each once."""
        # What is not a number is worst of all: it ends the run.
        order = np.argsort(np.where(np.isfinite(self.losses), -self.scores, -np.inf), kind="stable")
        first = np.sort(np.unique(self.numbers[order], return_index=True)[1])[:most]
        chosen = order[first]
        return Rows(self.numbers[chosen], self.losses[chosen], self.scores[chosen])


def scored_rows(examples: Examples, numbers: Sequence[int], token_losses: Floats, usual: float = -np.inf) -> Rows:
    """Of examples whose trained tokens have these losses, one example after the other.

    An example stands out by (its loss - the usual one)·√tokens: in units of what chance does to a mean of so many tokens, so
    that a text of a single rare word is not before one that is odd from end to end. ``usual`` is a loss below which
    none is unusual; above it the median of these examples is, as it rises with all of them where a model has been spoiled.
    """
    places = np.array(numbers, dtype=np.int64)
    tokens = np.asarray(examples.trained[places])
    losses = np.add.reduceat(token_losses.astype(np.float64), np.cumsum([0, *tokens[:-1]])) / tokens
    finite = losses[np.isfinite(losses)]
    middle = max(usual, statistics.median(finite.tolist()) if len(finite) >= _FEWEST else 0.0)
    return Rows(places, losses, (losses - middle) * np.sqrt(tokens))


class RowWatch:
    """Follows the updates of a run that learns from ``train``. ``counts``: of which dataset its examples are, the run's own
    being None, and how many of each, in order. ``tokenizer`` tells how they begin."""

    def __init__(self, train: Examples, counts: Sequence[tuple[str | None, int]], tokenizer: Any) -> None:
        self._train = train
        self._names = [name for name, _ in counts]
        self._ends = np.cumsum([count for _, count in counts])
        self._tokenizer = tokenizer
        self._losses: deque[float] = deque(maxlen=_REMEMBERED)
        self._kept: deque[Rows] = deque(maxlen=_KEPT)
        self._learned: list[Rows] = []
        self._high = False
        self._evaluations = 0

    def note(self, step: int, loss: float, numbers: Sequence[int], token_losses: Floats) -> RowsEvent | None:
        """Update ``step`` had this mean ``loss``. Returns what stands out if that begins a spike, or is no number."""
        usual = statistics.median(list(self._losses)[-_KNOWN:]) if self._losses else -math.inf
        rows = scored_rows(self._train, numbers, token_losses, usual)
        self._kept.append(rows)
        self._learned.append(rows)
        if len(self._learned) > _REMEMBERED:
            self._learned = [_joined(self._learned).worst(_OF_EVALUATION)]
        was_high, self._high = self._high, self._is_high(loss, usual)
        if math.isfinite(loss):
            self._losses.append(loss)
        if was_high or not self._high:
            return None
        return RowsEvent(step=step, cause="spike", rows=self._told(_joined(self._kept).worst(_OF_SPIKE)))

    def _is_high(self, loss: float, usual: float) -> bool:
        if not math.isfinite(loss):
            return True
        if len(self._losses) < _KNOWN:
            return False
        # Of neighbours, so that a loss that falls or rises steadily is none that spreads.
        steps = statistics.median(abs(later - earlier) for earlier, later in pairwise(self._losses))
        spread = _MAD_TO_DEVIATION * steps / math.sqrt(2)
        return loss - usual > max(_FAR * spread, _LEAST * usual)

    def at_evaluation(
        self, step: int, validation: Examples, losses: Floats | None, name: str | None, *, last: bool
    ) -> list[RowsEvent]:
        """What stands out of all that was learned since the evaluation before, and of ``validation``, whose trained tokens
        have these ``losses``; ``name`` is that of its dataset, if it is one of its own."""
        self._evaluations += 1
        most = _OF_EVALUATION if last or self._evaluations <= _EVALUATIONS_IN_FULL else _FEWER
        found = []
        if self._learned:
            rows = _joined(self._learned).worst(most)
            found.append(RowsEvent(step=step, cause="training", rows=self._told(rows)))
        if losses is not None:
            rows = scored_rows(validation, range(len(validation)), losses).worst(most)
            found.append(RowsEvent(step=step, cause="evaluation", rows=self._told(rows, validation, name)))
        self._learned = []
        return found

    def _told(self, rows: Rows, examples: Examples | None = None, name: str | None = None) -> list[RowLoss]:
        found = []
        source = self._train if examples is None else examples
        for number, loss in zip(rows.numbers.tolist(), rows.losses.tolist(), strict=True):
            found.append(
                RowLoss(
                    row=number + 1 if source.rows is None else int(source.rows[number]),
                    loss=loss if np.isfinite(loss) else None,
                    tokens=int(source.trained[number]),
                    text=self._text(source[number]),
                    dataset=self._name_of(number) if examples is None else name,
                )
            )
        return found

    def _name_of(self, number: int) -> str | None:
        return self._names[int(np.searchsorted(self._ends, number, side="right"))]

    def _text(self, tokens: NDArray[np.integer[Any]]) -> str:
        text: str = self._tokenizer.decode(tokens[:_TEXT_TOKENS].tolist(), skip_special_tokens=True)
        return text.strip()[:_TEXT_CHARACTERS]


def _joined(parts: Sequence[Rows] | deque[Rows]) -> Rows:
    numbers, losses, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Rows(numbers, losses, scores)
