"""What validation loss says, and how far it can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.trend import noise

TURNED = 0.03
"""Share by which validation loss stands above its lowest: a few hundredths come and go with a few hundred examples."""
FALLEN = 0.05
"""Share by which training loss has fallen meanwhile: its means over some updates differ by a hundredth or two."""
UNSTEADY = 0.02
"""Noise of a validation loss as a share of it, where there are too few to tell: that of some dozen examples."""
GAP = 1.5
"""Validation loss so many times the training loss of the same stretch: what is learned is not carried over."""
FEW_EXAMPLES = 100
MANY_PASSES = 5.0
"""Times each example is seen. Instructions are tuned for 1 to 5."""
FEW_TESTED = 10
"""Examples below which one odd one decides a validation loss."""
TESTED = 50
"""Examples below which chance is looked for in validation losses."""
LATE = 5
"""Evaluations of the second half that must be there: of fewer nobody can tell jumps from a course."""
FEWEST = 20
"""Updates before a missing evaluation is missed."""


def overfitting(record: RunRecord) -> Finding | None:
    """Validation loss has turned up, or stays far behind, while training loss falls."""
    tested = _tested(record)
    if len(tested) < 2 or record.epoch <= 1:  # within the first pass nothing is seen again
        return None
    best = min(tested, key=lambda one: float(one["loss"]))
    last = tested[-1]
    # The untrained model's evaluation tells of no training loss: what came next stands for it.
    since = [one["train_loss"] for one in tested if one["step"] >= best["step"] and one.get("train_loss") is not None]
    if not since:
        return None
    before, trained = since[0], since[-1]
    turned = (
        last["loss"] > best["loss"] * (1 + TURNED)
        and best is not last
        and trained < before * (1 - FALLEN)
        and _stays_above(tested, best)
    )
    gap = last["loss"] > GAP * trained and len(tested) > 2
    if not turned and not gap:
        return None
    evidence = {
        "lowest validation loss (nats)": round(best["loss"], 4),
        "lowest at step": best["step"],
        "validation loss now (nats)": round(last["loss"], 4),
        "training loss now (nats)": round(trained, 4),
        "passes over the data": round(record.epoch, 1),
    }
    text = (
        f"Since step {best['step']:,} validation loss has risen from {best['loss']:.2f} to {last['loss']:.2f} while training"
        " loss kept falling: the model memorises its examples."
        if turned
        else f"Loss is {trained:.2f} on what it learns from but {last['loss']:.2f} on unseen examples: it memorises."
    )
    return Finding(
        rule="overfitting",
        level="warning",
        step=last["step"],
        from_step=best["step"] if turned else tested[max(0, len(tested) - 2)]["step"],
        evidence=evidence,
        text=text,
        advice="Stop where validation loss was lowest, or bring more text. The best checkpoint is kept.",
        fix={"max_steps": best["step"]} if turned and best["step"] > 0 else {"early_stopping_patience": 2},
    )


def _stays_above(tested: list[dict[str, Any]], best: dict[str, Any]) -> bool:
    """Whether all since the lowest are above it by more than evaluations jump about."""
    losses = np.array([one["loss"] for one in tested])
    after = losses[[one["step"] > best["step"] for one in tested]]
    late = losses[max(1, len(losses) // 3) :]  # the first fall is no noise
    spread = noise(late) if len(late) > 4 else UNSTEADY * best["loss"]
    return bool(len(after) > 1 or len(tested) <= 3) and bool(np.mean(after[-2:]) > best["loss"] + 3 * spread)


def too_little_data(record: RunRecord) -> Finding | None:
    """A few examples, seen again and again."""
    examples = record.facts.get("train_examples")
    if not examples or examples >= FEW_EXAMPLES or record.epoch < MANY_PASSES:
        return None
    tested = _tested(record)
    trained = record.steps.newest("loss")
    level = float(np.mean(trained[-5:])) if len(trained) else None
    if level is None or (tested and tested[-1]["loss"] < 1.1 * level):
        return None
    evidence: dict[str, Any] = {
        "examples to learn from": examples,
        "passes over the data": round(record.epoch, 1),
        "training loss now (nats)": round(level, 4),
    }
    if tested:
        evidence["validation loss now (nats)"] = round(tested[-1]["loss"], 4)
    return Finding(
        rule="too_little_data",
        level="warning",
        step=record.step,
        from_step=1,
        evidence=evidence,
        text=f"{examples:,} examples have been seen {record.epoch:.0f} times each: the model learns them by heart.",
        advice="Bring more examples, a thousand or so, or start from a trained model and make a few passes only.",
    )


def small_validation(record: RunRecord) -> Finding | None:
    """A validation loss that is the mean of a few examples."""
    count = record.facts.get("validation_examples")
    if not count or count >= FEW_TESTED or not _tested(record):
        return None
    learned = record.facts.get("train_examples") or 0
    return Finding(
        rule="small_validation",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"examples tested on": count, "examples to learn from": learned},
        text=f"Validation loss is the mean of {count} example{'s' * (count > 1)}: a single odd one decides it.",
        advice="Keep a tenth of the dataset aside (Validation split), or a hundred examples at least.",
        fix={"validation_dataset": None, "validation_split": 0.1} if learned >= 10 * FEW_TESTED else None,
    )


def noisy_evaluation(record: RunRecord) -> Finding | None:
    """Validation losses that differ by chance."""
    tested, count = _tested(record), record.facts.get("validation_examples")
    late = np.array([one["loss"] for one in tested[len(tested) // 2 :]])
    if not count or not FEW_TESTED <= count < TESTED or len(late) < LATE:
        return None
    spread, moved = noise(late), abs(float(late[-1] - late[0]))
    turns = int((np.diff(late)[1:] * np.diff(late)[:-1] < 0).sum())
    if turns < len(late) // 2 or spread < UNSTEADY * float(np.mean(late)) or moved > 3 * spread:
        return None
    return Finding(
        rule="noisy_evaluation",
        level="warning",
        step=tested[-1]["step"],
        from_step=tested[len(tested) // 2]["step"],
        evidence={
            "jumps of validation loss (nats)": round(spread, 4),
            "change in the second half (nats)": round(moved, 4),
            "examples tested on": count,
        },
        text=f"Validation loss jumps by {spread:.2f} between evaluations, and has changed by only {moved:.2f}.",
        advice="Test on more examples: a hundred or more.",
        fix={"validation_split": 0.2},
    )


def no_evaluation(record: RunRecord) -> Finding | None:
    """Nothing is tested on."""
    split, own = record.config.get("validation_split"), record.config.get("validation_dataset")
    if record.step < FEWEST or record.evaluations or own or split is None or split > 0:
        return None
    return Finding(
        rule="no_evaluation",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"validation split": split, "updates": record.step},
        text="No example is kept aside, so nobody can tell learning from memorising.",
        advice="Set Validation split to 0.1.",
        fix={"validation_split": 0.1},
    )


def _tested(record: RunRecord) -> list[dict[str, Any]]:
    return [one for one in record.evaluations if one["loss"] is not None]
