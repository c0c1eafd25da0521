"""The loop itself, in this process: what it learns from, when it reports, how it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from worker.checkpoints import saver
from worker.contract import Control
from worker.data.batching import lay_out, shuffled_windows
from worker.errors import TrainingError
from worker.training.trainer import Trainer

Prepare = Callable[..., tuple[Any, list[Any]]]


def losses(reported: list[Any]) -> list[float]:
    return [event.loss for event in reported if event.type == "step"]


def steps_of(kind: str, reported: list[Any]) -> list[int]:
    return [event.step for event in reported if event.type == kind]


def test_packing_changes_the_work_and_not_the_curve(prepare: Prepare) -> None:
    curves = []
    passes = []
    for packing in (True, False):
        trainer, reported = prepare(packing=packing, max_steps=30, precision="fp32")
        setup = trainer.setup
        passes.append(len(lay_out(setup.train, range(16), setup.layout, trainer.batch_size, setup.max_length)))
        trainer.train()
        curves.append(losses(reported))
    assert passes[0] < passes[1] == 4
    assert len(curves[0]) == 30
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)


def test_accumulation_is_a_larger_batch(prepare: Prepare) -> None:
    curves = []
    norms = []  # clipping and Adam would hide a gradient that is too large throughout
    for batch_size, accumulation in ((4, 4), (16, 1), (1, 16)):
        trainer, reported = prepare(
            batch_size=batch_size,
            gradient_accumulation_steps=accumulation,
            packing=False,
            max_steps=5,
            precision="fp32",
        )
        trainer.train()
        curves.append(losses(reported))
        norms.append([event.grad_norm for event in reported if event.type == "step"])
    for other in (1, 2):
        assert curves[0] == pytest.approx(curves[other], abs=1e-4)
        assert norms[0] == pytest.approx(norms[other], rel=1e-2)


def test_the_loss_of_an_update_is_the_mean_over_its_tokens(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=1, batch_size=2, gradient_accumulation_steps=3, precision="fp32")
    window = next(iter_windows(trainer))
    with torch.no_grad():
        sums = [float(trainer.forward(*lay_out(trainer.setup.train, [row], "in_order", 1, 32))) for row in window]
    trainer.train()
    tokens = int(trainer.setup.train.trained[window].sum())
    assert losses(reported) == pytest.approx([sum(sums) / tokens], rel=1e-5)
    assert [event.tokens for event in reported if event.type == "step"] == [tokens]


def iter_windows(trainer: Any) -> Any:
    return shuffled_windows(len(trainer.setup.train), trainer.window_size, trainer.config.seed)


def test_log_steps_reports_the_mean_since_the_last_report(prepare: Prepare) -> None:
    trainer, each = prepare(max_steps=7)
    trainer.train()
    trainer, some = prepare(max_steps=7, log_steps=3)
    trainer.train()
    events = [event for event in each if event.type == "step"]
    assert steps_of("step", some) == [3, 6, 7]
    tokens = [event.tokens - before for event, before in zip(events, [0, *(e.tokens for e in events)], strict=False)]
    first_three = sum(event.loss * n for event, n in zip(events[:3], tokens[:3], strict=True)) / sum(tokens[:3])
    assert losses(some)[0] == pytest.approx(first_three, rel=1e-5)


def test_checks_and_checkpoints_come_when_they_should(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=10, eval_steps=5, save_steps=4, sample_prompts=["Once"])
    end = trainer.train()
    assert steps_of("evaluation", reported) == [0, 5, 10]
    assert steps_of("sample", reported) == [0, 5, 10]
    assert [(e.step, e.kind) for e in reported if e.type == "checkpoint"] == [
        (4, "periodic"),
        (5, "best"),
        (8, "periodic"),
        (10, "best"),
        (10, "final"),
    ]
    assert end.phase == "completed"
    kept = sorted(path.name for path in (trainer.setup.run_dir / "checkpoints").iterdir())
    assert kept == ["step-000008", "step-000010"]


def test_the_best_checkpoint_outlives_newer_ones(prepare: Prepare) -> None:
    # The rate climbs until it wrecks the model, so that an early check stays the best.
    trainer, reported = prepare(
        max_steps=12, eval_steps=1, keep_checkpoints=1, save_steps=1, learning_rate=0.2, warmup_ratio=1.0
    )
    trainer.train()
    best = [e.step for e in reported if e.type == "evaluation" and e.best][-1]
    assert 0 < best < 12
    kept = sorted(path.name for path in (trainer.setup.run_dir / "checkpoints").iterdir())
    assert kept == [f"step-{best:06d}", "step-000012"]


def test_max_steps_goes_beyond_the_epochs(prepare: Prepare) -> None:
    trainer, reported = prepare(num_epochs=1, max_steps=15, validation_split=0.0)
    trainer.train()
    assert trainer.epoch_steps == 13
    assert steps_of("step", reported) == list(range(1, 16))
    assert steps_of("evaluation", reported) == []


def test_training_stops_early_when_checks_get_no_better(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=30, eval_steps=1, early_stopping_patience=3, learning_rate=1.0)
    end = trainer.train()
    assert end.phase == "completed"
    assert "Stopped early" in end.reason
    evaluations = [event for event in reported if event.type == "evaluation"]
    assert [event.best for event in evaluations][-3:] == [False] * 3
    assert len(evaluations) < 31


def test_a_loss_that_is_not_a_number_stops_before_the_update(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=5, validation_split=0.0)
    healthy = trainer.model.transformer.h[0].mlp.c_fc.weight
    with torch.no_grad():
        trainer.model.transformer.wpe.weight[3] = math.nan
    before = healthy.detach().clone()
    with pytest.raises(TrainingError, match="loss at step 1") as caught:
        trainer.train()
    assert torch.equal(healthy, before)
    step = next(event for event in reported if event.type == "step")
    assert (step.loss, step.nonfinite) == (None, ["loss", "grad_norm"])
    assert "learning rate" in caught.value.hint


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "adamw_8bit"])
def test_a_gradient_that_is_not_a_number_stops_before_the_update(prepare: Prepare, optimizer: str) -> None:
    trainer, reported = prepare(max_steps=5, validation_split=0.0, optimizer=optimizer)
    weight = trainer.model.transformer.h[0].mlp.c_fc.weight
    weight.register_hook(lambda grad: grad * math.inf)
    before = weight.detach().clone()
    with pytest.raises(TrainingError, match="gradient at step 1"):
        trainer.train()
    assert torch.equal(weight, before)
    step = next(event for event in reported if event.type == "step")
    assert step.loss is not None
    assert step.nonfinite == ["grad_norm"]


def test_a_disk_that_refuses_a_checkpoint_does_not_end_the_run(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=3, save_steps=2, validation_split=0.0)
    (trainer.setup.run_dir / "checkpoints").write_text("a file where the folder should be")
    assert trainer.train().phase == "completed"
    assert [e.kind for e in reported if e.type == "checkpoint"] == ["final"]
    assert any(e.type == "message" and "No checkpoint at step 2" in e.text for e in reported)


def test_a_stop_tries_again_what_could_not_be_saved(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, reported = prepare(max_steps=1000, save_steps=2)
    write_folder = saver.write_folder

    def refuse_once(target: Path, write: Any) -> int:
        monkeypatch.setattr(saver, "write_folder", write_folder)
        (trainer.setup.run_dir / "control.json").write_text(Control(command="stop").model_dump_json())
        raise OSError("no space")

    monkeypatch.setattr(saver, "write_folder", refuse_once)
    assert trainer.train().phase == "stopped"
    assert any(e.type == "message" and "No checkpoint at step 2" in e.text for e in reported)
    assert [(e.step, e.kind) for e in reported if e.type == "checkpoint"] == [(2, "periodic"), (2, "final")]


def test_a_stop_leaves_a_checkpoint_and_a_model(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=1000)
    run_dir: Path = trainer.setup.run_dir

    def report(event: Any) -> None:
        reported.append(event)
        if event.type == "step" and event.step == 3:
            (run_dir / "control.json").write_text(Control(command="stop").model_dump_json())

    trainer.report = report
    end = trainer.train()
    assert end.phase == "stopped"
    assert "after 3 of 1000" in end.reason
    assert [(e.step, e.path, e.kind) for e in reported if e.type == "checkpoint"] == [
        (3, "checkpoints/step-000003", "periodic"),
        (3, "model", "final"),
    ]


def test_gradient_checkpointing_changes_nothing_but_memory(prepare: Prepare) -> None:
    curves, computed = [], []
    for checkpointing in (False, True):
        trainer, reported = prepare(max_steps=4, gradient_checkpointing=checkpointing, validation_split=0)
        seen: list[bool] = []
        trainer.model.transformer.h[1].attn.register_forward_pre_hook(
            lambda *_, seen=seen: seen.append(torch.is_grad_enabled())
        )
        trainer.train()
        curves.append(losses(reported))
        computed.append(len(seen))
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)
    assert computed[1] == 2 * computed[0], "each block is computed once more on the way back"


@pytest.mark.parametrize("max_grad_norm", [0.05, 100.0])
def test_scaled_losses_learn_what_unscaled_ones_do(prepare: Prepare, max_grad_norm: float) -> None:
    """fp16 is refused on a CPU, and serves here for the loss scaling, which is the same as on a GPU."""
    found = []
    for precision in ("fp32", "fp16"):
        trainer, reported = prepare(max_steps=5, max_grad_norm=max_grad_norm, weight_decay=0.1)
        trainer = Trainer(replace(trainer.setup, precision=precision), reported.append, trainer.stop)
        if precision == "fp16":
            trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        del reported[:]
        trainer.train()
        found.append(reported)
    norms = [[event.grad_norm for event in reported if event.type == "step"] for reported in found]
    assert losses(found[1]) == pytest.approx(losses(found[0]), rel=2e-3)
    assert norms[1] == pytest.approx(norms[0], rel=2e-2)
    assert [event.scale for event in found[1] if event.type == "step"] == [1024.0] * 5


def test_speed_is_of_all_updates_since_the_last_report(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=7, log_steps=3)
    updates: list[Any] = []
    take = trainer._take

    def watch(coming: Any) -> None:
        seen = [replace(update, seconds=update.step**2 / 10) for update in coming]  # so that each took another time
        updates.extend(seen)
        take(seen)

    trainer._take = watch
    trainer.train()
    told = [event for event in reported if event.type == "step"]
    assert [event.step for event in told] == [3, 6, 7]
    for event, first in zip(told, (1, 4, 7), strict=True):
        part = [update for update in updates if first <= update.step <= event.step]
        speed = sum(update.tokens for update in part) / sum(update.seconds for update in part)
        assert event.tokens_per_s == pytest.approx(speed)
        assert event.step_ms == pytest.approx(100 * event.step**2)


def test_the_same_seed_gives_the_same_run(prepare: Prepare) -> None:
    curves = []
    for seed in (1, 1, 2):
        trainer, reported = prepare(max_steps=4, seed=seed)
        trainer.train()
        curves.append(losses(reported))
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]
