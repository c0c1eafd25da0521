"""A model's weights into a folder from which they can be loaded by anyone."""

from __future__ import annotations

from pathlib import Path

import torch

from worker.contract import RunConfig
from worker.models.loading import LanguageModel


def write_model(
    language_model: LanguageModel, config: RunConfig, gathered: dict[str, torch.Tensor] | None, folder: Path
) -> str | None:
    """Writes a plain Hugging Face folder, with LoRA's adapter merged in, and returns what there is to say of that.

    ``gathered`` are the weights by name where the model itself holds only a shard of them. Raises OSError, and
    CheckpointError if the merged model differs from the one that was trained.
    """
    language_model.tokenizer.save_pretrained(folder)
    if config.method == "full":
        language_model.model.save_pretrained(folder, state_dict=gathered)
        return None
    from worker.models import lora  # takes long to import

    agreement = lora.save_merged(language_model.model, folder)
    return (
        f"Merged the adapter into the model: no output moved by more than {agreement.difference:.1g},"
        f" where the largest is {agreement.largest_logit:.2g}."
    )


def write_adapter(language_model: LanguageModel, config: RunConfig, folder: Path) -> None:
    """Writes LoRA's adapter alone, as peft loads it. Raises OSError."""
    from worker.models import lora

    lora.save_adapter(language_model.model, folder, config.model_name)
