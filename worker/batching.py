"""Which examples one update learns from, and how they are laid out in forward passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from worker.data import Examples


def shuffled_windows(count: int, size: int, seed: int) -> Iterator[list[int]]:
    """Endless windows of ``size`` example numbers, each epoch over all ``count`` in an order of its own.

    A window never reaches into the next epoch, so the last one of an epoch may be smaller.
    """
    epoch = 0
    while True:
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        for start in range(0, count, size):
            yield order[start : start + size]
        epoch += 1


def pack(window: Sequence[int], lengths: NDArray[np.int64], budget: int) -> list[list[int]]:
    """The window's examples as few forward passes of at most ``budget`` tokens each, padding counted.

    Examples of similar length stand together, so that little padding is needed. ``lengths[i]`` is example i's.
    """
    passes: list[list[int]] = []
    for example in sorted(window, key=lambda i: (lengths[i], i)):
        if passes and (len(passes[-1]) + 1) * lengths[example] <= budget:
            passes[-1].append(example)
        else:
            passes.append([example])
    return passes


def in_order(window: Sequence[int], batch_size: int) -> list[list[int]]:
    """The window as it comes, ``batch_size`` examples in each forward pass."""
    return [list(window[start : start + batch_size]) for start in range(0, len(window), batch_size)]


@dataclass(frozen=True)
class Batch:
    """One forward pass. ``inputs`` [rows, longest] int64, padded on the right; ``trained`` [rows, longest] bool marks
    the positions whose next token is known; ``targets`` [trained positions] int64 holds those tokens, row by row."""

    inputs: torch.Tensor
    trained: torch.Tensor
    targets: torch.Tensor


def collate(examples: Examples, rows: Sequence[int], device: torch.device) -> Batch:
    """The examples ``rows`` as one batch on ``device``.

    No attention mask goes with it: padding stands on the right, and a causal model never looks to the right, so real
    positions come out as if each example were alone, and attention keeps its fast kernel.
    """
    texts = [examples[row] for row in rows]
    shape = (len(texts), max(len(text) for text in texts) - 1)
    inputs = np.zeros(shape, dtype=np.int64)  # padded with token 0, as any would do: nothing looks at it
    trained = np.zeros(shape, dtype=bool)
    for row, text in enumerate(texts):
        inputs[row, : len(text) - 1] = text[:-1]
        trained[row, : len(text) - 1] = True
    targets = np.concatenate([text[1:] for text in texts]).astype(np.int64)
    return Batch(*(torch.from_numpy(array).to(device) for array in (inputs, trained, targets)))
