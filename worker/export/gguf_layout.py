"""A model as llama.cpp knows it: its architecture's name there, its numbers, and its weights by their names there.

The names of weights come from the ``gguf`` library, which llama.cpp's makers keep. What is done here is what their converter
does for these architectures, and nothing for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import gguf
import torch

from worker.errors import ModelError

Metadata = dict[str, int | float | str]


class GgufLayout(NamedTuple):
    """``metadata`` by llama.cpp's names. ``change`` turns a weight with our name into the one that llama.cpp expects.
    ``note`` is what somebody who takes the file should know. ``tied``: the head is the embeddings."""

    architecture: str
    layers: int
    metadata: Metadata
    change: Callable[[str, torch.Tensor], torch.Tensor]
    note: str | None = None
    tied: bool = False

    @property
    def context(self) -> int:
        """The longest text that the file says it reads, in tokens."""
        return int(self.metadata["context_length"])


def layout_of(model: Any) -> GgufLayout:
    """Raises ModelError for a design that llama.cpp does not compute alike, or that nobody has tried here."""
    kind = model.config.model_type
    if kind not in _LAYOUTS:
        raise ModelError(
            f"GGUF files are made of {', '.join(_LAYOUTS)} models, and this one is of the type {kind}.",
            "Export it as safetensors; llama.cpp's own convert_hf_to_gguf.py may know how to convert that folder.",
        )
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    return _LAYOUTS[kind](model)._replace(tied=head.weight.data_ptr() == embeddings.weight.data_ptr())


def weights(model: Any, layout: GgufLayout) -> Iterator[tuple[str, torch.Tensor]]:
    """Each weight by llama.cpp's name, in fp32 on the CPU, shaped as there: [out, in]. One that two layers share comes once,
    as it does there."""
    for name, weight in model.state_dict().items():
        if not (layout.tied and name == "lm_head.weight"):
            yield name_there(name, layout), layout.change(name, weight.detach().float().cpu())
    if factors := _rope_factors(model):
        yield factors


def name_there(name: str, layout: GgufLayout) -> str:
    """llama.cpp's name for the weight that we call ``name``. Raises ModelError if it knows no place for it."""
    if layout.tied and name == "lm_head.weight":
        return "token_embd.weight"
    there = _names(layout.architecture, layout.layers).get_name(name, try_suffixes=(".weight", ".bias"))
    if there is None:
        raise ModelError(f"llama.cpp knows no place for the weight {name}.", "Export the model as safetensors.")
    return str(there)


@cache
def _names(architecture: str, layers: int) -> Any:
    return gguf.get_tensor_name_map(_ARCHITECTURES[architecture], layers)


def _gpt2(model: Any) -> GgufLayout:
    config = model.config
    _require(config.activation_function in ("gelu_new", "gelu_pytorch_tanh"), config, "activation_function")
    _require(config.scale_attn_weights, config, "scale_attn_weights")
    _require(not config.scale_attn_by_inverse_layer_idx, config, "scale_attn_by_inverse_layer_idx")
    metadata: Metadata = {
        "context_length": config.n_positions,
        "embedding_length": config.n_embd,
        "feed_forward_length": config.n_inner or 4 * config.n_embd,
        "block_count": config.n_layer,
        "attention.head_count": config.n_head,
        "attention.layer_norm_epsilon": config.layer_norm_epsilon,
    }
    within = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")  # Conv1D's, which are [in, out]
    return GgufLayout("gpt2", config.n_layer, metadata, lambda name, weight: weight.T if name.endswith(within) else weight)


def _rotary(model: Any, architecture: str, activation: str = "silu") -> GgufLayout:
    """What Llama, Qwen and Gemma have in common."""
    config = model.config
    # Gemma 3 has another one for layers with a window.
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    acts = "hidden_activation" if architecture in ("gemma2", "gemma3") else "hidden_act"
    _require(getattr(config, acts) == activation, config, acts)
    scalings = ("default", "linear", "llama3") if architecture == "llama" else ("default", "linear")
    _require(rope["rope_type"] in scalings, config, "rope_parameters")
    _require(rope.get("partial_rotary_factor", 1.0) == 1.0, config, "rope_parameters")
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    metadata: Metadata = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "block_count": config.num_hidden_layers,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "attention.key_length": head_width,
        "attention.value_length": head_width,
        "rope.dimension_count": head_width,
        "rope.freq_base": float(rope["rope_theta"]),
    }
    if rope["rope_type"] == "linear":
        metadata |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(rope["factor"])}
    return GgufLayout(architecture, config.num_hidden_layers, metadata, lambda _, weight: weight)


def _llama(model: Any) -> GgufLayout:
    config = model.config
    layout = _rotary(model, "llama")
    heads = {".q_proj.": config.num_attention_heads, ".k_proj.": config.num_key_value_heads}

    def change(name: str, weight: torch.Tensor) -> torch.Tensor:
        count = next((count for part, count in heads.items() if part in name), 0)
        return interleaved(weight, count) if count else weight

    return layout._replace(change=change, metadata=layout.metadata | {"vocab_size": config.vocab_size})


