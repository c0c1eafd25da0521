"""What a run will take, by formula: memory, time and disk, from its own examples, its model's design and this machine."""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel

from worker.contract import Job, RunConfig
from worker.data.corpus import Examples
from worker.datasets.cache import Sample
from worker.devices.machine import Machine, machine, name_of
from worker.devices.precision import Precision
from worker.models.loss import chunk_rows
from worker.preflight.architecture import Design
from worker.preflight.memory import LABELS, Footprint
from worker.preflight.passes import Passes, evaluations_of
from worker.training.optimizer import orthogonalization_flops, state_bytes

_BYTES = 4  # of a number in fp32
_SMALL_FILES_BYTES = 50_000  # of a checkpoint: its settings and the states of the random generators
_TOKEN_BYTES = 70  # of the tokenizer's files for each token it knows, in GPT-2's and those like it
_LARGE = 32 << 20  # bytes of a tensor that no cache holds


class MemoryPart(BaseModel):
    """One of the things that take memory at the moment when they take most."""

    id: str
    label: str
    bytes: int


class Forecast(BaseModel):
    """As in backend/schemas/preflight.py: bytes of the process on a CPU, of the card on a GPU; a mean of the updates."""

    peak_memory_bytes: int
    step_seconds: float
    tokens_per_s: float
    evaluation_seconds: float
    total_seconds: float


class Estimate(BaseModel):
    """The part of backend/schemas/preflight.py's Preflight that is computed here. Tokens are those that are learned."""

    train_examples: int
    validation_examples: int
    tokens_per_epoch: int
    steps_per_epoch: int
    total_steps: int
    parameters: int
    trained_parameters: int
    memory_parts: list[MemoryPart]
    formula: Forecast
    fits: bool
    largest_batch_size: int | None
    largest_accumulation: int | None
    checkpoint_bytes: int
    disk_bytes: int


def estimate(job: Job, design: Design, sample: Sample, precision: Precision, memory_available_bytes: int) -> Estimate:
    """What ``job`` will take, judged by the ``sample`` of its text that was turned into tokens.

    Raises DataError if there is nothing to learn from, ModelError or DeviceError if design or machine cannot be judged.
    """
    train, validation, share, validation_share = sample.train, sample.validation, sample.share, sample.validation_share
    device = torch.device(job.device)
    train.require_some(sample.max_length)
    config = job.config
    window_size = config.window_size
    train_examples, validation_examples = round(len(train) / share), round(len(validation) / validation_share)
    epoch_steps = math.ceil(train_examples / window_size)
    total_steps = config.max_steps or config.num_epochs * epoch_steps
    passes = Passes(
        train,
        validation,
        design.layout,
        sample.max_length,
        config.batch_size,
        window_size,
        total_steps,
        config.seed,
        sample.further,
    )
    measured = machine(name_of(device), precision)
    loaded = job.model.kind != "built_in" and not config.from_scratch
    state = state_bytes(design.model, config.optimizer)
    footprint = Footprint(design, passes, device, precision, measured.memory_bytes, loaded, state)
    parts = footprint.parts(config.batch_size)
    passes_seconds, update_seconds = _step_seconds(footprint, measured, config)
    step_seconds = passes_seconds + update_seconds
    evaluations = evaluations_of(config, epoch_steps, total_steps)
    evaluation_seconds = passes.evaluation_seconds(evaluations, passes_seconds / passes.mean.cells, validation_share)
    largest = _largest_batch_size(footprint, config, memory_available_bytes)
    tokens = _tokens_bytes(train, validation, design.head.shape[0]) / share  # roughly, where other datasets are mixed in
    checkpoint_bytes = _checkpoint_bytes(design, config, state)
    return Estimate(
        train_examples=train_examples,
        validation_examples=validation_examples,
        tokens_per_epoch=round(int(train.trained.sum()) / share),
        steps_per_epoch=epoch_steps,
        total_steps=total_steps,
        parameters=design.parameters,
        trained_parameters=design.trained_parameters,
        memory_parts=[MemoryPart(id=name, label=LABELS[name], bytes=size) for name, size in parts.items() if size],
        formula=Forecast(
            peak_memory_bytes=sum(parts.values()),
            step_seconds=step_seconds,
            tokens_per_s=passes.mean.targets / step_seconds,
            evaluation_seconds=evaluation_seconds,
            total_seconds=step_seconds * total_steps + evaluation_seconds,
        ),
        fits=sum(parts.values()) <= memory_available_bytes,
        largest_batch_size=largest,
        largest_accumulation=largest and config.batch_size * config.gradient_accumulation_steps // largest,
        checkpoint_bytes=checkpoint_bytes,
        disk_bytes=_disk_bytes(
            job, checkpoint_bytes, _result_bytes(design, config), round(tokens), epoch_steps, total_steps
        ),
    )


