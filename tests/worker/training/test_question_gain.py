"""An answer after another's question: the same tokens are learned, and a model that looks at questions notices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.worker.texts import examples_of
from worker.data.corpus import Examples
from worker.training.question_gain import FEWEST, MOST, swapped


def asked(count: int, question: int = 3, answer: int = 2) -> Examples:
    """Example n has the question n n n and the answer 100+n 100+n."""
    examples = examples_of(*([number] * question + [100 + number] * answer for number in range(count)))
    targets = np.array(([False] * question + [True] * answer) * count)
    return replace(examples, targets=targets, trained=np.full(count, answer))


def test_each_answer_stands_after_the_next_ones_question() -> None:
    found = swapped(asked(10), max_length=16)
    assert found is not None
    assert found[0].tolist() == [1, 1, 1, 100, 100]
    assert found[9].tolist() == [0, 0, 0, 109, 109]
    assert found.learned(4).tolist() == asked(10).learned(4).tolist()
    assert found.trained.tolist() == [2] * 10


def test_what_does_not_fit_is_cut_from_the_question() -> None:
    found = swapped(asked(10), max_length=4)
    assert found is not None
    assert found[0].tolist() == [1, 1, 100, 100]
    assert found.trained.tolist() == [2] * 10
    assert swapped(asked(10), max_length=2) is None, "the answer alone fills it"


def test_a_few_examples_are_looked_at_and_only_where_there_are_questions() -> None:
    found = swapped(asked(100), max_length=16)
    assert found is not None
    assert len(found) == MOST
    assert swapped(asked(FEWEST - 1), max_length=16) is None
    assert swapped(replace(asked(20), targets=None), max_length=16) is None