def _mistral(model: Any) -> GgufLayout:
    """llama.cpp computes it as a Llama, which has no window: both see the same in texts that are no longer than it."""
    layout, window, context = _llama(model), model.config.sliding_window, model.config.max_position_embeddings
    if window is None or window >= context:
        return layout
    note = (
        f"llama.cpp has no window of attention for Mistral: the file says that it reads {window:,} tokens, which is the"
        f" window, and not {context:,}."
    )
    return layout._replace(metadata=layout.metadata | {"context_length": window}, note=note)


def _gemma(model: Any) -> GgufLayout:
    return _with_gemmas_norms(_rotary(model, "gemma", "gelu_pytorch_tanh"), model)


def _gemma2(model: Any) -> GgufLayout:
    config = model.config
    _require_gemmas_windows(config, every=2, largest=46)
    _require(config.attn_logit_softcapping is not None, config, "attn_logit_softcapping")
    _require(config.final_logit_softcapping is not None, config, "final_logit_softcapping")
    layout = _rotary(model, "gemma2", "gelu_pytorch_tanh")
    more: Metadata = {
        "attention.sliding_window": config.sliding_window,
        "attn_logit_softcapping": float(config.attn_logit_softcapping),
        "final_logit_softcapping": float(config.final_logit_softcapping),
    }
    return _with_gemmas_norms(layout._replace(metadata=layout.metadata | more), model)


def _gemma3(model: Any) -> GgufLayout:
    config = model.config
    _require_gemmas_windows(config, every=6, largest=62)
    _require(config.attn_logit_softcapping is None, config, "attn_logit_softcapping")
    _require(config.final_logit_softcapping is None, config, "final_logit_softcapping")
    local = config.rope_parameters["sliding_attention"]
    _require(local["rope_type"] == "default", config, "rope_parameters")
    layout = _rotary(model, "gemma3", "gelu_pytorch_tanh")
    more: Metadata = {
        "attention.sliding_window": config.sliding_window, "rope.freq_base_swa": float(local["rope_theta"]),
    }  # fmt: skip
    return _with_gemmas_norms(layout._replace(metadata=layout.metadata | more), model)


def _with_gemmas_norms(layout: GgufLayout, model: Any) -> GgufLayout:
    """Its norms multiply by their weights and 1, which llama.cpp has added already."""
    config = model.config
    _require(not getattr(config, "use_bidirectional_attention", None), config, "use_bidirectional_attention")
    return layout._replace(change=lambda name, weight: weight + 1 if name.endswith("norm.weight") else weight)


def _require_gemmas_windows(config: Any, every: int, largest: int) -> None:
    """llama.cpp takes for granted which layers have a window, and how attention is scaled, by the number of layers."""
    layers = config.num_hidden_layers
    windows = ["sliding_attention" if layer % every else "full_attention" for layer in range(1, layers + 1)]
    _require(config.layer_types == windows, config, "layer_types")
    scalar = config.hidden_size // config.num_attention_heads if layers == largest else config.head_dim
    _require(config.query_pre_attn_scalar == scalar, config, "query_pre_attn_scalar")


def _qwen(architecture: str) -> Callable[[Any], GgufLayout]:
    def layout(model: Any) -> GgufLayout:
        config = model.config
        _require(not config.use_sliding_window, config, "use_sliding_window")
        return _rotary(model, architecture)

    return layout


_LAYOUTS: dict[str, Callable[[Any], GgufLayout]] = {
    "gpt2": _gpt2, "llama": _llama, "mistral": _mistral, "qwen2": _qwen("qwen2"), "qwen3": _qwen("qwen3"), "gemma": _gemma,
    "gemma2": _gemma2, "gemma3_text": _gemma3,
}  # fmt: skip
_ARCHITECTURES = {
    "gpt2": gguf.MODEL_ARCH.GPT2, "llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3, "gemma": gguf.MODEL_ARCH.GEMMA, "gemma2": gguf.MODEL_ARCH.GEMMA2,
    "gemma3": gguf.MODEL_ARCH.GEMMA3,
}  # fmt: skip


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries or keys in the order that llama.cpp turns them in: of a head of width 2n, row i and row n + i, which
    transformers turns together, stand side by side there."""
    return weight.reshape(heads, 2, -1, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def _rope_factors(model: Any) -> tuple[str, torch.Tensor] | None:
    """By what Llama 3.1 divides the speed of each position's rotation, to read more than it was first made for."""
    rope = getattr(model.config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "llama3":
        return None
    frequencies = model.base_model.rotary_emb.inv_freq.float().cpu()
    width = 2 * len(frequencies)
    plain = rope["rope_theta"] ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    return "rope_freqs.weight", (plain / frequencies).float()


def _require(holds: bool, config: Any, name: str) -> None:
    if not holds:
        raise ModelError(
            f"llama.cpp computes no {config.model_type} model whose {name} is {getattr(config, name)!r}.",
            "Export it as safetensors.",
        )
