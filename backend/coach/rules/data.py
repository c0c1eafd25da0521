"""What is wrong with the examples: most of it is counted before the first update."""

from __future__ import annotations

import numpy as np

from backend.coach.finding import Finding
from backend.coach.record import RunRecord
from backend.coach.trend import change_of, course, noise

COPIES = 0.05
"""Share of copies from which it counts: a few happen in all collected text, and change little."""
LEAKED = 0.02
"""Share of what is tested on: a test that is a fiftieth known is still a test."""
UNLEARNED = 0.05
"""Share of rows without anything to learn: as for copies."""
SHORT = 4.0
"""Tokens an example: with fewer, nearly every one of them is guessed without anything before it."""
MARKED = 0.05
"""Share of examples with marks of another chat format: texts about such formats may have some."""
UNENDED = 0.5
"""Share of examples without an end."""
NOISY_WINDOW = 2
"""Examples an update, up to which a single one decides where it goes."""
NOISY = 0.035
"""Noise of the loss from update to update as a share of it, with so few examples: there is something to gain from more."""
PERIODIC = 0.5
"""Correlation of an update's loss with that of the same place in the epoch before. Shuffled, it is about 0."""
SETTLED = 0.08
"""Change of the loss, its noise counted in, below which it has settled: before, a model learns how answers look, and only
then what they have to do with their questions."""
LEARNED = 0.5
"""Of the first loss: a model that has learned less may yet come to see what questions are for."""
GAIN = 0.01
"""Share of the loss by which a question must help its answer: a model that understands anything of it gains tenths."""
_FEWEST_PAIRS = 30


def duplicates(record: RunRecord) -> Finding | None:
    """Copies among what is learned."""
    data = record.data
    if not data or not data.get("duplicates") or data["duplicates"] < COPIES * data["examples"]:
        return None
    copies, examples = data["duplicates"], data["examples"]
    return Finding(
        rule="duplicates",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"copies": copies, "examples to learn from": examples},
        text=f"{copies:,} of {examples:,} examples are copies of others, so they are learned several times in each epoch.",
        advice="Remove the copies from the file, or make fewer epochs: what stands there often is memorised first.",
    )


def leaked_validation(record: RunRecord) -> Finding | None:
    """What is tested on is learned from."""
    data = record.data
    if not data or not data.get("leaked") or data["leaked"] < max(2, LEAKED * data["validation_examples"]):
        return None
    leaked, tested = data["leaked"], data["validation_examples"]
    return Finding(
        rule="leaked_validation",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"examples tested on that are learned from": leaked, "examples tested on": tested},
        text=f"{leaked:,} of {tested:,} validation examples are learned from as well: validation loss looks too good.",
        advice="Use a part of the dataset as test instead (Validation split), or take these rows out of one of the files.",
        fix={"validation_dataset": None, "validation_split": 0.1},
    )


def unlearned_rows(record: RunRecord) -> Finding | None:
    """Rows that were left out, as nothing in them is learned."""
    data = record.data
    if not data or not data["unlearned"]:
        return None
    whole = data["examples"] + data["validation_examples"] + data["unlearned"]
    if data["unlearned"] < UNLEARNED * whole:
        return None
    length = record.known("max_length")
    return Finding(
        rule="unlearned_rows",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"rows with nothing to learn": data["unlearned"], "rows": whole, "max length (tokens)": length},
        text=f"In {data['unlearned']:,} of {whole:,} rows nothing is learned: within max length there is no answer.",
        advice="Raise Max length so that the answers fit, or look in the token view at what of a row is learned.",
        fix={"max_length": 4 * length} if length else None,
    )


def short_rows(record: RunRecord) -> Finding | None:
    """Examples of a token or two."""
    data = record.data
    if not data or data["examples"] < 1 or data["tokens"] >= SHORT * data["examples"]:
        return None
    mean = data["tokens"] / data["examples"]
    return Finding(
        rule="short_rows",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"tokens an example": round(mean, 2), "examples": data["examples"]},
        text=f"An example has {mean:.1f} tokens on average, so there is nearly nothing before a token to tell it from.",
        advice="See on the dataset's page how the file is read: a wrong column looks like this, or a text cut at blanks.",
    )


