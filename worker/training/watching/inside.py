"""What a run tells of itself beside its curves: where the time goes, what updates do to each layer, which rows stand out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from worker.training.readback import Update
from worker.training.setup import Setup
from worker.training.watching.clock import Clock
from worker.training.watching.layers import LayerWatch, Look
from worker.training.watching.row_watch import Floats, RowWatch


class Gradients(NamedTuple):
    """What the passes of an update come to: the loss summed over its trained ``tokens``, and of each of these as the
    ``examples`` come."""

    loss_sum: torch.Tensor
    tokens: int
    token_losses: torch.Tensor
    examples: list[int]


class Seen(NamedTuple):
    """What belongs to an update whose numbers are read later: the ``examples`` that it learned from, in the order of their
    token losses, and the ``look`` into it."""

    examples: Sequence[int]
    look: Look | None


class Inside:
    """Follows the updates of one process and tells what it sees by ``report``.

    Of several processes the first has the layers' numbers, once gradients have met, but not what each pass adds, and only
    its own rows: so these are left out. Of a model in shards no process has a whole part.
    """

    def __init__(
        self,
        setup: Setup,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        report: Callable[[Any], object],
        began: float,
    ) -> None:
        alone = setup.group.size == 1
        self._setup, self._report = setup, report
        self.clock = Clock(setup.device, began)
        self._layers: LayerWatch | None = None
        if setup.group.first and not setup.sharded:
            self._layers = LayerWatch(model, optimizer, splits_passes=alone)
        counts = setup.counts or ((None, len(setup.train)),)
        self._rows = RowWatch(setup.train, counts, setup.language_model.tokenizer) if alone else None

    def begin_update(self) -> Look | None:
        """To be called before each update. A look into it, if there is to be one."""
        self.clock.begin_update()
        return self._layers.look() if self._layers else None

    def note(self, update: Update) -> None:
        """The numbers of ``update`` have arrived."""
        seen: Seen = update.about
        losses, *looked = update.more
        if self._layers:
            self._layers.note(update.seconds)
        if seen.look:
            self._report(seen.look.event(update.step, looked[0].tolist(), update.scale))
        if self._rows:
            event = self._rows.note(update.step, update.loss_sum / update.tokens, seen.examples, losses.numpy())
            if event:
                self._report(event)
        if self.clock.due():
            self.tell_time(update.step)

    def evaluated(self, step: int, losses: Floats | None, *, last: bool) -> None:
        """An evaluation has been made; ``losses`` are of the validation examples' trained tokens, if they are known."""
        if self._rows:
            setup = self._setup
            name = setup.job.config.validation_dataset
            for event in self._rows.at_evaluation(step, setup.validation, losses, name, last=last):
                self._report(event)
        self.tell_time(step)

    def tell_time(self, step: int) -> None:
        """Where the time has gone since this was told before."""
        self._report(self.clock.event(step))
