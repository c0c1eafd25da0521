"""How good the model is right now: the loss on examples it never learns from, and samples to read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from worker.contract import EvaluationEvent, SampleEvent
from worker.data.batching import Batch, lay_out
from worker.data.corpus import Examples
from worker.distributed.sharding import gathered
from worker.generation.sampling import Sampling, encode_prompt, stream
from worker.models.forward import Forward
from worker.models.scores import perplexity, without_nonfinite
from worker.process.control import StopSwitch
from worker.training import question_gain
from worker.training.setup import Setup

_LAID_OUT_AT_ONCE = 1024
_SAMPLING = Sampling(max_new_tokens=60, temperature=0.8, top_p=0.95, seed=0)


class Evaluator:
    """Measures the model on the validation examples and has it continue the prompts; remembers the best loss so far.

    Where the data are chats, the prompts are put as a user's messages.

    ``history`` holds every evaluation; ``misses`` counts those since the best one. ``token_losses`` are those of the latest
    one's trained tokens, in the order of the examples; None of several processes, each of which has only some.
    ``question_gain`` is that of EvaluationEvent.
    """

    def __init__(self, setup: Setup, forward: Forward, report: Callable[[Any], None], stop: StopSwitch) -> None:
        self._setup = setup
        self._language_model = setup.language_model
        self._forward = forward
        self._report = report
        self._stop = stop
        self.history: list[EvaluationEvent] = []
        self.best_loss = math.inf
        self.misses = 0
        self.token_losses: NDArray[np.float32] | None = None
        self.question_gain: float | None = None
        self._swapped = question_gain.swapped(setup.validation, setup.max_length) if setup.group.size == 1 else None

    def tell(
        self,
        step: int,
        epoch: float,
        train_loss: float | None,
        loss: float | None,
        further: dict[str, float],
    ) -> bool:
        """Reports ``loss``, which ``measure`` gave, and those that ``measure_further`` gave, if there are any, and a sample
        for each prompt.

        Returns whether the loss was the lowest so far.
        """
        self._language_model.model.eval()
        best = False
        if loss is not None:
            best = loss < self.best_loss
            self.misses = 0 if best else self.misses + 1
            self.best_loss = min(loss, self.best_loss) if best else self.best_loss
        if loss is not None or further:
            known = {} if loss is None else {"loss": loss, "perplexity": perplexity(loss)}
            numbers, nonfinite = without_nonfinite(**known)
            event = EvaluationEvent(
                step=step,
                epoch=epoch,
                best=best,
                train_loss=train_loss,
                nonfinite=nonfinite,
                losses=without_nonfinite(**further)[0],
                question_gain=self.question_gain,
                **{"loss": None, "perplexity": None, **numbers},
            )
            self.history.append(event)
            self._report(event)
        with gathered(self._forward):
            for prompt in self._setup.job.config.sample_prompts:
                self._report(SampleEvent(step=step, prompt=prompt, text=self._sample(prompt)))
        self._language_model.model.train()
        return best

    def measure(self, batch_size: int) -> float | None:
        """Mean loss of a validation token in nats; None if there are none. Raises StopRequested on a stop."""
        loss, self.token_losses = self._loss(self._setup.validation, batch_size)
        if self._swapped is not None and self.token_losses is not None:
            own = float(self.token_losses[: int(self._swapped.trained.sum())].mean())
            other, _ = self._loss(self._swapped, batch_size)
            self.question_gain = without_nonfinite(gain=(other or 0.0) - own)[0]["gain"]
        return loss

    def measure_further(self, batch_size: int) -> dict[str, float]:
        """The same of each further dataset that has any, by name."""
        losses = {name: self._loss(examples, batch_size)[0] for name, examples in self._setup.evaluation.items()}
        return {name: loss for name, loss in losses.items() if loss is not None}

    @torch.inference_mode()
    def _loss(self, examples: Examples, batch_size: int) -> tuple[float | None, NDArray[np.float32] | None]:
        """The mean, and the loss of each trained token in the examples' order, unless other processes have some of them."""
        if not len(examples):
            return None, None
        ends = np.cumsum(examples.trained)
        token_losses = np.empty(ends[-1], dtype=np.float32)
        self._language_model.model.eval()
        total = torch.zeros((), dtype=torch.float64)
        for batch, share in self._batches(examples, batch_size):
            self._stop.check()
            loss_sum = self._forward(batch.to(self._language_model.model.device))
            total += share * loss_sum.cpu().double()  # in this order: Apple's GPUs have no float64
            numbers = np.array(batch.examples)
            spans = zip(ends[numbers] - examples.trained[numbers], ends[numbers], strict=True)
            token_losses[np.concatenate([np.arange(*span) for span in spans])] = self._forward.token_losses.cpu().numpy()
        self._language_model.model.train()
        alone = self._setup.group.size == 1
        return float(self._setup.group.sum(total)) / int(ends[-1]), token_losses if alone else None

    def _batches(self, examples: Examples, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """The examples as forward passes, laid out some at a time, those of like length together.

        With each comes how often it counts, as in ``Group.share``.
        """
        setup, by_length = self._setup, np.argsort(-examples.lengths, kind="stable")
        for start in range(0, len(by_length), _LAID_OUT_AT_ONCE):
            window = by_length[start : start + _LAID_OUT_AT_ONCE].tolist()
            batches = lay_out(examples, window, setup.layout, batch_size, setup.max_length, setup.sizes)
            yield from setup.group.share(batches)

    def _sample(self, prompt: str) -> str:
        reading = self._setup.job.dataset.reading
        chat = reading.chat_template_kwargs if reading.kind == "chat" else None
        prompt_ids = encode_prompt(self._language_model, prompt, chat=chat).ids
        return "".join(piece.text for piece in stream(self._language_model, prompt_ids, _SAMPLING))
