"""A model's weights into a folder from which they can be loaded by anyone."""

from __future__ import annotations

import copy
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch

from worker.contract import Job, ModelSource, RunConfig
from worker.errors import CheckpointError, ModelError
from worker.models.card import adapter_card
from worker.models.loading import LanguageModel, load_model
from worker.models.transformers4 import make_readable

_FORMATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def result_dtype(config: RunConfig, kept: torch.dtype) -> torch.dtype:
    """The number format that the finished model is saved in; ``kept`` is its base's."""
    return _FORMATS.get(config.save_dtype, kept)


def write_checkpoint(
    language_model: LanguageModel, job: Job, gathered: dict[str, torch.Tensor] | None, folder: Path
) -> None:
    """Writes the weights as they are trained, to the last bit: a Hugging Face folder, or with LoRA the adapter's.

    Its config.json names the format that the result will have, which is how transformers loads it. ``gathered`` are the
    weights by name where the model itself holds only a shard of them. Raises OSError.
    """
    if job.config.method == "lora":
        write_adapter(language_model, job, folder)
        return
    _save(language_model, gathered, result_dtype(job.config, language_model.dtype), folder)


def write_adapter(language_model: LanguageModel, job: Job, folder: Path) -> None:
    """Writes LoRA's adapter as peft loads it, and what else is needed to prompt its base with it. Raises OSError."""
    from worker.models import lora  # takes long to import

    language_model.tokenizer.save_pretrained(folder)
    language_model.model.generation_config.save_pretrained(folder)
    lora.save_adapter(language_model.model, folder, job.model.location)
    make_readable(folder, language_model.tokenizer)
    (folder / "README.md").write_text(adapter_card(job), encoding="utf-8")


def write_model(
    language_model: LanguageModel, job: Job, gathered: dict[str, torch.Tensor] | None, folder: Path
) -> str | None:
    """Writes the finished model as a plain Hugging Face folder in the format that its result is to have, and returns what
    there is to say of that. LoRA's adapter is merged in, for good, so training is over then.

    ``gathered`` as for ``write_checkpoint``. Raises OSError, and CheckpointError if the merged model differs from the one
    that was trained, or if a weight is too large for the format.
    """
    model, dtype, told = language_model.model, result_dtype(job.config, language_model.dtype), None
    if job.config.method == "lora":
        from worker.models import frozen, lora

        original = _weights_of(job.model) if frozen.is_rounded(model, language_model.dtype) else {}
        restored = frozen.make_plain(model, original)
        agreement = lora.merge(model)
        gathered = lora.plain_state(model)
        told = (
            f"Merged the adapter into the model: no output moved by more than {agreement.difference:.1g},"
            f" where the largest is {agreement.largest_logit:.2g}."
        )
        if original is None or (original and not restored):
            told += " Its base is gone or has changed, so the result has the base's weights as rounded for training."
    _save(language_model, _cast(model, gathered, dtype), dtype, folder)
    return told


def saved_name(model: Any, name: str) -> str:
    """What the weight ``name`` of ``model`` is called in a saved folder: of GPT-2 as its authors call it, which mlx-lm takes
    no other names than."""
    config = model.config
    return name.removeprefix("transformer.") if config.model_type == "gpt2" and config.tie_word_embeddings else name


def _weights_of(source: ModelSource) -> dict[str, torch.Tensor] | None:
    """All weights of the model at ``source`` by name, in fp32; None if it cannot be loaded any more."""
    try:
        loaded: Any = load_model(source).model
    except ModelError:
        return None
    return dict(loaded.state_dict())


def _save(language_model: LanguageModel, state: dict[str, torch.Tensor] | None, dtype: torch.dtype, folder: Path) -> None:
    """Writes the tokenizer, and the weights in ``state``, or the model's, beside a config.json that names ``dtype``."""
    model: Any = language_model.model
    language_model.tokenizer.save_pretrained(folder)
    weights = model.state_dict() if state is None else state
    model.save_pretrained(folder, state_dict={saved_name(model, name): weight for name, weight in weights.items()})
    told = copy.deepcopy(model.config)
    told.dtype = dtype
    told.save_pretrained(folder)
    make_readable(folder, language_model.tokenizer)


def _cast(model: Any, state: dict[str, torch.Tensor] | None, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights in ``state``, or those of ``model``, in ``dtype`` and on the CPU, but for those that transformers keeps in
    fp32 in such a model. Raises CheckpointError if one is too large for it."""
    state = model.state_dict() if state is None else state
    if dtype == torch.float32:
        return state
    kept = [*(getattr(model, "_keep_in_fp32_modules_strict", None) or ())]
    if dtype == torch.float16:
        kept += getattr(model, "_keep_in_fp32_modules", None) or ()
    buffers = {name for name, _ in model.named_buffers()}
    made: dict[Any, torch.Tensor] = {}  # by where a weight lies, as tied ones are to stay so
    found = {}
    for name, weight in state.items():
        if name in buffers or any(fnmatch(name, f"*{part}*") for part in kept):
            found[name] = weight
            continue
        place = weight.data_ptr(), weight.shape
        if place not in made:
            made[place] = weight.to(dtype).cpu()
            if dtype == torch.float16 and not torch.isfinite(made[place]).all():
                raise CheckpointError(
                    f"{name} holds numbers up to {float(weight.abs().max()):.3g}, and fp16 ends at 65,504.",
                    "Its checkpoints are in fp32: start from the latest one, with bf16 or fp32 as format of the result.",
                )
        found[name] = made[place]
    return found
