"""What is said of a run's inside: shares that add up, verdicts with reasons, and silence where nothing is certain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backend.metrics.inside import noise_scale, time_shares, time_verdict
from backend.runs import history, lifecycle
from backend.series import curves
from tests.backend.series.test_curves import LongRun
from worker.contract import LayersEvent, RowLoss, RowsEvent, StatusEvent, TimingEvent, now

LIKE_THE_REST = {"forward": 30.0, "backward": 60.0, "optimizer": 10.0}


def verdict(config: dict[str, Any] | None = None, **seconds: float) -> str | None:
    return time_verdict(time_shares([{**LIKE_THE_REST, **seconds}]), config or {})


def test_shares_add_up_over_all_events() -> None:
    events = [TimingEvent(step=1, preparing=5, data=1, forward=2).model_dump(), TimingEvent(step=9, forward=2).model_dump()]
    shares = {share.kind: (share.seconds, share.share) for share in time_shares(events)}
    assert shares["forward"] == (4, 0.4)
    assert shares["preparing"] == (5, 0.5)
    assert sum(share for _, share in shares.values()) == pytest.approx(1)
    assert sum(share.share for share in time_shares([])) == 0


def test_the_verdict_names_what_could_be_mended() -> None:
    assert verdict(data=50) == "Waiting for data takes 33% of the time: raise Loading threads (num_workers), which is 0."
    assert "which are 2" in str(verdict({"num_workers": 2}, data=50))
    assert str(verdict(evaluation=100)).startswith("Evaluating takes 50% of the time")
    assert str(verdict(saving=40)).startswith("Saving takes 29% of the time")
    assert (
        verdict(preparing=500, waiting=500) == "The model computes 100% of the time: nothing here waits for anything else."
    )
    assert time_verdict(time_shares([{"data": 3.0}]), {}) is None, "too short to say anything"


def entries(values: np.ndarray[Any, Any]) -> curves.Entries:
    steps, ones = np.arange(len(values), dtype=np.float64), np.ones(len(values))
    return np.stack([steps, values, values, values, ones, 0 * ones], axis=1)


def drawn(scale: float, spread: float, count: int = 200, seed: int = 0) -> tuple[curves.Entries, curves.Entries]:
    """Signal and noise of so many updates, whose true ratio is ``scale``."""
    random = np.random.default_rng(seed)
    return entries(random.normal(1, spread, count)), entries(random.normal(scale, scale * 0.1, count))


@pytest.mark.parametrize("seed", range(20))
def test_a_batch_that_is_far_too_large_is_told_with_its_ratio(seed: int) -> None:
    found = noise_scale(*drawn(16, 1.0, seed=seed), 64)
    assert found
    assert found.low < 16 < found.high or abs(found.examples / 16 - 1) < 0.35
    assert 100 <= found.updates <= 101
    if found.high < 32:
        assert found.verdict
        assert "times larger than it needs to be" in found.verdict


def test_verdicts_are_worded_in_round_numbers() -> None:
    found = noise_scale(*drawn(16, 0.01), 64)
    assert found
    assert found.verdict == (
        "Your batch is about 4 times larger than it needs to be: of 64 examples in an update, about 20 would teach nearly"
        " as much."
    )
    small = noise_scale(*drawn(300, 0.01), 16)
    assert small
    assert "about 20 times smaller" in str(small.verdict)
    fitting = noise_scale(*drawn(16, 0.01), 24)
    assert fitting
    assert fitting.verdict is None


def test_what_is_uncertain_is_not_said() -> None:
    assert noise_scale(*drawn(16, 0.01, count=40), 64) is None, "too few updates"
    for spread in (0.5, 2.0, 5.0, 30.0):  # the more, the more of what seems signal is chance
        said = [noise_scale(*drawn(80, spread, seed=seed), 64) for seed in range(100)]
        assert not [found for found in said if found and found.verdict], spread
    assert noise_scale(*(np.empty((0, 6)) for _ in range(2)), 64) is None


class Inside(LongRun):
    """A run that tells of its inside too."""

    def tell(self, *events: Any) -> None:
        for number, event in enumerate(events, self.seq + 1):
            event.seq, event.time = number, now()
        self.seq += len(events)
        self.records.append(self.run_id, *events)
        self.tailer.ingest(self.run_id)


def look(step: int, scale: float = 1.0) -> LayersEvent:
    parts = ["embeddings", "block 0", "head"]
    return LayersEvent(
        step=step, parts=parts, grad_norm=[scale * step, 2.0, None], update_ratio=[0.1, None, 0.3],
        gradient_signal=1.0, gradient_noise=50.0,
    )  # fmt: skip


def test_layers_are_curves_that_are_kept_condensed_and_taken_back(records: Any) -> None:
    run = Inside(records)
    run.tell(StatusEvent(phase="training", total_steps=10**6))
    run.tell(*(look(step) for step in range(1, 5001)))
    keys = curves.layer_keys(["embeddings", "block 0", "head"])
    assert keys[0] == "layers/grad_norm/embeddings"
    found = run.read(*keys, px=10)
    assert len(found.x) <= 10
    assert found.series["layers/grad_norm/embeddings"].max[-1] == 5000
    assert set(found.series["layers/grad_norm/block 0"].mean) == {2.0}
    assert set(found.series["layers/grad_norm/head"].mean) == {None}
    run.tell(StatusEvent(phase="training", resumed_step=3000, total_steps=10**6), look(3001, 7.0))
    again = run.read("layers/grad_norm/embeddings", px=10_000)
    assert again.x[-1] == 3001
    assert again.series["layers/grad_norm/embeddings"].max[-1] == 7 * 3001


def test_rows_are_each_spike_and_the_latest_of_the_others(records: Any) -> None:
    run = Inside(records)
    run.tell(StatusEvent(phase="training", total_steps=100))

    def rows(step: int, cause: Any, text: str = "a") -> RowsEvent:
        return RowsEvent(step=step, cause=cause, rows=[RowLoss(row=step, loss=9.0, tokens=4, text=text)])

    run.tell(rows(0, "evaluation"), rows(5, "spike", '"cause":"training"'), rows(10, "training"), rows(10, "evaluation"))
    run.tell(rows(17, "spike"), rows(20, "training"), rows(20, "evaluation"))
    with records.database.read() as connection:
        found = history.odd_rows(connection, run.run_id)
        assert lifecycle.row(connection, run.run_id)
    assert [(odd.step, odd.cause) for odd in found] == [(5, "spike"), (17, "spike"), (20, "training"), (20, "evaluation")]
