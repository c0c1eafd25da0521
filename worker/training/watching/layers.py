"""What updates do to each part of the model, seen in as many of them as costs little."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from worker.contract import LayersEvent
from worker.models.parts import trained_parts
from worker.training.watching.noise_scale import gradient_parts

_SHARE = 0.008  # of the time of updates that looking into some of them may take
_FIRST, _EVERY = 64, 8  # after so many updates at most each eighth, as the log is read by many


class LayerWatch:
    """Looks into updates of ``model``, each time that the time for it has been earned.

    ``splits_passes``: whether what each pass adds to the gradient can be seen, which it cannot where gradients of several
    processes meet. A look changes no bit of what is trained and needs no memory but for one weight's.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, *, splits_passes: bool) -> None:
        found = trained_parts(model)
        self.parts = list(found)
        self.weights = [weight for weights in found.values() for weight in weights]
        self.splits_passes = splits_passes
        device = self.weights[0].device
        numbers = [number for number, weights in enumerate(found.values()) for _ in weights]
        self._part_of = torch.tensor(numbers, device=device)
        self._nothing = torch.zeros((), device=device)
        self._group_of = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
        self._state = optimizer.state
        self._costs: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._cost = self._seconds = 0.0
        self._updates = 0

    def look(self) -> Look | None:
        """A look into the next update, unless the ones before still have to be earned."""
        earned = self._cost <= _SHARE * self._seconds and (self._updates < _FIRST or self._updates % _EVERY == 0)
        self._updates += 1
        return Look(self) if earned else None

    def note(self, seconds: float) -> None:
        """An update has been made that took so long, and the device is done with it."""
        self._seconds += seconds
        self._cost += sum(begin.elapsed_time(end) / 1000 for begin, end in self._costs)
        self._costs = []

    @contextmanager
    def costing(self) -> Iterator[None]:
        """Around what a look takes the time for: a processor's, and of a GPU its own."""
        began = time.perf_counter()
        if self._nothing.device.type != "cuda":
            yield
        else:
            ends = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            ends[0].record()
            yield
            ends[1].record()
            self._costs.append(ends)
        self._cost += time.perf_counter() - began

    def gradients(self) -> torch.Tensor:
        """The squared norm of each part's gradient: [parts]."""
        gradients = [self._nothing if weight.grad is None else weight.grad for weight in self.weights]
        return self._by_part(torch.stack(torch._foreach_norm(gradients)))

    @torch.no_grad()
    def changes(self) -> torch.Tensor:
        """The squared norms of how the optimizer's step changed each part's weights, and of what they were before it:
        [2 * parts]. NaN for weights of another optimizer than AdamW."""
        norms = [torch.stack(self._change(weight)) for weight in self.weights]
        return torch.cat([self._by_part(column) for column in torch.stack(norms).T])

    def _change(self, weight: nn.Parameter) -> tuple[torch.Tensor, torch.Tensor]:
        """Both norms for one weight. AdamW's step is told from its moments, so that no weight has to be kept aside:
        w' = w·(1 - lr·decay) - u with u = lr·m̂ / (√v̂ + ε)  (Loshchilov & Hutter 2019, algorithm 2)."""
        state, group = self._state.get(weight, {}), self._group_of[id(weight)]
        if weight.grad is None:
            return self._nothing, torch.linalg.vector_norm(weight)
        if "exp_avg_sq" not in state:
            return self._nothing + math.nan, self._nothing + math.nan
        first, second = (1 - beta ** state["step"] for beta in group["betas"])
        step = state["exp_avg"] / (state["exp_avg_sq"] / second).sqrt_().add_(group["eps"])
        step *= group["lr"] / first
        decay = group["lr"] * group["weight_decay"]
        before = (weight + step).div_(1 - decay)
        return torch.linalg.vector_norm(step.add_(before, alpha=decay)), torch.linalg.vector_norm(before)

    def _by_part(self, norms: torch.Tensor) -> torch.Tensor:
        squares = torch.zeros(len(self.parts), dtype=norms.dtype, device=norms.device)
        return squares.index_add_(0, self._part_of, norms.square())


class Look:
    """A look into one update, of which ``numbers`` [3 * parts + passes] are on the device until they are read: squared norms
    of each part's gradient, of the change of its weights and of these, and of what each pass adds to the gradient."""

    def __init__(self, watch: LayerWatch) -> None:
        self._watch = watch
        self.begin()

    def begin(self) -> None:
        """Forgets what was seen: the update is made once more."""
        self._tokens: list[int] = []
        self._examples = 0
        self._numbers: list[torch.Tensor] = []
        self._passes: list[torch.Tensor] = []

    @contextmanager
    def into_pass(self, tokens: int, examples: int) -> Iterator[None]:
        """Around the backward of a pass that learns ``tokens`` of so many ``examples``. Gradients are seen on their way to
        where they add up, so that none has to be kept."""
        if not self._watch.splits_passes:
            yield
            return
        norms: list[torch.Tensor] = []

        def see(gradient: torch.Tensor) -> None:
            with self._watch.costing():
                norms.append(torch.linalg.vector_norm(gradient))

        with self._watch.costing():
            handles = [_on_gradient(weight, see) for weight in self._watch.weights]
        try:
            yield
        finally:
            with self._watch.costing():
                for handle in handles:
                    handle.remove()
        self._passes.append(torch.stack(norms).square().sum())
        self._tokens.append(tokens)
        self._examples += examples

    def at_gradients(self) -> None:
        """Once all passes have been made, before the gradients are clipped."""
        with self._watch.costing():
            self._numbers.append(self._watch.gradients())

    def at_weights(self) -> None:
        """After the optimizer's step, while the gradients are still there."""
        with self._watch.costing():
            self._numbers.append(self._watch.changes())

    @property
    def numbers(self) -> torch.Tensor:
        return torch.cat([*self._numbers, *(square[None] for square in self._passes)])

    def event(self, step: int, numbers: Sequence[float], scale: float | None) -> LayersEvent:
        """What is seen, once ``numbers`` are known. ``scale``: by how much fp16 scaled what each pass adds."""
        count = len(self._watch.parts)
        gradients, changes, weights = (numbers[start : start + count] for start in range(0, 3 * count, count))
        squares = [square / (scale or 1) ** 2 for square in numbers[3 * count :]]
        found = gradient_parts(squares, self._tokens, sum(gradients), self._examples)
        if not math.isfinite(sum(gradients)):  # the step was left out
            changes = [math.nan] * count
        ratios = [math.sqrt(one / other) if other else math.nan for one, other in zip(changes, weights, strict=True)]
        return LayersEvent(
            step=step,
            parts=self._watch.parts,
            grad_norm=[_finite(math.sqrt(square)) for square in gradients],
            update_ratio=[_finite(ratio) for ratio in ratios],
            gradient_signal=_finite(found.signal) if found else None,
            gradient_noise=_finite(found.noise) if found else None,
        )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _on_gradient(weight: nn.Parameter, see: Callable[[torch.Tensor], None]) -> RemovableHandle:
    handle: RemovableHandle = weight.register_hook(see)  # type: ignore[no-untyped-call]
    return handle
