"""A model or an adapter as a folder for transformers or peft, and a look at what was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from worker.contract import ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, Job, base_of, weight_files
from worker.models.loading import LanguageModel
from worker.models.saving import saved_name, write_model

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def write_plain_folder(language_model: LanguageModel, job: Job, number_format: str, folder: Path) -> None:
    """A folder that transformers opens. Raises OSError, and CheckpointError if a weight is too large for the format."""
    config = job.config.model_copy(update={"method": "full", "save_dtype": number_format})  # an adapter is merged by now
    write_model(language_model, job.model_copy(update={"config": config}), None, folder)


def faults_of_folder(folder: Path, model: Any, dtype: torch.dtype) -> Iterator[str]:
    """Weights that are missing, or not the model's rounded to ``dtype``, a sentence each."""
    right, seen = {saved_name(model, name): weight for name, weight in model.state_dict().items()}, set()
    for file in weight_files(folder):
        with safe_open(folder / file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - no mapping
                seen.add(name)
                made = weights.get_tensor(name)
                if name not in right:
                    yield f"The weight {name} is in the folder, and not in the model."
                elif made.shape != right[name].shape:
                    shapes = tuple(made.shape), tuple(right[name].shape)
                    yield f"The weight {name} has the shape {shapes[0]}, and {shapes[1]} in the model."
                elif not torch.equal(made.float(), right[name].to(made.dtype).float()):
                    off = float((made.float() - right[name].float()).abs().max())
                    yield f"The weight {name} differs from the model's by up to {off:.3g}."
    shared = {weight.data_ptr() for name, weight in right.items() if name in seen}
    yield from (f"The weight {n} is missing." for n, w in right.items() if n not in seen and w.data_ptr() not in shared)


def copy_adapter(source: Path, folder: Path, job: Job) -> str | None:
    """The adapter in ``source`` without what training goes on from; its base by a name that means something elsewhere.

    What there is to say of that base, if it has no name that others know. Raises OSError.
    """
    kept = {ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, "README.md", "generation_config.json", "chat_template.jinja"}
    for file in source.iterdir():
        if file.name in kept or file.name.startswith(("tokenizer", "special_tokens", "vocab", "merges", "added_tokens")):
            shutil.copyfile(file, folder / file.name)
    base = base_of(source)
    if base.kind == "hub":
        return None
    settings = json.loads((folder / ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = name = Path(base.location).name
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return (
        f"Its base, {job.config.model_name}, is no model of the hub: write into {ADAPTER_CONFIG_FILE} where it is, in place"
        f" of {name}."
    )


def standing_beside_its_base(adapter: Path, base: str, folder: Path) -> None:
    """The ``adapter`` again in ``folder``, naming ``base`` where it is on this machine."""
    for file in adapter.iterdir():
        (folder / file.name).symlink_to(file)
    settings = json.loads((adapter / ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))
    (folder / ADAPTER_CONFIG_FILE).unlink()
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(settings | {"base_model_name_or_path": base}), encoding="utf-8")
