from __future__ import annotations

from itertools import chain, islice
from typing import Any, get_args

import numpy as np
import pytest
import torch

from tests.worker.texts import examples_of, random_examples
from worker.data.batching import (
    Batch,
    Layout,
    PackedTexts,
    first_fit,
    in_order,
    lay_out,
    next_of_few,
    pack,
    shuffled_windows,
)

LENGTHS = np.random.default_rng(0).integers(1, 65, size=200)


def trained_places(batch: Batch) -> torch.Tensor:
    """Where in the flattened inputs the positions with a target are."""
    return torch.arange(batch.tokens) if batch.trained is None else batch.trained


def pairs(inputs: Any, targets: Any) -> list[tuple[int, int]]:
    """Each token to read and the token to predict from it."""
    return list(zip(inputs.tolist(), targets.tolist(), strict=True))


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


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 7, 300])
def test_windows_can_begin_anywhere(start: int) -> None:
    assert list(islice(shuffled_windows(10, 4, 1, start), 5)) == list(islice(shuffled_windows(10, 4, 1), start, start + 5))


def test_beginning_late_costs_no_more_than_beginning_early() -> None:
    assert len(next(shuffled_windows(10, 4, seed=1, start=10**15))) == 4


@pytest.mark.parametrize("budget", [64, 200, 1000, 100_000])
def test_groups_keep_every_example_and_the_budget_padding_counted(budget: int) -> None:
    window = list(range(40, 104))
    passes = pack(window, LENGTHS, budget)
    assert sorted(chain(*passes)) == window
    assert all(len(rows) * max(LENGTHS[rows]) <= budget for rows in passes)


@pytest.mark.parametrize("budget", [64, 200, 1000, 100_000])
def test_packing_keeps_every_example_and_the_budget_and_leaves_little_of_it(budget: int) -> None:
    window = list(range(40, 104))
    passes = first_fit(window, LENGTHS, budget)
    assert sorted(chain(*passes)) == window
    assert all(LENGTHS[rows].sum() <= budget for rows in passes)
    assert len(passes) <= 1 + 11 / 9 * LENGTHS[window].sum() / budget  # at worst, for first fit with the longest first
    assert all(list(LENGTHS[rows]) == sorted(LENGTHS[rows], reverse=True) for rows in passes)


def test_packing_makes_the_fewest_passes_and_batches_in_order_the_most() -> None:
    window = list(range(64))
    packed, grouped = first_fit(window, LENGTHS, 4 * 64), pack(window, LENGTHS, 4 * 64)
    assert len(packed) < len(grouped) < len(in_order(window, 4)) == 16


def test_a_pass_is_filled_to_the_last_token() -> None:
    assert first_fit([0, 1, 2, 3], np.array([40, 24, 60, 4]), budget=64) == [[2, 3], [0, 1]]
    assert pack([0, 1], np.array([32, 32]), budget=64) == [[0, 1]]
    assert pack([0, 1], np.array([32, 33]), budget=64) == [[0], [1]]


def test_batches_in_order_are_the_window_as_it_comes() -> None:
    assert in_order([5, 3, 9, 1, 7], 2) == [[5, 3], [9, 1], [7]]


def test_texts_side_by_side_are_shifted_and_padded_on_the_right() -> None:
    (batch,) = lay_out(examples_of([1, 2, 3, 4], [5, 6]), [0, 1], "in_order", batch_size=2, max_length=4)
    assert batch.inputs.tolist() == [[1, 2, 3], [5, 0, 0]]
    assert batch.targets.tolist() == [2, 3, 4, 6]
    assert trained_places(batch).tolist() == [0, 1, 2, 3]
    assert batch.tokens == 4


def test_texts_end_to_end_each_begin_at_position_0() -> None:
    (batch,) = lay_out(examples_of([5, 6], [1, 2, 3, 4], [7, 8, 9]), [0, 1, 2], "packed", batch_size=2, max_length=4)
    assert batch.inputs.tolist() == [[1, 2, 3, 7, 8, 5]]
    assert batch.targets.tolist() == [2, 3, 4, 8, 9, 6]
    assert batch.position_ids is not None
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1, 0]]
    assert batch.texts is not None
    assert batch.texts.starts.tolist() == [0, 3, 5, 6]
    assert batch.trained is None
    assert batch.tokens == 6


@pytest.mark.parametrize("layout", get_args(Layout))
def test_every_layout_has_the_same_things_to_learn_in_no_more_room_than_allowed(layout: Layout) -> None:
    texts = random_examples([2, 30, 7, 64, 15, 64, 3, 30], vocabulary=97)
    batches = lay_out(texts, range(8), layout, batch_size=2, max_length=64)
    assert all(batch.inputs.numel() <= 2 * 64 for batch in batches)
    found = [pair for batch in batches for pair in pairs(batch.inputs.flatten()[trained_places(batch)], batch.targets)]
    expected = [pair for number in range(8) for pair in pairs(texts[number][:-1], texts[number][1:])]
    assert sorted(found) == sorted(expected)


def test_a_few_sizes_are_an_eighth_larger_at_most_and_eight_an_octave() -> None:
    found = [next_of_few(size) for size in range(1, 4097)]
    assert all(size <= few <= size * 1.125 for size, few in enumerate(found, start=1))
    assert len({few for few in found if 512 < few <= 1024}) == 8


def test_attention_takes_texts_of_like_length_together_with_little_padding() -> None:
    lengths = sorted(LENGTHS.tolist(), reverse=True)
    texts = PackedTexts.of(lengths)
    assert texts.longest == max(lengths)
    assert [block.start for block in texts.blocks] == [0, *(block.end for block in texts.blocks[:-1])]
    assert texts.blocks[-1].end == sum(lengths)
    assert sum(block.rows for block in texts.blocks) == len(lengths)
    for block in texts.blocks:
        assert block.rows * block.longest <= 1.25 * (block.end - block.start)
    assert len(texts.blocks) < 20


def test_texts_of_one_length_need_no_padding() -> None:
    (block,) = PackedTexts.of([8] * 5).blocks
    assert block.slots is None
