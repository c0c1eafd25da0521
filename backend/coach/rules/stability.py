"""Numbers that run away, vanish or are cut off."""

from __future__ import annotations

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.trend import noise, smooth

OUT = 8.0
"""Standard deviations above its neighbours from which an update's loss is a spike. Losses have heavier tails than the normal
distribution: long rows, rare words. Below this, healthy runs have them."""
TALL = 0.15
"""And this share above them, so that a very smooth curve has no spikes of a hundredth."""
REPEATED = 3
"""Spikes from which they are a warning. One that comes back does no harm: a row unlike the others, in any collected text."""
AROUND = 15
"""Updates whose median a spike is measured against."""
FEWEST = 25
CLIPPED = 0.95
"""Share of the latest updates that are clipped."""
FAR_CLIPPED = 20.0
"""And their gradient so many times the bound: AdamW does not mind being cut to a half all the time, but then the bound, and
not the gradient, decides how far each update goes beside the others."""
VANISHED = 1e-4
"""Gradient norm, of all weights together, while the loss is above SOMETHING."""
SOMETHING = 0.5
"""Nats a token that are still to be learned."""
LOST_SCALE = 4.0
"""fp16 loss scale: it begins at 65,536. Gradients below 6e-8, divided by it, are zero."""
MANY_SKIPPED = 0.2
"""Share of updates that fp16 left out. One in some hundreds is usual."""
STILL = 1e-9
"""Update-to-weight ratio of a part that is not trained: fp32 does not even hold such a change."""
LOOKS = 2
"""Looks at the layers that must agree: the very first update of a warmup may change next to nothing."""


def nonfinite(record: RunRecord) -> Finding | None:
    """A loss or a gradient was no number."""
    if not record.broken:
        return None
    step = record.broken[0]
    rate = record.peak_rate
    fp16 = record.known("precision") == "fp16"
    fix = {"precision": "fp32"} if fp16 else {"learning_rate": float(f"{rate / 10:.2g}")} if rate else None
    return Finding(
        rule="nonfinite",
        level="error",
        step=step,
        from_step=step,
        evidence={"first at step": step, "updates that were not finite": len(record.broken)},
        text=f"At step {step:,} the loss or its gradient was not a finite number, and from there nothing can be learned.",
        advice="Go on from the last good checkpoint with a smaller learning rate or in fp32. Look at that update's rows.",
        fix=fix,
    )


def spike(record: RunRecord) -> Finding | None:
    """An update's loss stands out."""
    loss = record.loss
    if len(loss.step) < FEWEST:
        return None
    around = smooth(loss.mean, AROUND)
    spread = max(noise(loss.mean), float(np.median(np.abs(loss.mean - around))) * 1.5)
    above = loss.high - around
    # What stands at the very beginning or end has neighbours on one side alone, and a slope looks like a spike there.
    inner = slice(5, -2)
    out = (above > OUT * spread) & (above > TALL * around)
    places = np.flatnonzero(out[inner]) + 5
    if not len(places):
        return None
    tallest = int(places[np.argmax(above[places])])
    step = int(loss.step[tallest])
    return Finding(
        rule="spike",
        level="warning" if len(places) >= REPEATED else "info",
        step=step,
        from_step=int(loss.step[tallest - 1]) + 1,
        evidence={
            "loss at the spike (nats)": round(float(loss.high[tallest]), 4),
            "loss around it (nats)": round(float(around[tallest]), 4),
            "spikes": len(places),
            "at steps": [int(loss.step[place]) for place in places[:10]],
        },
        text=f"At step {step:,} the loss jumped from {around[tallest]:.2f} to {loss.high[tallest]:.2f} and came back.",
        advice="Look at the rows of that update: one unlike all others does this. If it is frequent, halve the rate.",
    )


def bad_row(record: RunRecord) -> Finding | None:
    """A spike whose rows are known."""
    jump = spike(record)
    told = next((one for one in reversed(record.rows) if jump and one["cause"] == "spike" and _near(one, jump)), None)
    if jump is None or told is None or not told["rows"] or told["rows"][0]["loss"] is None:
        return None
    worst, *others = told["rows"]
    known = [one["loss"] for one in others if one["loss"] is not None]
    usual = float(np.median(known or [jump.evidence["loss around it (nats)"]]))
    if worst["loss"] < 1.5 * usual:
        return None
    return Finding(
        rule="bad_row",
        level="warning",
        step=jump.step,
        from_step=jump.from_step,
        evidence={
            "row": worst["row"],
            "its loss (nats)": round(worst["loss"], 4),
            "the others' loss (nats)": round(usual, 4),
            "it begins": worst["text"],
        },
        text=f"Row {worst['row']:,} made the spike at step {jump.step:,}: its loss is {worst['loss']:.1f}, not {usual:.1f}.",
        advice="Read that row. If it is broken, mend it or leave it out of a fork.",
    )


