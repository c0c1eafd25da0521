"""Whether a loss falls: said of those that do, and of no noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backend.coach.judge import findings
from backend.coach.record import RunRecord
from backend.coach.rules import progress
from tests.backend.coach.told import falling, run


def level(updates: int, mean: float, seed: int, share: float = 0.03) -> Any:
    return mean * (1 + share * np.random.default_rng(seed).standard_normal(updates))


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("shape", ["flat", "falling"])
def test_noise_is_never_a_warning(seed: int, shape: str) -> None:
    """100 flat curves and 100 that fall, with 3% of noise in both losses: once 64 of 200 were called memorising."""
    draw = np.random.default_rng(seed)
    updates = int(draw.integers(30, 800))
    trained = level(updates, 2.0, seed) if shape == "flat" else falling(updates, seed=seed)
    places = np.linspace(0, updates, int(draw.integers(4, 20)), dtype=int)
    around = 2.0 if shape == "flat" else np.array([7.0, *trained])[places]
    tested = dict(zip(places.tolist(), (around * (1 + 0.03 * draw.standard_normal(len(places)))).tolist(), strict=True))
    record = run(trained, tested=tested, epochs=3, end="completed")
    said = findings(record)
    assert not [one.rule for one in said if one.level in ("warning", "error")]
    assert [one.rule for one in said] == (["learning"] if shape == "falling" else ["flat"])


def test_a_falling_loss_is_learning_and_its_end_says_from_where_to_where() -> None:
    going = findings(run(falling()))
    assert [one.rule for one in going] == ["learning"]
    assert going[0].level == "good"
    ended = findings(run(falling(), tested={0: 7.0, 100: 3.0, 200: 2.2}, end="completed"))
    assert [one.rule for one in ended] == ["learning"]
    assert "Validation loss fell from 7.00 to 2.20" in ended[0].text
    assert ended[0].evidence == {
        "validation loss before (nats)": 7.0, "validation loss now (nats)": 2.2, "at steps": [0, 200],
    }  # fmt: skip


@pytest.mark.parametrize("updates", [0, 1, 2, 5])
def test_a_few_updates_say_nothing(updates: int) -> None:
    assert findings(run(falling(updates))) == []
    assert findings(RunRecord()) == []


def test_a_run_that_broke_did_not_fall() -> None:
    loss = np.array([*falling(50), np.nan])
    said = findings(run(loss, tested={0: 7.0, 50: 3.0}, end="failed"))
    assert said[0].level == "error"
    assert "learning" not in {one.rule for one in said}


def test_flat_since_the_beginning_and_flat_in_the_second_half() -> None:
    whole = progress.flat(run(level(200, 3.0, 1)))
    assert whole
    assert "since the beginning" in whole.text
    loss = np.concatenate((falling(100, 7, 3), level(300, 3.0, 2)))
    assert progress.flat(run(level(200, 3.0, 1), facts={"total_steps": 5000})) is None, "it is warming up"
    late = progress.flat(run(loss, lr=np.full(400, 1e-3)))
    assert late
    assert late.from_step > 150
    assert "second half" in late.text
    assert progress.flat(run(loss)) is None, "a rate that has fallen to nothing explains it"
    assert progress.flat(run(falling(400))) is None


def test_rising_is_measured_from_the_lowest() -> None:
    loss = np.concatenate((falling(100), np.linspace(2.1, 4, 60)))
    said = progress.rising(run(loss, config={"learning_rate": 1e-3}))
    assert said
    assert 85 <= said.from_step <= 110
    assert said.step == 160
    assert said.fix == {"learning_rate": 0.00033}
    assert progress.rising(run(falling(160))) is None
    spiked = np.array(falling(160))
    spiked[-1] += 5
    assert progress.rising(run(spiked)) is None, "a spike, as far as can be told"
    assert progress.rising(run(np.concatenate((falling(100), level(60, 2.1, 3))))) is None


def test_near_zero_tells_memorising_from_copying() -> None:
    loss = np.concatenate((falling(100), np.full(30, 0.004)))
    by_heart = progress.near_zero(run(loss, tested={0: 7.0, 130: 5.0}))
    copied = progress.near_zero(run(loss, tested={0: 7.0, 130: 0.005}))
    assert by_heart
    assert "by heart" in by_heart.text
    assert copied
    assert "copied" in copied.text
    assert progress.near_zero(run(falling(130, last=0.2))) is None
