from __future__ import annotations

from itertools import chain, islice

import numpy as np
import pytest
import torch

from worker.batching import collate, in_order, pack, shuffled_windows
from worker.data import Examples

LENGTHS = np.random.default_rng(0).integers(1, 65, size=200)


def examples_of(*texts: list[int]) -> Examples:
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    return Examples(np.concatenate([np.array(text, dtype=np.int32) for text in texts]), offsets)


def test_each_epoch_sees_every_example_once_in_its_own_order() -> None:
    windows = list(islice(shuffled_windows(10, 4, seed=1), 6))
    epochs = [list(chain(*windows[:3])), list(chain(*windows[3:]))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]
    assert [len(window) for window in windows] == [4, 4, 2, 4, 4, 2]


def test_order_follows_the_seed() -> None:
    first, again, other = (list(islice(shuffled_windows(50, 8, seed), 9)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("budget", [64, 200, 1000, 100_000])
def test_packing_keeps_every_example_and_the_budget(budget: int) -> None:
    window = list(range(40, 104))
    passes = pack(window, LENGTHS, budget)
    assert sorted(chain(*passes)) == window
    assert all(len(rows) * max(LENGTHS[rows]) <= budget for rows in passes)


def test_packing_makes_fewer_passes_than_batches_in_order() -> None:
    window = list(range(64))
    assert len(pack(window, LENGTHS, budget=4 * 64)) < len(in_order(window, 4)) == 16


def test_batches_in_order_are_the_window_as_it_comes() -> None:
    assert in_order([5, 3, 9, 1, 7], 2) == [[5, 3], [9, 1], [7]]


def test_collate_shifts_and_pads_on_the_right() -> None:
    batch = collate(examples_of([1, 2, 3, 4], [5, 6]), [0, 1], device=torch.device("cpu"))
    assert batch.inputs.tolist() == [[1, 2, 3], [5, 0, 0]]
    assert batch.trained.tolist() == [[True, True, True], [True, False, False]]
    assert batch.targets.tolist() == [2, 3, 4, 6]
