"""Compiling the model's body: less time for each update, after a minute or so in which nothing seems to happen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch

from worker.contract import MessageEvent
from worker.data.batching import Batch, first_fit, first_windows, lay_out
from worker.models.forward import Forward
from worker.training.setup import Setup

_UPDATES_TO_PAY = 2000  # below, compiling takes longer than it saves
# Compiled passes all have one size. On an H200 compiling saves a tenth, and half was lost with passes filled to four tenths.
_FEWEST_FILLED = 0.95


def should_compile(setting: Literal["auto", "on", "off"], device: torch.device, total_steps: int) -> bool:
    """Whether a run of ``total_steps`` updates is to be compiled; ``auto`` does so on CUDA, in a run long enough to gain."""
    if setting == "auto":
        return device.type == "cuda" and total_steps >= _UPDATES_TO_PAY
    return setting == "on"


def compile_if_wanted(setup: Setup, forward: Forward, batch_size: int, steps: int, report: Callable[[Any], None]) -> bool:
    """Compiles ``forward`` for the passes of a run that has ``steps`` updates to go, and returns whether it has."""
    config = setup.job.config
    if not should_compile(config.compile, setup.device, steps):
        return False
    if setup.layout != "packed" or setup.sharded or config.neftune_noise_alpha or config.load_in_4bit:
        needs = "packing, a model that fits into one device, no NEFTune noise, and no base in 4 bits"
        why = f"The model is not compiled: that needs {needs}."
        report(MessageEvent(level="warning" if config.compile == "on" else "info", text=why))
        return False
    filled = filled_share(setup, batch_size, steps)
    if filled < _FEWEST_FILLED:
        begin = "The model is not compiled" if config.compile == "auto" else "Compiling may not pay"
        why = f"compiled passes all have {batch_size * setup.max_length} tokens, of which these examples fill {filled:.0%}"
        report(MessageEvent(level="info", text=f"{begin}: {why}. Lower Max length to change that."))
        if config.compile == "auto":
            return False
    report(MessageEvent(level="info", text="Compiling the model: a minute or so in which nothing seems to happen."))
    batch = lay_out(setup.train, [0], setup.layout, batch_size, setup.max_length, "budget")[0]
    if text := compile_body(forward, batch.to(setup.device)):
        report(MessageEvent(level="warning", text=text))
        return False
    return True


def filled_share(setup: Setup, batch_size: int, steps: int) -> float:
    """How much of its packed passes the examples of a run's first ``steps`` updates fill, if each pass had room for
    batch_size * max_length and every device made as many; of many, those at the beginning stand for all."""
    config, lengths, budget = setup.job.config, setup.train.lengths, batch_size * setup.max_length
    devices = setup.group.size
    window_size = config.batch_size * config.gradient_accumulation_steps * devices
    tokens = passes = 0
    for window in first_windows(len(setup.train), window_size, config.seed, steps):
        tokens += int(lengths[window].sum())
        passes += devices * math.ceil(len(first_fit(window, lengths, budget)) / devices)
    return tokens / (passes * budget)


def compile_body(forward: Forward, batch: Batch) -> str | None:
    """Compiles what ``forward`` trains, all but the output head and the loss, for batches of the shape of ``batch``.

    It is tried out on that batch, forward and backward; gradients and random numbers are left as they were before the
    first update. If it fails, nothing is compiled, and a sentence for a person is returned.
    """
    device = batch.inputs.device
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            forward.compile_body()
            forward(batch).backward()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - compilers fail in many ways, and training needs none of them
        forward.use_plain_body()
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"The model could not be compiled, so training goes on without: {first_line}"
    finally:
        forward.zero_grad(set_to_none=True)
    return None
