"""Numbers of an update, read from the device without making it wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Update:
    """What one update did. ``loss_sum`` in nats over its ``tokens`` trained tokens; ``seconds`` of wall time it took.
    ``more`` and ``about`` were handed in with it; the former is on the CPU now."""

    step: int
    lr: float
    tokens: int
    loss_sum: float
    grad_norm: float
    scale: float | None
    seconds: float
    more: tuple[torch.Tensor, ...] = ()
    about: Any = None


@dataclass
class _Pending:
    step: int
    lr: float
    tokens: int
    numbers: torch.Tensor
    more: tuple[torch.Tensor, ...]
    about: Any
    copied: torch.cuda.Event | None


class Readback:
    """Hands each update's numbers back ``lag`` updates later.

    To read a number from a CUDA device is to wait until the device has come that far, and to leave it without work for
    a moment. One update later the number has arrived by itself, in pinned memory. Elsewhere ``lag`` is 0.
    """

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._pending: deque[_Pending] = deque()
        self._since = time.perf_counter()

    def restart_clock(self) -> None:
        """Called when something else than updates has taken time."""
        self._since = time.perf_counter()

    def push(
        self, step: int, lr: float, tokens: int, numbers: torch.Tensor, more: Sequence[torch.Tensor] = (), about: Any = None
    ) -> Iterator[Update]:
        """Takes ``numbers``, [3] on the device: loss sum, gradient norm, scale or NaN; and ``more`` vectors, which are read
        along with them. Yields the updates now due."""
        copied = None
        if numbers.device.type == "cuda":
            numbers, *more = (_on_its_way(vector) for vector in (numbers, *more))
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        self._pending.append(_Pending(step, lr, tokens, numbers, tuple(more), about, copied))
        while len(self._pending) > self._lag:
            yield self._read()

    def flush(self) -> Iterator[Update]:
        """Yields all that is still under way."""
        while self._pending:
            yield self._read()

    def _read(self) -> Update:
        due = self._pending.popleft()
        if due.copied is not None:
            due.copied.synchronize()
        loss_sum, grad_norm, scale = due.numbers.tolist()
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        scale = None if scale != scale else scale
        return Update(due.step, due.lr, due.tokens, loss_sum, grad_norm, scale, seconds, due.more, due.about)


def _on_its_way(vector: torch.Tensor) -> torch.Tensor:
    """A copy that the GPU makes into the machine's own memory when it comes to it."""
    return torch.empty(vector.shape, dtype=vector.dtype, pin_memory=True).copy_(vector, non_blocking=True)