def _near(rows: dict[str, int], jump: Finding) -> bool:
    return jump.from_step - 1 <= rows["step"] <= jump.step + 1


def clipping(record: RunRecord) -> Finding | None:
    """Each update is cut to the bound."""
    bound, norms = record.config.get("max_grad_norm"), record.steps.newest("grad_norm")
    if not bound or len(norms) < FEWEST:
        return None
    clipped, times = float(np.mean(norms > bound)), float(np.median(norms)) / bound
    if clipped < CLIPPED or times < FAR_CLIPPED:
        return None
    return Finding(
        rule="clipping",
        level="warning",
        step=record.step,
        from_step=max(1, record.step - len(norms) + 1),
        evidence={
            "updates that were clipped (%)": round(100 * clipped),
            "median gradient norm": float(f"{np.median(norms):.3g}"),
            "gradient clipping": bound,
        },
        text=f"{clipped:.0%} of updates are clipped: gradients are {times:,.0f} times what clipping lets through.",
        # No fix: what is divided by the gradients' own size, as all optimizers here do, is hardly worse for being cut.
        advice="So each batch counts the same. Raise it to about the usual gradient norm if only odd ones are to be cut.",
    )


def vanishing_gradient(record: RunRecord) -> Finding | None:
    """There is something to learn and no gradient to learn it by."""
    norms, loss = record.steps.newest("grad_norm"), record.steps.newest("loss")
    if len(norms) < FEWEST or len(loss) < FEWEST or record.known("precision") == "fp16":
        return None
    norm, level = float(np.median(norms)), float(np.median(loss))
    if norm > VANISHED or level < SOMETHING:
        return None
    return Finding(
        rule="vanishing_gradient",
        level="warning",
        step=record.step,
        from_step=max(1, record.step - len(norms) + 1),
        evidence={"median gradient norm": float(f"{norm:.2g}"), "median loss (nats)": round(level, 4)},
        text=f"The gradient is nearly nothing ({norm:.1g}) though the loss is {level:.2f}: the model cannot learn.",
        advice="Check that the model's weights are those that you meant, and that what is learned is not masked.",
    )


def fp16_underflow(record: RunRecord) -> Finding | None:
    """fp16's loss scale has been lost, or too many updates were left out."""
    scales, skipped = record.steps.newest("scale"), record.steps.newest("skipped")
    if len(scales) < FEWEST:
        return None
    scale, share = float(np.median(scales[-FEWEST:])), float(np.mean(skipped))
    if scale > LOST_SCALE and share < MANY_SKIPPED:
        return None
    return Finding(
        rule="fp16_underflow",
        level="warning",
        step=record.step,
        from_step=max(1, record.step - len(scales) + 1),
        evidence={"loss scale": float(f"{scale:.3g}"), "updates left out (%)": round(100 * share, 1)},
        text=f"fp16's loss scale has fallen to {scale:.3g}, where small gradients are rounded to nothing.",
        advice="Train in bf16 where the device has it, else in fp32.",
        fix={"precision": "bf16"},
    )


def frozen_weights(record: RunRecord) -> Finding | None:
    """Parts of the model stay as they were."""
    told = [one for one in record.layers if one["parts"] == record.layers[-1]["parts"]]
    if len(told) < LOOKS or record.config.get("method") == "lora":
        return None
    parts = told[-1]["parts"]
    # Null is what was not finite, or not looked for with this optimizer: NaN here, and never still.
    ratios = np.array([one["update_ratio"] for one in told], dtype=float)
    norms = np.array([one["grad_norm"] for one in told], dtype=float)
    unmoved = np.all((ratios <= STILL) | (norms == 0), axis=0)
    still = [part for part, is_still in zip(parts, unmoved, strict=True) if is_still]
    if not still:
        return None
    named = ", ".join(still[:4]) + (f" and {len(still) - 4} others" if len(still) > 4 else "")
    return Finding(
        rule="frozen_weights",
        level="warning",
        step=record.step,
        from_step=told[0]["step"],
        evidence={"parts that do not change": still, "parts": len(parts), "updates looked at": len(told)},
        text=f"{len(still)} of the model's {len(parts)} parts do not change ({named}), so most of it learns nothing.",
        advice="Unfreeze them, or use LoRA if the base is meant to stay as it is.",
    )
