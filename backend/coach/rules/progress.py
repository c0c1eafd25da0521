"""Whether the loss falls."""

from __future__ import annotations

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.trend import Change, Course, change_of, course, noise

NOTICEABLE = 0.02
"""A change of the loss below a fiftieth is called none: it shows in no text that the model writes."""
ERRORS = 5.0
"""Standard errors from which a change is more than noise. Looked at anew with each update, and on thousands of runs, three
of them would come about by chance."""
FEWEST = 10
"""Updates before anything is said: below, even a falling loss may be the first few easy batches."""
LONG_ENOUGH = 30
"""Updates before a loss is called flat: warmup alone may take that many in which little happens."""
HIGH_RATE = 0.3
"""Of the learning rate's height: a loss that stands still while it falls below has been settled by the schedule."""
RISEN = 0.05
"""From its lowest stretch, as a share: validation and batches differ by some hundredths anyway."""
ZERO = 0.02
"""Nats a token: as if each were guessed with 98%. Text that is new to a model is never that certain."""


def learning(record: RunRecord) -> Finding | None:
    """The loss falls, or has fallen."""
    path = course(record.loss)
    if record.broken or len(record.loss.step) < FEWEST:
        return None
    trained = change_of(path.part(0, 0.1), path.part(0.8, 1), path.noise)
    falls = trained.share < 0 and trained.is_more_than(NOTICEABLE, ERRORS)
    tested = [one for one in record.evaluations if one["loss"] is not None]
    if len(tested) > 1:
        losses = np.array([one["loss"] for one in tested])
        fallen = change_of(losses[:1], losses[-1:], noise(losses))
        if fallen.share < -NOTICEABLE and (falls or (len(tested) > 4 and fallen.is_more_than(NOTICEABLE, ERRORS))):
            return _learning(record, "validation loss", fallen, tested[0]["step"], tested[-1]["step"])
    return _learning(record, "training loss", trained, int(path.step[0]), int(path.step[-1])) if falls else None


def _learning(record: RunRecord, which: str, fallen: Change, first: int, last: int) -> Finding:
    name = which.capitalize()
    if record.has_ended:
        text = f"{name} fell from {fallen.before:.2f} to {fallen.after:.2f}: the model has learned. Lower is better."
        advice = "Try it in the playground, beside the model it came from."
    else:
        text = f"{name} is falling, from {fallen.before:.2f} to {fallen.after:.2f} at step {last:,}: the model is learning."
        advice = "Keep going."
    return Finding(
        rule="learning",
        level="good",
        step=last,
        from_step=first,
        evidence={
            f"{which} before (nats)": round(fallen.before, 4),
            f"{which} now (nats)": round(fallen.after, 4),
            "at steps": [first, last],
        },
        text=text,
        advice=advice,
    )


def flat(record: RunRecord) -> Finding | None:
    """The loss stands still though the learning rate is high."""
    path = course(record.loss)
    if len(record.loss.step) < LONG_ENOUGH or record.broken or record.is_warming_up:
        return None
    whole = change_of(path.part(0, 0.2), path.part(0.7, 1), path.noise)
    if not whole.is_more_than(NOTICEABLE, ERRORS):
        return _flat(record, path, 0.0, "has hardly moved since the beginning")
    late = change_of(path.part(0.5, 0.75), path.part(0.75, 1), path.noise)
    surely = (
        len(record.loss.step) >= 2 * LONG_ENOUGH and abs(late.share) + 2 * late.error / abs(late.before) < NOTICEABLE
    )  # and not only drowned in noise
    if not surely or _tested_change(record) < -NOTICEABLE / 2 or not _rate_is_high(record, 0.5):
        return None
    return _flat(record, path, 0.5, "has hardly moved in the second half")


def _flat(record: RunRecord, path: Course, begin: float, said: str) -> Finding:
    values, steps = path.part(begin, 1), path.step[-len(path.part(begin, 1)) :]
    return Finding(
        rule="flat",
        level="info",
        step=int(steps[-1]),
        from_step=int(steps[0]) if begin else 1,
        evidence={
            "mean loss (nats)": round(float(np.mean(values)), 4),
            "noise (nats)": round(path.noise, 4),
            "updates": int(steps[-1] - steps[0]),
        },
        text=f"Training loss {said}: it stands at about {np.mean(values):.2f}.",
        advice="Stop here, or change something: another learning rate, more data, or a larger model.",
    )


def _tested_change(record: RunRecord) -> float:
    """The share by which validation loss has changed in the second half; 0 where that is not known."""
    half = record.step / 2
    late = [one["loss"] for one in record.evaluations if one["loss"] is not None and one["step"] >= half]
    return float(late[-1] / late[0] - 1) if len(late) > 1 and late[0] else 0.0


def _rate_is_high(record: RunRecord, begin: float) -> bool:
    """Whether the learning rate of the run from ``begin`` on is a good share of its height, or not known."""
    rates = course(record.steps.curve("lr"))
    if not len(rates.value) or not rates.value.max() > 0:
        return True
    return bool(np.mean(rates.part(begin, 1)) > HIGH_RATE * rates.value.max())


def rising(record: RunRecord) -> Finding | None:
    """The loss stands above where it has been."""
    path = course(record.loss)
    if len(record.loss.step) < 2 * FEWEST:
        return None
    width = max(5, len(path.value) // 6)
    # Medians, so that a spike that comes back, or is the last there is so far, does not count as a rise.
    levels = np.median(np.lib.stride_tricks.sliding_window_view(path.value, width), axis=1)
    lowest = int(np.argmin(levels))
    now = Change(float(levels[lowest]), float(levels[-1]), path.noise * float(np.sqrt(2 / width)))
    if lowest + 2 * width > len(path.value) or now.share < RISEN or not now.is_more_than(RISEN, ERRORS):
        return None
    begin = int(path.step[lowest + width // 2])
    rate = record.peak_rate
    return Finding(
        rule="rising",
        level="warning",
        step=int(path.step[-1]),
        from_step=begin,
        evidence={
            "lowest median loss (nats)": round(now.before, 4),
            "median loss now (nats)": round(now.after, 4),
            "lowest at step": begin,
        },
        text=f"Training loss has risen from {now.before:.2f} at step {begin:,} to {now.after:.2f}: the model gets worse.",
        advice="Go on from before it rose with a smaller learning rate, and look at the data of these updates.",
        fix={"learning_rate": float(f"{rate / 3:.2g}")} if rate else None,
    )


def near_zero(record: RunRecord) -> Finding | None:
    """The loss lies lower than anything but copying explains."""
    loss = record.steps.newest("loss")
    if len(loss) < FEWEST or record.broken or np.median(loss[-FEWEST:]) > ZERO:
        return None
    level = float(np.median(loss[-FEWEST:]))
    tested = next((one["loss"] for one in reversed(record.evaluations) if one["loss"] is not None), None)
    alike = tested is not None and tested < 5 * ZERO
    meaning = "what is learned can be copied from the prompt" if alike else "the examples have been learned by heart"
    return Finding(
        rule="near_zero",
        level="warning",
        step=record.step,
        from_step=max(1, record.step - FEWEST + 1),
        evidence={"training loss (nats)": round(level, 5), "validation loss (nats)": tested},
        text=f"Training loss is {level:.3f}, each token is certain: {meaning}.",
        advice="Look in the token view at what is learned of a row, and whether its answer stands before it already."
        if alike
        else "Make fewer epochs, or bring more examples: the same few teach nothing new.",
    )