def _step_seconds(footprint: Footprint, measured: Machine, config: RunConfig) -> tuple[float, float]:
    """The mean time of an update, in its passes and for changing the weights: products at the speed that this machine
    multiplies with, the rest at the speed at which it moves numbers, and something for each operation. A GPU is told of
    operations while it computes others."""
    design, mean = footprint.design, footprint.passes.mean
    counted = footprint.rehearsal(mean.cells / mean.passes)
    vocabulary, width = (int(size) for size in design.head.shape)
    half = footprint.precision != "fp32"  # each logit is made, turned into a gradient and read by two products
    products_of_head = 3 if design.head.requires_grad else 2
    flops = counted.flops * mean.passes + 2 * mean.targets * vocabulary * width * products_of_head
    moved = counted.moved * mean.passes + mean.targets * vocabulary * (28 if half else 36)
    busy = flops / measured.flops_per_s(width) + moved / measured.bytes_per_s
    busy += counted.attention * mean.passes / measured.attention + _new_bytes(footprint) / measured.new_bytes_per_s
    telling = counted.operations * mean.passes * measured.seconds_an_operation
    passes_seconds = busy + telling if footprint.device.type == "cpu" else max(busy, telling)
    turning = orthogonalization_flops(design.model, config.optimizer) / measured.flops_per_s(design.width)
    return passes_seconds / config.devices, design.trained_parameters / measured.updates_per_s + turning


def _new_bytes(footprint: Footprint) -> float:
    """Of an update, tensors that are made anew and that no cache holds: the gradients; where the output layer is the input
    layer too, those of both before they are added; the logits, and on a GPU what softmax makes of them."""
    design, mean = footprint.design, footprint.passes.mean
    vocabulary, width = (int(size) for size in design.head.shape)
    rows = min(mean.targets / mean.passes, chunk_rows(footprint.device.type, vocabulary))
    both = 2 * vocabulary * width if design.tied and design.head.requires_grad else 0
    made = [
        (_BYTES * design.trained_parameters, 1.0),
        (_BYTES * both, mean.passes),
        *((size * rows * vocabulary, mean.targets / rows) for size in footprint.logit_bytes),
    ]
    return sum(size * times for size, times in made if size >= _LARGE)


def _largest_batch_size(footprint: Footprint, config: RunConfig, memory_available_bytes: int) -> int | None:
    """The largest that fits and divides an update's examples, so that the result stays the same; None if none does."""
    window = config.batch_size * config.gradient_accumulation_steps
    sizes = [size for size in range(window, 0, -1) if window % size == 0]
    return next((size for size in sizes if footprint.peak_bytes(size) <= memory_available_bytes), None)


def _checkpoint_bytes(design: Design, config: RunConfig, state: int) -> int:
    """The weights that are trained and ``state``, what the optimizer remembers of them; LoRA's stand there as peft calls
    them, too."""
    copies = 2 if config.method == "lora" else 1
    return _BYTES * copies * design.trained_parameters + state + _small_files_bytes(design)


def _result_bytes(design: Design, config: RunConfig) -> int:
    """The finished model, and LoRA's adapter beside it."""
    adapter = design.trained_parameters if config.method == "lora" else 0
    weights = design.result.itemsize * (design.parameters - adapter)
    return weights + _BYTES * adapter + _small_files_bytes(design)


def _small_files_bytes(design: Design) -> int:
    return _SMALL_FILES_BYTES + _TOKEN_BYTES * int(design.head.shape[0])


def _tokens_bytes(train: Examples, validation: Examples, vocabulary: int) -> int:
    """Of RUN_DIR/tokens: an id for each token, two numbers for each example, and a byte for a token that may be masked."""
    each = (2 if vocabulary <= 2**16 else 4) + (train.targets is not None)
    return sum(len(side.tokens) * each + 16 * len(side) for side in (train, validation))


def _disk_bytes(job: Job, checkpoint_bytes: int, result_bytes: int, tokens: int, epoch_steps: int, total_steps: int) -> int:
    """The most that the run's folder holds at once: a checkpoint is written before the oldest one is deleted. The model at
    the end, and the adapter beside it if there is one, take ``result_bytes``."""
    config = job.config
    save_every, evaluate_every = config.save_steps or epoch_steps, config.eval_steps or epoch_steps
    saved = set(range(save_every, total_steps + 1, save_every))
    if job.is_evaluated:  # each evaluation may bring the best checkpoint
        saved |= {*range(evaluate_every, total_steps + 1, evaluate_every), total_steps}
    kept = min(len(saved), config.keep_checkpoints + 1)
    at_the_end = kept * checkpoint_bytes + result_bytes
    return max(at_the_end, min(len(saved), kept + 1) * checkpoint_bytes) + tokens
