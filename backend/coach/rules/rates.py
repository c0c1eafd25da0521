"""The learning rate, its warmup, and weight decay."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.trend import course, noise
from worker.contract import BUILT_IN_MODELS, ModelSource, RunConfig, learning_rate

FEWEST = 20
RISEN = 0.1
"""How far above an earlier stretch the loss stands while the rate is high, as a share of it."""
GPT2_WEIGHTS = 124_000_000
SMALLER = 1 / 3
"""Usual rates for fine-tuning are those of GPT-2 and larger. Smaller models take more: from nothing tiny, with a 225th of
GPT-2's weights, learns at 6 times its rate, and mini, with a 20th, at twice."""
FAR_ABOVE = 8.0
"""Times the rate that suits the model, from which a loss that does badly is put down to it."""
FAR_BELOW = 1 / 20
"""Of that rate, from which a loss that hardly falls is put down to it."""
HARDLY = 0.15
"""Share of its first loss that a run with a suitable rate has left behind by its end; models from nothing lose more within
thirty updates."""
JUMP = 0.02
"""Rise of the smoothed loss within the first updates, as a share: in healthy runs it falls fastest there."""
AT_ONCE = 0.9
"""Of the full rate at the first update: no warmup."""
EARLY_SHARE = 1 / 3
"""Of the run: by then the rate has come to its height."""
EARLY = 60
"""Updates, at most, that a missing warmup is blamed for."""
USUAL_DECAY = 0.3
"""Weight decay beyond anything in use: published recipes have 0 to 0.1, a few 0.2."""


def usual_rate(record: RunRecord) -> float | None:
    """The learning rate that suits the model; None where the model is not known."""
    config, name = record.config, record.config.get("model_name")
    if not name:
        return None
    given = {field: config[field] for field in ("method", "from_scratch") if field in config}
    kind: Literal["built_in", "hub"] = "built_in" if name in BUILT_IN_MODELS else "hub"
    rate = learning_rate(RunConfig(model_name=name, **given), ModelSource(kind=kind, location=name))
    weights = record.facts.get("parameters")
    if kind == "built_in" or not weights or weights >= GPT2_WEIGHTS:
        return rate
    return float(f"{rate * (GPT2_WEIGHTS / weights) ** SMALLER:.1g}")


def learning_rate_high(record: RunRecord) -> Finding | None:
    """The loss turns up, or never comes down, under a rate that is too large."""
    peak, usual, path = record.peak_rate, usual_rate(record), course(record.loss)
    if peak is None or len(path.value) < 5 or (len(path.value) < FEWEST and not record.broken):
        return None
    times = peak / usual if usual else None
    lowest, highest, place = _climb(path.value)
    climbed = highest - lowest > max(RISEN * lowest, 5 * path.noise)
    new = record.config.get("model_name") in BUILT_IN_MODELS or record.config.get("from_scratch")
    stuck = bool(new) and times is not None and times >= FAR_ABOVE and _fallen(path.value) < 2 * HARDLY
    # Of a model that is not known: what turns up late has other reasons as well.
    far = times >= FAR_ABOVE if times is not None else place < EARLY_SHARE * len(path.value)
    broke = record.broken and (climbed or (times is not None and far))
    if not broke and not (climbed and far) and not stuck:
        return None
    evidence: dict[str, Any] = {
        "highest learning rate": peak,
        "lowest loss before (nats)": round(lowest, 4),
        "loss after (nats)": round(highest, 4),
    }
    if usual:
        evidence["the model's usual rate"] = usual
    better = usual if usual and peak > 2 * usual else float(f"{peak / 10:.2g}")
    beside = f", {times:.0f} times the usual," if times and times > 2 else ""
    what = "rises instead of falling" if climbed else "does not come down"
    return Finding(
        rule="learning_rate_high",
        level="error" if record.broken else "warning",
        step=int(path.step[-1]),
        from_step=int(path.step[place]),
        evidence=evidence,
        text=f"With a learning rate of {peak:g}{beside} the loss {what}: each update oversteps.",
        advice=f"Set it to {better:g}, with some warmup.",
        fix={"learning_rate": better, "warmup_ratio": max(0.1, record.config.get("warmup_ratio") or 0)},
    )


