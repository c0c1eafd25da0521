"""One base in memory for all adapters of it: texts of several are written side by side, each row with its own."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from worker.checkpoints.folder import verify
from worker.contract import ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, MANIFEST_FILE, ModelSource, base_of, is_adapter
from worker.models.loading import (
    LanguageModel,
    adapter_fits,
    adapter_settings,
    load_tokenizer,
    require_adapter_weights,
    require_finite,
)

Files = tuple[tuple[str, int, int], ...]
"""Names, times and sizes: the state of a folder."""

BASE = "__base__"  # peft's name for a row without an adapter
_MOST = 8  # adapters of one base; those that were not used for longest make room
# What peft cannot do for each row on its own: an adapter that has one of these is merged into a base that it has for itself.
_WHOLE_BATCH_ONLY = (
    "alora_invocation_tokens", "arrow_config", "layer_replication", "megatron_config", "modules_to_save",
    "target_parameters", "trainable_token_indices", "use_bdlora", "use_dora",
)  # fmt: skip


def split(source: ModelSource) -> tuple[ModelSource, Path | None]:
    """The model to hold in memory for ``source``, and the adapter to add to it, if its base can be shared."""
    folder = Path(source.location)
    if source.kind != "folder" or not is_adapter(folder):
        return source, None
    try:
        config = json.loads((folder / ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))
        shared = config["peft_type"] == "LORA" and config.get("bias", "none") == "none"
        if shared and not any(config.get(name) for name in _WHOLE_BATCH_ONLY):
            return base_of(folder), folder
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # loading it says what is wrong
        pass
    return source, None


class Shared:
    """A model that adapters may be added to. It is called as the model is; ``adapter_names`` says for each row which one
    reads it, and without them it is the base that does."""

    def __init__(self, base: LanguageModel) -> None:
        self.base = replace(base, model=self)  # it is called like one
        self._model: Any = base.model
        self._adapted: Any = None
        self._voices: OrderedDict[tuple[Path, Files], LanguageModel] = OrderedDict()

    def __call__(self, adapter_names: Sequence[str] | None = None, **inputs: Any) -> Any:
        if self._adapted is None:
            return self._model(**inputs)
        return self._adapted(adapter_names=adapter_names or [BASE] * len(inputs["input_ids"]), **inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def with_adapter(self, folder: Path, files: Files, used: Collection[str]) -> LanguageModel:
        """The model with the adapter in ``folder``. Those ``used``, by their names, stay. Raises ModelError if it does not
        fit, and then nothing has changed."""
        key = (folder, files)
        if key not in self._voices:
            voice = self._add(folder)
            self._make_room(folder, used)
            self._voices[key] = voice
        self._voices.move_to_end(key)
        return self._voices[key]

    def _make_room(self, folder: Path, used: Collection[str]) -> None:
        """For one more, of ``folder``; what was read of it before its files changed goes too."""
        idle = [key for key, voice in self._voices.items() if voice_of(voice) not in used]
        too_many = idle[: max(0, len(self._voices) + 1 - _MOST)]
        for key in {*too_many, *(key for key in idle if key[0] == folder)}:
            self._adapted.delete_adapter(voice_of(self._voices.pop(key)))

    @torch.inference_mode(False)
    def _add(self, folder: Path) -> LanguageModel:
        source = ModelSource(kind="folder", location=str(folder))
        tokenizer = load_tokenizer(source)
        name = f"{folder.name}-{torch.randint(1 << 62, ()).item():x}".replace(".", "-")
        with adapter_fits(folder):
            settings = adapter_settings(folder, self._model.generation_config)
            _try(source, self._model.config)
            if self._adapted is None:
                self._adapted = PeftModel.from_pretrained(self._model, folder, name, low_cpu_mem_usage=True)
            else:
                self._adapted.load_adapter(folder, name, low_cpu_mem_usage=True)
        self._adapted.set_adapter(name)  # without an active one peft takes every row for the base's
        self._adapted.to(self._model.device).eval()
        voice: Any = Voice(self, name, settings)
        return replace(self.base, model=voice, tokenizer=tokenizer)


def _try(source: ModelSource, config: Any) -> None:
    """Adds the adapter to a model without weights first: one that does not fit is found when the base is half changed.
    Raises ModelError, or what peft raises."""
    folder = Path(source.location)
    require_adapter_weights(folder)
    if (folder / MANIFEST_FILE).exists():
        verify(folder)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    adapted = PeftModel(empty, PeftConfig.from_pretrained(str(folder)), low_cpu_mem_usage=True)
    if lacking := adapted.load_adapter(folder, "default", low_cpu_mem_usage=True).missing_keys:
        raise ValueError(f"{ADAPTER_WEIGHTS_FILE} lacks {len(lacking)} of its weights, such as {lacking[0]}")
    require_finite(source, load_file(folder / ADAPTER_WEIGHTS_FILE).items())


@dataclass(frozen=True)
class Voice:
    """A shared model with one of its adapters: it is called as a model is."""

    shared: Shared
    adapter: str
    generation_config: Any

    def __call__(self, **inputs: Any) -> Any:
        return self.shared(adapter_names=[self.adapter] * len(inputs["input_ids"]), **inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shared, name)


def voice_of(language_model: LanguageModel) -> str:
    """The name that rows of its texts have beside others'."""
    model: Any = language_model.model
    return model.adapter if isinstance(model, Voice) else BASE
