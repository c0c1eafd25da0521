"""A model as it will be trained, without its numbers: tensors that have shapes and take no memory.

What a run will take follows from it. No weights are read, and no code that comes with a model is run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from worker.contract import BUILT_IN_MODELS, Job, ModelSource, RunConfig, is_adapter
from worker.data.batching import Batch, Layout, PackedTexts
from worker.devices.precision import Precision
from worker.errors import ModelError
from worker.models import hub
from worker.models.adjustments import adjust
from worker.models.attention import PACKED, packed_arguments
from worker.models.forward import recompute_activations
from worker.models.frozen import held_bytes, is_rounded, numbers
from worker.models.loading import _gpt2, base_source, kept_dtype, quiet_libraries
from worker.models.parts import context_of
from worker.models.saving import result_dtype

_DECIDES = {
    "method", "lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_target_parameters", "use_dora",
    "use_rslora", "load_in_4bit", "packing", "gradient_checkpointing", "save_dtype",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Design:
    """``model`` is to be called under ``mode``, which works out shapes alone, as on a CPU. ``layout`` is how its examples
    will lie; ``context`` is the longest text in tokens that it can read, None if there is no limit. ``result`` is the number
    format that the finished model is saved in. ``read_again``: the base is, for its digits, before an adapter is merged."""

    model: Any
    mode: FakeTensorMode
    layout: Layout
    context: int | None
    result: torch.dtype
    read_again: bool

    @property
    def parameters(self) -> int:
        """Weights, each counted once; LoRA's are among them."""
        return numbers(self.model)

    @property
    def held_bytes(self) -> int:
        """What the weights take while they are trained."""
        return held_bytes(self.model)

    @property
    def trained_parameters(self) -> int:
        """Those that training changes."""
        return sum(weight.numel() for weight in self.model.parameters() if weight.requires_grad)

    @property
    def layers(self) -> int:
        """Blocks of the transformer, one upon the other."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def width(self) -> int:
        """Numbers that stand for a token within the model."""
        return int(self.model.get_input_embeddings().embedding_dim)

    @property
    def tied(self) -> bool:
        """Whether the output layer's weight is the input layer's too."""
        return self.model.get_input_embeddings().weight is self.head

    @property
    def head(self) -> Any:
        """The weight of the output layer: [vocabulary, width]. May be that of the input layer too."""
        return self.model.get_output_embeddings().weight


def design_of(job: Job, vocabulary: int, precision: Precision = "fp32") -> Design:
    """The design of the model that ``job`` trains; ``vocabulary`` is its tokenizer's, and counts for built-in models alone.

    Raises ModelError if it cannot be had or is of an unknown kind. The latest few are kept.
    """
    place = Path(job.model.location)
    file = place / "config.json" if job.model.kind == "folder" else place
    changed = file.stat().st_mtime_ns if job.model.kind in ("folder", "gguf") and file.exists() else 0
    return _made(job.model.model_dump_json(), changed, vocabulary, job.config.model_dump_json(include=_DECIDES), precision)


@lru_cache(maxsize=4)
def _made(source_json: str, changed: int, vocabulary: int, config_json: str, precision: Precision) -> Design:
    config = RunConfig.model_construct(**json.loads(config_json))
    quiet_libraries()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.device("meta"):
        model, kept = _outline(ModelSource.model_validate_json(source_json), vocabulary)
        if config.method == "lora":
            from worker.models.lora import add_adapters, shrink_base  # takes long to import

            add_adapters(model, config)
            shrink_base(model, config, precision, None)
    with mode:
        model.to_empty(device="cpu")
        model.tie_weights()
    model.config.pad_token_id = None  # some designs would look whether it is among the inputs, which have no numbers
    if config.gradient_checkpointing:
        recompute_activations(model)
    layout = _layout(model, mode, config.packing)
    return Design(model.train(), mode, layout, context_of(model), result_dtype(config, kept), is_rounded(model, kept))


def _outline(source: ModelSource, vocabulary: int) -> tuple[Any, torch.dtype]:
    """The model without weights, of which only its config.json, or what a .gguf says of it, is read; and the number format
    that it is kept in."""
    if source.kind == "built_in":
        return _gpt2(BUILT_IN_MODELS[source.location], vocabulary, 0), torch.float32
    from transformers import AutoConfig, AutoModelForCausalLM

    place = Path(source.location)
    folder, options = place, {}
    if source.kind == "folder" and is_adapter(place):
        return _outline(base_source(place), vocabulary)
    if source.kind == "hub":
        folder = Path(hub.fetch_model(source.location, weights=False))
    elif source.kind == "gguf":
        folder, options = place.parent, {"gguf_file": place.name}
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **options)
        kept = kept_dtype(config, folder)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    except (OSError, ValueError, LookupError, ImportError, TypeError, AttributeError, RuntimeError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"The design of {source.location} cannot be read: {first_line}",
            "It must be a text model that transformers knows.",
        ) from error
    adjust(model)
    return model, kept


def _layout(model: Any, mode: FakeTensorMode, packing: bool) -> Layout:
    """How the worker will lay out examples, as far as that can be told without weights: ``packing.choose_layout`` tries
    more."""
    if not packing:
        return "in_order"
    before = model.config._attn_implementation
    inputs = torch.zeros(1, 5, dtype=torch.long)
    batch = Batch(inputs, inputs[0], position_ids=torch.tensor([[0, 1, 2, 0, 1]]), texts=PackedTexts.of((3, 2)))
    try:
        model.set_attn_implementation(PACKED)
        with mode, torch.no_grad():
            model(input_ids=inputs, use_cache=False, **packed_arguments(batch))
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        model.set_attn_implementation(before)
        return "grouped"
    return "packed"
