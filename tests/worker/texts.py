"""Texts split as the worker splits them, and examples made up for tests of the layouts and of what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.data.corpus import Examples
from worker.data.split import find_split


def examples_of(*texts: Sequence[int]) -> Examples:
    """These texts."""
    return _examples(np.concatenate([np.array(text, dtype=np.int32) for text in texts]), [len(text) for text in texts])


def random_examples(lengths: Sequence[int], vocabulary: int) -> Examples:
    """Random texts of these lengths in tokens, the same each time."""
    tokens = np.random.default_rng(0).integers(0, vocabulary, size=sum(lengths)).astype(np.int32)
    return _examples(tokens, lengths)


def _examples(tokens: NDArray[np.int32], lengths: Sequence[int]) -> Examples:
    ends = np.cumsum(lengths)
    return Examples(tokens, ends - lengths, ends, np.array(lengths, dtype=np.int64) - 1)


def split_texts(texts: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """Texts that fit into memory as (to learn from, to be tested on), split as ``find_split`` does."""
    is_test = find_split(lambda: [list(texts)], share).is_test(texts)
    learn = [text for text, test in zip(texts, is_test, strict=True) if not test]
    return learn, [text for text, test in zip(texts, is_test, strict=True) if test]
