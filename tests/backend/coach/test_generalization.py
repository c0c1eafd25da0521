"""What validation losses carry, and what they do not."""

from __future__ import annotations

import pytest

from backend.coach.rules import generalization
from tests.backend.coach.told import falling, run

TURNED = {0: 7.0, 50: 3.5, 100: 3.0, 150: 3.4, 200: 4.0}


def test_validation_loss_turns_up_while_training_loss_falls() -> None:
    said = generalization.overfitting(run(falling(last=1.0), tested=TURNED, epochs=5))
    assert said
    assert (said.from_step, said.step) == (100, 200)
    assert said.fix == {"max_steps": 100}
    assert "Since step 100" in said.text


@pytest.mark.parametrize(
    ("tested", "epochs"),
    [
        ({0: 7.0, 50: 3.5, 100: 3.0, 150: 2.9, 200: 2.8}, 5.0),
        (TURNED, 1.0),
        ({0: 7.0, 50: 3.0, 100: 3.01, 150: 3.03, 200: 3.02}, 5.0),
        ({0: 7.0}, 5.0),
        ({}, 5.0),
    ],
    ids=["falls", "in the first pass nothing is seen again", "within noise", "one evaluation", "none"],
)
def test_it_is_not_said_of(tested: dict[int, float], epochs: float) -> None:
    assert generalization.overfitting(run(falling(last=2.5), tested=tested, epochs=epochs)) is None


def test_a_gap_is_memorising_as_well() -> None:
    said = generalization.overfitting(run(falling(last=0.5), tested={0: 7.0, 100: 3.0, 200: 2.95}, epochs=8))
    assert said
    assert said.fix == {"early_stopping_patience": 2}


def test_a_few_examples_seen_often() -> None:
    few = {"train_examples": 18, "validation_examples": 2}
    said = generalization.too_little_data(run(falling(last=0.1), facts=few, tested={0: 7.0, 60: 4.0, 200: 6.0}, epochs=60))
    assert said
    assert said.fix is None, "no setting brings more text"
    assert said.evidence["passes over the data"] == 60
    assert generalization.too_little_data(run(falling(), facts=few, epochs=3)) is None
    assert generalization.too_little_data(run(falling(), tested=TURNED, epochs=60)) is None, "900 are not few"


def test_a_handful_tested_on() -> None:
    tested = {0: 7.0, 200: 2.0}
    said = generalization.small_validation(run(falling(), facts={"validation_examples": 3}, tested=tested))
    assert said
    assert said.evidence["examples tested on"] == 3
    assert generalization.small_validation(run(falling(), tested=tested)) is None
    assert generalization.small_validation(run(falling(), facts={"validation_examples": 3})) is None


def test_validation_losses_that_jump_more_than_they_change() -> None:
    jumping = {20 * number: 3 + 0.2 * (-1) ** number for number in range(11)}
    said = generalization.noisy_evaluation(run(falling(), facts={"validation_examples": 20}, tested=jumping))
    assert said
    assert generalization.noisy_evaluation(run(falling(), tested=jumping)) is None, "of 100 examples they are what they are"
    steady = {20 * number: 7 - 0.4 * number for number in range(11)}
    assert generalization.noisy_evaluation(run(falling(), facts={"validation_examples": 20}, tested=steady)) is None


def test_no_validation_at_all() -> None:
    said = generalization.no_evaluation(run(falling(), config={"validation_split": 0.0}))
    assert said
    assert said.fix == {"validation_split": 0.1}
    assert generalization.no_evaluation(run(falling())) is None
    assert generalization.no_evaluation(run(falling(5), config={"validation_split": 0.0})) is None
    assert generalization.no_evaluation(run(falling(), config={"validation_split": 0.0, "validation_dataset": "x"})) is None