def learning_rate_low(record: RunRecord) -> Finding | None:
    """The loss hardly falls under a rate that is too small."""
    peak, usual, path = record.peak_rate, usual_rate(record), course(record.loss)
    if peak is None or usual is None or peak > FAR_BELOW * usual or len(path.value) < FEWEST or record.broken:
        return None
    fallen = _fallen(path.value)
    if fallen > HARDLY:
        return None
    return Finding(
        rule="learning_rate_low",
        level="warning",
        step=int(path.step[-1]),
        from_step=int(path.step[0]),
        evidence={
            "highest learning rate": peak,
            "the model's usual rate": usual,
            "loss at first (nats)": round(float(path.value[0]), 4),
            "loss now (nats)": round(float(np.mean(path.part(0.9, 1))), 4),
        },
        text=f"With a learning rate of {peak:g}, 1/{usual / peak:,.0f} of the usual, the loss has fallen by {fallen:.1%}.",
        advice=f"Set it to {usual:g}.",
        fix={"learning_rate": usual},
    )


def no_warmup(record: RunRecord) -> Finding | None:
    """The first updates are made at the full rate, and break something."""
    rates, loss = record.steps.curve("lr").known(), record.loss
    if len(loss.step) < FEWEST or not len(rates.step) or rates.mean[0] < AT_ONCE * rates.high.max():
        return None
    if rates.step[0] > (record.facts.get("resumed_step") or 0) > 0:  # of a fork: another run has made the first ones
        return None
    early = loss.mean[: min(max(8, len(loss.step) // 6), EARLY)]
    low, high, begin = _climb(early)
    if high - low < max(JUMP * low, 2 * noise(loss.mean)):
        return None
    place = begin + int(np.argmax(early[begin:]))
    usual = usual_rate(record)
    too_high = usual is not None and rates.high.max() > 2 * usual
    return Finding(
        rule="no_warmup",
        level="warning",
        step=int(loss.step[place]),
        from_step=1,
        evidence={
            "learning rate at the first update": float(f"{rates.mean[0]:.4g}"),
            "highest learning rate": float(f"{rates.high.max():.4g}"),
            "loss before it jumped (nats)": round(low, 4),
            "highest loss after (nats)": round(high, 4),
        },
        text=f"The first updates had the full learning rate, and the loss jumped from {low:.2f} to {high:.2f}.",
        advice="Let the rate climb over the first tenth of the run (Warmup ratio 0.1)"
        + (f", and to {usual:g} only, which is usual for the model." if too_high else "."),
        fix={"warmup_ratio": 0.1, **({"learning_rate": usual} if too_high else {})},
    )


def weight_decay_high(record: RunRecord) -> Finding | None:
    """Weight decay pulls harder than anything in use."""
    decay, rates = record.config.get("weight_decay"), record.steps.curve("lr").known()
    if not decay or decay < USUAL_DECAY or len(rates.step) < FEWEST:
        return None
    shrunk = 1 - float(np.exp(-decay * np.sum(rates.mean * rates.updates)))
    return Finding(
        rule="weight_decay_high",
        level="warning",
        step=record.step,
        from_step=1,
        evidence={"weight decay": decay, "weights shrunk by it alone (%)": round(100 * shrunk, 2), "updates": record.step},
        text=f"Weight decay {decay:g} is far above the usual 0.01 to 0.1: it has shrunk the weights by {shrunk:.1%} so far.",
        advice="Set it to 0.01 or 0.1.",
        fix={"weight_decay": 0.01},
    )


def _climb(values: Any) -> tuple[float, float, int]:
    """The largest rise of the smoothed loss: from where, to where, and the place of its beginning."""
    means = np.convolve(values, (0.5, 0.5), "valid")  # of two neighbours: what a single update does is a spike
    lowest = np.minimum.accumulate(means)
    top = int(np.argmax(means - lowest))
    return float(lowest[top]), float(means[top]), int(np.argmin(means[: top + 1]))


def _fallen(values: Any) -> float:
    """The share of the first loss that is gone."""
    last = np.mean(values[-max(3, len(values) // 10) :])
    return float(1 - last / np.mean(values[:2]))
