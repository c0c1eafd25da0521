"""Which examples one update learns from, and how they are laid out in forward passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from worker.data.corpus import Examples

Layout = Literal["packed", "grouped", "in_order"]
"""packed: texts end to end, no padding; grouped: texts of like length, padded; in_order: as they come, padded."""

Sizes = Literal["any", "few", "budget"]
"""How many tokens passes may have: as many as their texts; one of a few numbers, as a CPU prepares its products in bf16 anew
for each and keeps that; or always as many as fit, for a compiled model. Texts without a target fill up what is missing."""

_SIZES_AN_OCTAVE = 8
_MOST_EXAMPLES = 30_000
_PADDED_SHARE = 1.25  # cells of a block of texts, padding counted, for each of its tokens


def shuffled_windows(count: int, size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
    """Endless windows of ``size`` example numbers, each epoch over all ``count`` in an order of its own.

    A window never reaches into the next epoch, so the last one of an epoch may be smaller. ``start`` is the number of
    windows, over all epochs, that are left out at the beginning; they cost nothing.
    """
    epoch, skipped = divmod(start, -(-count // size))
    while True:
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        for first in range(skipped * size, count, size):
            yield order[first : first + size]
        epoch, skipped = epoch + 1, 0


def first_windows(count: int, size: int, seed: int, updates: int) -> list[list[int]]:
    """The windows of a run's first ``updates``; of many those at its beginning, laid out in a tenth of a second."""
    return list(islice(shuffled_windows(count, size, seed), max(1, min(updates, _MOST_EXAMPLES // size))))


@dataclass(frozen=True)
class Block:
    """Neighbouring texts of a packed pass that attention takes together, as ``rows`` rows of ``longest`` tokens.

    They are the pass's tokens ``start`` to ``end``. ``slots`` [end - start] int64 is the cell of each of them among the
    rows * longest cells; None where all texts are equally long, for then there is no padding.
    """

    start: int
    end: int
    rows: int
    longest: int
    slots: torch.Tensor | None

    def to(self, device: torch.device) -> Block:
        """The same on ``device``."""
        return self if self.slots is None else replace(self, slots=_moved(self.slots, device))


@dataclass  # not frozen: torch's compiler looks into a frozen one, and compiles anew for other lengths
class PackedTexts:
    """Where each text of a packed pass begins: text i is tokens ``starts[i]`` to ``starts[i + 1]``, [texts + 1] int32."""

    starts: torch.Tensor
    longest: int
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> PackedTexts:
        """Texts of these ``lengths``; the more they are sorted, the fewer blocks."""
        starts = np.cumsum([0, *lengths], dtype=np.int32)
        return cls(torch.from_numpy(starts), max(lengths), tuple(_blocks(lengths)))

    def to(self, device: torch.device) -> PackedTexts:
        """The same on ``device``."""
        return PackedTexts(_moved(self.starts, device), self.longest, tuple(block.to(device) for block in self.blocks))


@dataclass(frozen=True)
class Batch:
    """One forward pass. ``inputs`` [rows, longest] int64; ``targets`` [trained positions] int64: the tokens to predict.

    ``trained`` [trained positions] int64 are the places in the flattened ``inputs`` that have a target; None if these are
    the first ones. ``position_ids`` [1, tokens] and ``texts`` are there if texts lie end to end in the one row; ``lengths``
    [rows] int64, of each row without its padding, if they stand in rows of their own. ``examples`` are the numbers of the
    examples that it holds, in whose order the targets stand.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    trained: torch.Tensor | None = None
    position_ids: torch.Tensor | None = None
    texts: PackedTexts | None = None
    lengths: torch.Tensor | None = None
    examples: Sequence[int] = ()

    @property
    def tokens(self) -> int:
        """Trained tokens."""
        return len(self.targets)

    def to(self, device: torch.device) -> Batch:
        """The same on ``device``; a GPU copies while the processor goes on."""
        return Batch(**{field.name: _moved(getattr(self, field.name), device) for field in fields(self)})


def lay_out(
    examples: Examples,
    window: Sequence[int],
    layout: Layout,
    batch_size: int,
    max_length: int,
    sizes: Sizes = "any",
) -> list[Batch]:
    """The examples ``window`` as forward passes on the CPU: of ``batch_size`` examples each if ``layout`` is in_order,
    else of at most ``batch_size * max_length`` tokens each, padding counted. Only packed passes can fill the budget.
    """
    lengths = examples.lengths
    budget = batch_size * max_length
    if layout == "packed":
        passes = first_fit(window, lengths, budget)
        sums = [int(lengths[rows].sum()) for rows in passes]
        totals = [budget if sizes == "budget" else _padded(tokens, sizes, budget) for tokens in sums]
        return [_end_to_end(examples, rows, total, max_length) for rows, total in zip(passes, totals, strict=True)]
    passes = in_order(window, batch_size) if layout == "in_order" else pack(window, lengths, budget)
    return [_side_by_side(examples, rows, _padded(int(lengths[rows].max()), sizes, max_length)) for rows in passes]


def next_of_few(size: int) -> int:
    """``size`` or the next one of the few, an eighth larger at most."""
    step = max(1, (1 << (size - 1).bit_length()) // (2 * _SIZES_AN_OCTAVE))
    return -(-size // step) * step


def _padded(size: int, sizes: Sizes, most: int) -> int:
    return max(size, min(next_of_few(size), most)) if sizes == "few" else size


def first_fit(window: Sequence[int], lengths: NDArray[np.int64], budget: int) -> list[list[int]]:
    """The window's examples in passes of at most ``budget`` tokens, each in the first that has room, longest first."""
    passes: list[list[int]] = []
    rooms: list[int] = []
    for example in sorted(window, key=lambda i: (-lengths[i], i)):
        length = int(lengths[example])
        place = next((number for number, room in enumerate(rooms) if room >= length), len(passes))
        if place == len(passes):
            passes.append([])
            rooms.append(budget)
        passes[place].append(example)
        rooms[place] -= length
    return passes


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


def _end_to_end(examples: Examples, rows: Sequence[int], total: int, max_length: int) -> Batch:
    """One row of all these examples, longest first, and texts without a target behind them up to ``total`` tokens."""
    lengths = examples.lengths[rows].tolist()
    tokens = sum(lengths)
    while sum(lengths) < total:
        lengths.append(min(max_length, total - sum(lengths)))
    inputs = np.zeros((1, sum(lengths)), dtype=np.int64)
    inputs[0, :tokens] = np.concatenate([examples[row][:-1] for row in rows])
    targets, learned = _targets(examples, rows)
    return Batch(
        torch.from_numpy(inputs),
        torch.from_numpy(targets),
        trained=None if learned.all() else torch.from_numpy(np.flatnonzero(learned)),
        position_ids=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])[None]),
        texts=PackedTexts.of(lengths),
        examples=rows,
    )


def _side_by_side(examples: Examples, rows: Sequence[int], longest: int) -> Batch:
    """One example in each row of ``longest`` tokens.

    No attention mask goes with it: padding stands on the right, and a causal model never looks to the right, so real
    positions come out as if each example were alone, and attention keeps its fast kernel.
    """
    lengths = examples.lengths[rows]
    real = np.arange(longest) < lengths[:, None]
    inputs = np.zeros(real.shape, dtype=np.int64)  # padded with token 0, as any would do: nothing looks at it
    inputs[real] = np.concatenate([examples[row][:-1] for row in rows])
    targets, learned = _targets(examples, rows)
    places = np.flatnonzero(real)[learned]
    return Batch(
        torch.from_numpy(inputs),
        torch.from_numpy(targets),
        trained=torch.from_numpy(places),
        lengths=torch.from_numpy(lengths),
        examples=rows,
    )


def _targets(examples: Examples, rows: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The tokens that the model learns to predict, and which of all its predictions these are: [inputs of the rows] bool."""
    learned = np.concatenate([examples.learned(row) for row in rows])
    following = np.concatenate([examples[row][1:] for row in rows]).astype(np.int64)
    return following[learned], learned


def _blocks(lengths: Sequence[int]) -> Iterator[Block]:
    """Neighbours among texts of these ``lengths``, as long as padding them to the first one's length wastes little."""
    first = start = 0
    while first < len(lengths):
        longest, last, end = lengths[first], first, start
        while (
            last < len(lengths)
            and lengths[last] <= longest
            and (last + 1 - first) * longest <= _PADDED_SHARE * (end + lengths[last] - start)
        ):
            end += lengths[last]
            last += 1
        real = np.arange(longest) < np.array(lengths[first:last])[:, None]
        slots = None if real.all() else torch.from_numpy(np.flatnonzero(real))
        yield Block(start, end, last - first, longest, slots)
        first, start = last, end


def _moved(value: Any, device: torch.device) -> Any:
    """``value`` on ``device``, if it is something that lies on one."""
    if isinstance(value, torch.Tensor) and value.device.type == "cpu" and device.type == "cuda":
        return value.pin_memory().to(device, non_blocking=True)
    return value.to(device) if hasattr(value, "to") else value
