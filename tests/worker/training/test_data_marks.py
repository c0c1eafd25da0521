"""Examples that do not end, and marks of a chat format that the model does not have."""

from __future__ import annotations

import pytest

from tests.worker.texts import examples_of
from worker.training.data_marks import is_foreign, unended

END = 9


def test_examples_that_do_not_end_are_counted_unless_they_were_cut() -> None:
    examples = examples_of([1, 2, END], [1, 2, 3], [1, 2, 3, 4, 5], [END])
    assert unended(examples, END, max_length=5) == 1
    assert unended(examples, [END, 3], max_length=5) == 0
    assert unended(examples, None, max_length=6) == 4


def test_a_line_may_end_after_an_answer_does() -> None:
    examples = examples_of([1, 2, END, 7], [1, 2, 3, 7], [END, 2, 3, 7])
    assert unended(examples, END, max_length=8) == 2


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("<|im_start|>user\nHi<|im_end|>", True),
        ("[INST] Hi [/INST]", True),
        ("<start_of_turn>user", True),
        ("<|endoftext|>", False),
        ("a <b> and <|c|> of HTML [x]", False),
        ("### Instruction:", False),
    ],
)
def test_marks_of_other_formats(text: str, foreign: bool) -> None:
    assert is_foreign(text, {"<|endoftext|>"}, "") is foreign
    assert not is_foreign(text, {"<|im_start|>", "<|im_end|>"}, "[INST] {{ x }} [/INST]<start_of_turn>")
