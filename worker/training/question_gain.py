"""Whether answers are told from their questions: each answer once more, after the question of another."""

from __future__ import annotations

import numpy as np

from worker.data.corpus import Examples

MOST = 16
"""Examples that are looked at: about a hundredth of what an evaluation of some length takes."""
FEWEST = 8


def swapped(examples: Examples, max_length: int) -> Examples | None:
    """The first examples, each with what stands before its answer in the next one instead; cut on the left where both
    together have more than ``max_length`` tokens. The same tokens are learned, in the same order.

    None where all is learned, or too few examples have a question to swap.
    """
    count = min(MOST, len(examples))
    if examples.targets is None or count < FEWEST:
        return None
    learned = [np.flatnonzero(examples.learned(number)) + 1 for number in range(count)]  # within each example
    begins = [int(places[0]) for places in learned]
    tokens, targets = [], []
    for number in range(count):
        other = (number + 1) % count
        answer = examples[number][begins[number] :]
        question = examples[other][: begins[other]][-max(1, max_length - len(answer)) :]
        tokens.append(np.concatenate((question, answer))[:max_length])
        marks = np.zeros(len(question) + len(answer), dtype=bool)
        marks[learned[number] - begins[number] + len(question)] = True
        targets.append(marks[:max_length])
    lengths = np.array([len(each) for each in tokens])
    ends = np.cumsum(lengths)
    trained = np.array([int(marks.sum()) for marks in targets])
    if (trained != examples.trained[:count]).any():  # an answer that fills max_length by itself
        return None
    return Examples(np.concatenate(tokens), ends - lengths, ends, trained, np.concatenate(targets))
