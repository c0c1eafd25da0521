"""Several datasets learned together: which of their examples an epoch takes, so that each has its share of the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from worker.contract import Job
from worker.data.corpus import Examples
from worker.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Taken(NamedTuple):
    """What an epoch takes of a dataset: ``tokens`` to learn, which are ``passes`` times all that it has."""

    tokens: int
    passes: float


class Mixture(NamedTuple):
    """``train``: the examples of each epoch, which are ``taken`` from the dataset and from those that are mixed with it.
    ``tests``: what the split keeps aside of each of these, by name, if it does; of the dataset it is ``validation``.
    ``counts``: how many of ``train`` are of each, the dataset's being the first."""

    train: Examples
    validation: Examples
    tests: dict[str, Examples]
    taken: list[Taken]
    counts: list[int]


def mix(job: Job, parts: Sequence[tuple[Examples, Examples]]) -> Mixture:
    """Of the first of ``parts``, which is the dataset, all examples; of each other one as many as make up its share of the
    trained tokens. ``parts`` as token_store.load_tokens gives them: to learn from, and to test on.

    A part is gone through as often as it goes whole, and then a random part of it is taken: the same in every epoch, to the
    nearest example. Raises DataError if one of them has nothing to learn.
    """
    (first, validation), *others = parts
    if not len(first):  # of which its share cannot be kept; there is nothing to learn, which the caller tells
        return Mixture(first, validation, {}, [], [0])
    whole, rest = int(first.trained.sum()), 1 - sum(part.share for part in job.mixture.values())
    chosen, taken = [first], [Taken(whole, 1.0)]
    for place, ((learned, _), (name, mixed)) in enumerate(zip(others, job.mixture.items(), strict=True), start=1):
        if not len(learned):
            raise DataError(f"{name}: no example has anything to learn.", "Take it out of Mixed with.")
        numbers = _numbers(learned, whole * mixed.share / rest, [job.config.seed, place])
        chosen.append(learned.taken(numbers))
        tokens = int(chosen[-1].trained.sum())
        taken.append(Taken(tokens, tokens / int(learned.trained.sum())))
    tests = {name: test for name, (_, test) in zip(job.mixture, others, strict=True) if len(test)}
    return Mixture(_joined(chosen) if others else first, validation, tests, taken, list(map(len, chosen)))


def _joined(parts: Sequence[Examples]) -> Examples:
    """All of them; they lie in one store."""
    return replace(
        parts[0],
        starts=np.concatenate([part.starts for part in parts]),
        ends=np.concatenate([part.ends for part in parts]),
        trained=np.concatenate([part.trained for part in parts]),
        rows=np.concatenate([part.rows for part in parts if part.rows is not None]),
        cut=sum(part.cut for part in parts),
        dropped=sum(part.dropped for part in parts),
    )


def _numbers(part: Examples, wanted: float, seed: list[int]) -> NDArray[np.int64]:
    """Examples with about ``wanted`` trained tokens, in the order of the file, and one at least."""
    passes, rest = divmod(wanted, int(part.trained.sum()))
    order = np.random.default_rng(seed).permutation(len(part))
    nearest = int(np.argmin(np.abs(np.cumsum([0, *part.trained[order]]) - rest)))
    numbers = np.concatenate([np.tile(np.arange(len(part)), int(passes)), np.sort(order[:nearest])])
    return numbers if len(numbers) else order[:1]
