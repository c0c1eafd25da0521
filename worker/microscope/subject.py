"""The model that is looked at, and the optimizer that would make its next update."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
import torch

from worker.contract import Job, ModelSource, is_adapter, learning_rate, weight_files
from worker.data.encoding import plain_chat_template
from worker.datasets.cache import Samples
from worker.errors import CheckpointError, DeviceError
from worker.microscope.question import Question
from worker.models import loading
from worker.models.loading import LanguageModel
from worker.training import training_state
from worker.training.optimizer import OptimizerName, make_optimizer
from worker.training.schedule import share_at

_BYTES = 4  # of a number in fp32
_FOR_A_STEP = 4  # numbers for each weight that is trained: its gradient, two moments of it, and what it was before
_SPARE = 1.1  # of what was worked out


def load_subject(question: Question, samples: Samples) -> LanguageModel:
    """The model in fp32 on the CPU, its adapter beside its weights where only that is trained. Attention is computed step by
    step ("eager"), for only so its weights can be told.

    Raises ModelError, CheckpointError and DataError if it cannot be had, DeviceError if it does not fit into memory.
    """
    job, source = question.job, question.model
    loading.quiet_libraries()
    if source is None:
        loaded = _as_begun(job, samples)
    elif is_adapter(folder := Path(source.location)):
        loaded = _with_adapter(source, folder)
    else:
        _require_room(source)
        loaded = loading.load_model(source)
    if job.has_chats and not loaded.tokenizer.chat_template:
        loaded.tokenizer.chat_template = plain_chat_template(loaded.tokenizer)
    model: Any = loaded.model
    model.set_attn_implementation("eager")
    model.eval()  # without dropout, so that the same question has the same answer
    for weight in model.parameters():
        weight.data = weight.data.clone()  # out of the file that it may be mapped from
    return loaded


def _as_begun(job: Job, samples: Samples) -> LanguageModel:
    """The run's model before its first update, with the very numbers that its seed gave it."""
    training_state.seed_random(job.config.seed)
    if job.model.kind == "built_in":
        loaded = loading.build(job.model.location, samples.corpus(job).learn_texts())
    else:
        _require_room(job.model)
        loaded = loading.load_model(job.model, from_scratch=job.config.from_scratch)
    if job.config.method == "lora":
        from worker.models.lora import add_adapters  # takes long to import

        add_adapters(loaded.model, job.config)
    return loaded


def _with_adapter(source: ModelSource, folder: Path) -> LanguageModel:
    from peft import PeftModel

    base = loading.base_source(folder)
    _require_room(base)
    loaded = loading.load_model(base)
    loading.require_adapter_weights(folder)
    with loading.adapter_fits(folder):
        adapted: Any = PeftModel.from_pretrained(loaded.model, folder, is_trainable=True)
    return replace(loaded, model=adapted.base_model.model, tokenizer=loading.load_tokenizer(source))


class Readiness(NamedTuple):
    """An ``optimizer`` about to make ``update``, at ``learning_rate``, which is ``share`` of the full one.

    ``state``: whether what it remembers is from the checkpoint, or nothing. ``notes``: how this differs from the run's.
    """

    optimizer: torch.optim.Optimizer
    name: OptimizerName
    update: int
    learning_rate: float
    share: float
    state: Literal["checkpoint", "fresh"]
    notes: list[str]


def make_ready(question: Question, model: Any) -> Readiness:
    """The run's optimizer as it stands at the checkpoint. Raises CheckpointError for a state that cannot be read."""
    config, notes = question.job.config, []
    name: OptimizerName = config.optimizer
    if name == "adamw_8bit":
        name = "adamw"
        notes.append(
            "The run's optimizer keeps its moments in 8 bits; this step is made by AdamW in fp32, which begins anew."
        )
    update, share = question.step + 1, 1.0
    if question.total_steps:
        update = min(update, question.total_steps)
        share = share_at(config, update, question.total_steps)
    rate = share * learning_rate(config, question.job.model)
    optimizer = make_optimizer(model, rate, config.weight_decay, name)
    restored = name == config.optimizer and _restore(optimizer, question.model)
    return Readiness(optimizer, name, update, rate, share, "checkpoint" if restored else "fresh", notes)


def _restore(optimizer: torch.optim.Optimizer, source: ModelSource | None) -> bool:
    """Gives the optimizer what it remembered when the checkpoint was saved; whether that was saved."""
    if source is None or not (folder := Path(source.location)).joinpath(training_state.TENSORS_FILE).exists():
        return False
    _, tensors = training_state.read_state(folder)
    try:
        training_state.restore_optimizer(optimizer, tensors)
    except (IndexError, RuntimeError) as error:
        raise CheckpointError(
            f"What the optimizer remembered in {folder.name} does not fit the model: {error}.", "Choose another checkpoint."
        ) from error
    return True


def _require_room(source: ModelSource) -> None:
    """Raises DeviceError if the weights in a folder alone are more than the free memory."""
    folder = Path(source.location)
    if source.kind == "folder" and not is_adapter(folder):
        try:
            size = sum((folder / file).stat().st_size for file in weight_files(folder))
        except (OSError, ValueError):  # loading it says what is wrong
            return
        require_memory(size, "Reading this model")


def require_room_for_step(model: Any, tokens: int) -> None:
    """Raises DeviceError if a step of ``model``, which is in memory, on so many tokens takes more than is free."""
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    config = model.config.get_text_config()
    heads = int(getattr(config, "num_attention_heads", 0) or 0) * int(getattr(config, "num_hidden_layers", 0) or 0)
    logits = 4 * tokens * model.get_input_embeddings().num_embeddings
    numbers = _FOR_A_STEP * trained + 3 * heads * tokens**2 + logits
    require_memory(_BYTES * numbers, "One training step of this model")


def require_memory(size: int, what: str) -> None:
    """Raises DeviceError if ``what`` takes more than is free."""
    free = psutil.virtual_memory().available
    if size * _SPARE > free:
        raise DeviceError(
            f"{what} takes about {size * _SPARE / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free.",
            "Choose a shorter text, or try again when nothing else is running.",
        )
