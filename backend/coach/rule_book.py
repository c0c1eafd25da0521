"""Every rule by its name: a short title, and what of a run it looks at, for the page, its explanations and the docs."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """``name`` is that of its findings and of its page; ``title`` fits a label; ``looks_at`` is one sentence."""

    name: str
    title: str
    looks_at: str


_ALL = [
    Rule("learning", "Learning", "Whether the loss falls, and whether that is more than its noise."),
    Rule("flat", "Loss is flat", "Whether the loss has stopped moving while the learning rate was still high."),
    Rule("rising", "Loss is rising", "Whether the loss stands clearly above where it has been, beyond its noise."),
    Rule("spike", "Spike", "Updates whose loss stands far out of the updates around them."),
    Rule("bad_row", "A row stands out", "The examples of the updates around a spike, each with its own loss."),
    Rule("nonfinite", "Not a number", "Losses and gradients that were NaN or infinite."),
    Rule("near_zero", "Loss near zero", "Whether the loss lies so low that nothing but a copy can reach it."),
    Rule("overfitting", "Overfitting", "Whether validation loss rises, or stays behind, while training loss falls."),
    Rule("clipping", "Clipping every update", "How far gradients are above what clipping lets through."),
    Rule("vanishing_gradient", "Vanishing gradient", "Gradient norms of the whole model and of its parts."),
    Rule("learning_rate_high", "Learning rate too high", "Whether the loss turns up as the learning rate rises."),
    Rule("learning_rate_low", "Learning rate too low", "Whether the loss falls steadily but hardly."),
    Rule("no_warmup", "No warmup", "The first updates, where the learning rate begins at its height."),
    Rule("too_little_data", "Too little data", "How often each example is seen, and what validation loss says."),
    Rule("noisy_evaluation", "Evaluation is noise", "Whether validation losses differ by more than chance."),
    Rule("small_validation", "Few examples to test on", "How many examples the validation loss is a mean of."),
    Rule("no_evaluation", "No evaluation", "Whether a validation loss is measured at all."),
    Rule("duplicates", "Duplicate rows", "How many examples to learn from stand there more than once."),
    Rule("leaked_validation", "Validation leaked", "How many examples to test on are learned from as well."),
    Rule("unlearned_rows", "Rows without anything to learn", "How many examples, and how many tokens, are masked."),
    Rule("short_rows", "Rows of a token or two", "How many tokens an example has."),
    Rule("missing_end", "No end is learned", "Whether the examples end with a token at which the model can stop."),
    Rule("wrong_template", "Another model's chat format", "Marks of chat formats that the model does not have."),
    Rule("mismatched_targets", "Answers do not fit", "Whether what is learned can be told from what stands before it."),
    Rule("sorted_data", "Data in order", "Whether the loss follows the place in the data, again in each epoch."),
    Rule("frozen_weights", "Weights that never change", "Parts of the model whose weights are not changed by updates."),
    Rule("weight_decay_high", "Weight decay too high", "How far weight decay alone shrinks the weights."),
    Rule("fp16_underflow", "fp16 underflow", "How far the fp16 loss scale has fallen, and how many updates were skipped."),
    Rule("batch_noise", "Batch too small", "How far the loss differs from update to update."),
    Rule("small_batch", "Small batch on a large device", "The device's memory and load, beside the batch size."),
    Rule("slow_input", "Slow input", "The share of time that goes into waiting for data."),
    Rule("idle_device", "Idle device", "How busy the GPU was while the run trained."),
    Rule("memory_full", "Memory nearly full", "Memory in use beside what there is, and batches that did not fit."),
    Rule("stalled", "Stalled", "How long ago the run last said anything, beside what its updates take."),
]  # fmt: skip

RULES = {rule.name: rule for rule in _ALL}
"""By name, in the order in which the docs tell of them."""
