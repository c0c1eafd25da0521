"""The forward passes that a run will make, from the lengths of its own examples in its own order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from worker.contract import RunConfig
from worker.data.batching import Layout, first_fit, first_windows, in_order, pack
from worker.data.corpus import Examples

_HEAVIEST = 16  # windows among which the largest pass is looked for when batches had another size
_EVALUATED = 1024  # examples, the longest ones first, as worker.training.evaluation lays them out
_FORWARD = 1 / 3  # of the time that a pass takes forward and back: one product for each weight, of three


def evaluations_of(config: RunConfig, epoch_steps: int, total_steps: int) -> int:
    """How often a run evaluates: before the first update, as set, and after the last."""
    every = config.eval_steps or epoch_steps
    return 1 + len({*range(every, total_steps + 1, every), total_steps})


class Pass(NamedTuple):
    """``lengths`` of its texts in tokens; ``cells`` counts padding, ``targets`` what is learned."""

    lengths: tuple[int, ...]
    cells: int
    targets: int


class Mean(NamedTuple):
    """What an update takes on average: passes, and the cells and targets of all of them together."""

    passes: float
    cells: float
    targets: float


@dataclass(frozen=True)
class Passes:
    """Those of ``total_steps`` updates that learn from ``window_size`` of ``train`` each; of a long run, of its beginning.

    ``train`` and ``validation`` may be the first part of a text. ``further``: other examples to evaluate on, and the share
    of their text that they are.
    """

    train: Examples
    validation: Examples
    layout: Layout
    max_length: int
    batch_size: int
    window_size: int
    total_steps: int
    seed: int
    further: tuple[tuple[Examples, float], ...] = ()

    @cached_property
    def windows(self) -> list[list[int]]:
        """The examples of each update, by number."""
        return first_windows(len(self.train), self.window_size, self.seed, self.total_steps)

    @cached_property
    def of_windows(self) -> list[list[Pass]]:
        """The passes of each window."""
        return [self.passes_of(window) for window in self.windows]

    @cached_property
    def mean(self) -> Mean:
        """Over the windows."""
        updates = len(self.of_windows)
        made = [one for passes in self.of_windows for one in passes]
        return Mean(
            len(made) / updates, sum(one.cells for one in made) / updates, sum(one.targets for one in made) / updates
        )

    @cached_property
    def worst_window(self) -> list[int]:
        """The one that has the largest pass."""
        full = len(self.windows[0])  # an epoch's last one may be smaller
        sizes = [
            max(one.cells for one in passes) if len(window) == full else 0
            for window, passes in zip(self.windows, self.of_windows, strict=True)
        ]
        return self.windows[int(np.argmax(sizes))]

    def typical_windows(self, count: int) -> list[list[int]]:
        """Those whose cells are nearest to the mean, as many as that if need be more than once. An epoch's last window,
        which may be smaller, is not among them if there are others."""
        full = [window for window in self.windows if len(window) == len(self.windows[0])]
        nearest = sorted(full, key=lambda window: abs(self.cells(window) - self.mean.cells))[:count]
        return [nearest[place % len(nearest)] for place in range(count)]

    def cells(self, window: Sequence[int]) -> int:
        """Of all passes of one window."""
        return sum(one.cells for one in self.passes_of(window))

    def passes_of(self, window: Sequence[int]) -> list[Pass]:
        """Those of one update."""
        return self._laid_out(self.train, window, self.batch_size)

    def largest(self, batch_size: int) -> tuple[Pass, bool]:
        """The largest pass, were batches of ``batch_size``, and whether its update has others beside it."""
        if batch_size == self.batch_size:
            found = [(one, len(passes) > 1) for passes in self.of_windows for one in passes]
        else:
            heaviest = sorted(self.windows, key=lambda window: -int(self.train.lengths[window].sum()))[:_HEAVIEST]
            laid_out = [self._laid_out(self.train, window, batch_size) for window in heaviest]
            found = [(one, len(passes) > 1) for passes in laid_out for one in passes]
        return max(found, key=lambda one: (one[0].cells, one[1]))

    def evaluation_seconds(self, evaluations: int, seconds_a_cell: float, share: float) -> float:
        """Of so many, where an update takes ``seconds_a_cell``, going forward and back; ``share`` of the text is here."""
        sets = ((self.validation, share), *self.further)
        cells = sum(float(examples.lengths.sum()) / part for examples, part in sets)
        return evaluations * _FORWARD * seconds_a_cell * cells

    def largest_evaluation(self, batch_size: int) -> Pass | None:
        """The largest pass over examples to evaluate on; None if there are none."""
        passes = []
        for examples in (self.validation, *(examples for examples, _ in self.further)):
            longest = np.argsort(-examples.lengths, kind="stable")[:_EVALUATED].tolist()
            passes += self._laid_out(examples, longest, batch_size) if longest else []
        return max(passes, key=lambda one: one.cells, default=None)

    def _laid_out(self, examples: Examples, window: Sequence[int], batch_size: int) -> list[Pass]:
        """As ``batching.lay_out`` does it."""
        lengths, budget = examples.lengths, batch_size * self.max_length
        if self.layout == "packed":
            rows = first_fit(window, lengths, budget)
        else:
            rows = in_order(window, batch_size) if self.layout == "in_order" else pack(window, lengths, budget)
        return [self._pass(examples, row) for row in rows]

    def _pass(self, examples: Examples, rows: Sequence[int]) -> Pass:
        lengths = tuple(examples.lengths[rows].tolist())
        cells = sum(lengths) if self.layout == "packed" else len(lengths) * max(lengths)
        return Pass(lengths, cells, int(examples.trained[rows].sum()))