def missing_end(record: RunRecord) -> Finding | None:
    """Examples that do not end with a token at which the model stops."""
    data = record.data
    if not data or not data.get("unended") or data["unended"] <= UNENDED * data["examples"]:
        return None
    return Finding(
        rule="missing_end",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"examples without an end": data["unended"], "examples": data["examples"]},
        text=f"{data['unended']:,} of {data['examples']:,} examples do not say where they end, so the model learns no stop.",
        advice="Use a model whose tokenizer has an end token, or a chat template that writes one after each answer.",
    )


def wrong_template(record: RunRecord) -> Finding | None:
    """Marks of chat formats that the model does not know."""
    data = record.data
    looked_at = min(data["examples"], data.get("looked_at") or data["examples"]) if data else 0
    if not data or not data.get("foreign_marks") or data["foreign_marks"] < MARKED * looked_at:
        return None
    return Finding(
        rule="wrong_template",
        level="warning",
        step=record.step,
        from_step=0,
        evidence={"examples with such marks": data["foreign_marks"], "examples looked at": looked_at},
        text=f"{data['foreign_marks']:,} of {looked_at:,} examples have marks of a chat format that is not this model's.",
        advice="Bring the conversations as messages with a role and a content each: then the model's own format is used.",
    )


def batch_noise(record: RunRecord) -> Finding | None:
    """One example or two decide where an update goes."""
    window, loss = record.window, record.steps.newest("loss")
    if window is None or window > NOISY_WINDOW or len(loss) < _FEWEST_PAIRS:
        return None
    share = noise(loss) / float(np.mean(loss))
    if share < NOISY:
        return None
    return Finding(
        rule="batch_noise",
        level="warning",
        step=record.step,
        from_step=max(1, record.step - len(loss)),
        evidence={"noise of the loss (%)": round(100 * share, 1), "examples an update": window},
        text=f"With {window} example{'s' * (window > 1)} an update the loss jumps by {share:.0%} from one to the next.",
        advice="Raise Gradient accumulation: an update that is the mean of more examples goes a steadier way.",
        fix={"gradient_accumulation_steps": max(2, 16 // int(record.known("batch_size")))},
    )


def sorted_data(record: RunRecord) -> Finding | None:
    """The same place of each epoch has a loss like in the epoch before."""
    if record.epoch < 2 or not record.step:
        return None
    epoch = round(record.step / record.epoch)
    loss = record.steps.newest("loss")
    if epoch < _FEWEST_PAIRS // 3 or len(loss) < 2 * epoch + _FEWEST_PAIRS:
        return None
    # Around the mean of a whole epoch: whatever the order within one is, it is in each of these means.
    around = loss[epoch // 2 : len(loss) - (epoch - 1) // 2] - np.convolve(loss, np.full(epoch, 1 / epoch), "valid")
    if len(around) < epoch + _FEWEST_PAIRS:
        return None
    alike = float(np.corrcoef(around[:-epoch], around[epoch:])[0, 1])
    if alike < PERIODIC:
        return None
    return Finding(
        rule="sorted_data",
        level="warning",
        step=record.step,
        from_step=record.step - len(loss) + 1,
        evidence={"correlation with the epoch before": round(alike, 2), "updates an epoch": epoch},
        text=f"The loss goes the same way in each epoch of {epoch} updates: the examples always come in the same order.",
        advice="Shuffle the examples before each epoch: sorted ones teach one kind at a time and forget the others.",
    )


def mismatched_targets(record: RunRecord) -> Finding | None:
    """Answers that are told no better after their own question than after another's, once the loss has settled."""
    told = [one for one in record.evaluations if one.get("question_gain") is not None]
    path = course(record.loss)
    if len(told) < 2 or not told[-1]["step"] or len(record.loss.step) < 2 * _FEWEST_PAIRS:
        return None
    late = change_of(path.part(0.45, 0.65), path.part(0.65, 0.9), path.noise)
    settled = abs(late.share) + 2 * late.error / late.before < SETTLED
    gain, level = told[-1]["question_gain"], told[-1]["loss"]
    if not settled or level is None or level > LEARNED * float(path.value[0]) or gain > GAIN * level:
        return None
    return Finding(
        rule="mismatched_targets",
        level="warning",
        step=told[-1]["step"],
        from_step=int(path.step[int(0.45 * len(path.step))]),
        evidence={
            "validation loss (nats)": round(level, 4),
            "better after its own question by (nats)": round(gain, 4),
        },
        text=f"An answer is told no better after its own question than after another's ({gain:+.3f} nats).",
        advice="Look at some rows: does each answer belong to its question? Columns that were sorted apart look like this.",
    )
