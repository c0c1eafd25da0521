"""Tiny models with random weights, one of each design in transformers that people train, by its ``model_type``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

from worker.contract import ModelSource
from worker.data.tokenizer import train_tokenizer

CONTEXT = 64
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT}
_GROUPED = {**_SIZES, "intermediate_size": 48, "num_key_value_heads": 2}
_WIDE_HEADS = {**_GROUPED, "head_dim": 8}
_EXPERTS = {**_GROUPED, "num_experts": 4, "num_experts_per_tok": 2}
_LOCAL = {**_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}
_SMALL_EXPERTS = {**_EXPERTS, "moe_intermediate_size": 24}
_LATENT = {
    **_SIZES, "intermediate_size": 48, "num_key_value_heads": 4, "moe_intermediate_size": 24, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "kv_lora_rank": 16, "q_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8, "head_dim": 8,
}  # fmt: skip
_DELTA = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}  # fmt: skip
_STATES = {"hidden_size": 32, "num_hidden_layers": 2}

_SIZES_OF: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
    "openai-gpt": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
    "ctrl": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "dff": 48},
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": CONTEXT, "window_size": 9,
        "attention_types": [[["global", "local"], 1]],
    },
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "rotary_dim": 4},
    "gpt_neox": {**_SIZES, "intermediate_size": 48},
    "gpt_bigcode": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
    "codegen": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "rotary_dim": 4},
    "opt": {**_SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48, "max_position_embeddings": CONTEXT},
    "biogpt": {**_SIZES, "intermediate_size": 48},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": CONTEXT, "expansion_ratio": 2},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "persimmon": {**_SIZES, "intermediate_size": 48},
    "phi": {**_GROUPED},
    "phi3": {**_GROUPED},
    "phimoe": {**_LOCAL},
    "stablelm": {**_GROUPED},
    "starcoder2": {**_GROUPED, "sliding_window": 9},
    "llama": {**_GROUPED},
    "llama4_text": {**_WIDE_HEADS, "intermediate_size_mlp": 48, "num_local_experts": 4, "attention_chunk_size": 16},
    "mistral": {**_GROUPED, "sliding_window": 9},
    "mixtral": {**_LOCAL},
    "qwen2": {**_GROUPED},
    "qwen2_moe": {**_SMALL_EXPERTS, "shared_expert_intermediate_size": 24},
    "qwen3": {**_WIDE_HEADS},
    "qwen3_moe": {**_SMALL_EXPERTS, "head_dim": 8},
    "qwen3_next": {**_SMALL_EXPERTS, "head_dim": 8, "shared_expert_intermediate_size": 24, **_DELTA},
    "qwen3_5_text": {**_WIDE_HEADS, **_DELTA},
    "qwen3_5": {"text_config": {**_WIDE_HEADS, **_DELTA}},
    "qwen3_5_moe_text": {**_SMALL_EXPERTS, "head_dim": 8, "shared_expert_intermediate_size": 24, **_DELTA},
    "gemma": {**_WIDE_HEADS},
    "gemma2": {**_WIDE_HEADS, "sliding_window": 9, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 0.5},
    "gemma3_text": {**_WIDE_HEADS, "sliding_window": 9, "query_pre_attn_scalar": 8},
    "gemma3": {
        "text_config": {**_WIDE_HEADS, "sliding_window": 9, "query_pre_attn_scalar": 8},
        "vision_config": {**_SIZES, "intermediate_size": 48, "image_size": 16, "patch_size": 4},
        "mm_tokens_per_image": 4, "image_token_index": 299, "boi_token_index": 298, "eoi_token_index": 297,
    },
    "cohere": {**_GROUPED},
    "cohere2": {**_WIDE_HEADS, "sliding_window": 9},
    "olmo": {**_GROUPED},
    "olmo2": {**_GROUPED},
    "olmo3": {**_GROUPED, "sliding_window": 9},
    "olmoe": {**_EXPERTS},
    "granite": {**_GROUPED},
    "granitemoe": {**_LOCAL},
    "deepseek_v2": {**_LATENT},
    "deepseek_v3": {**_LATENT, "n_group": 2, "topk_group": 1},
    "gpt_oss": {**_LOCAL, "head_dim": 8, "sliding_window": 9},
    "smollm3": {**_GROUPED},
    "glm": {**_WIDE_HEADS},
    "glm4": {**_WIDE_HEADS},
    "glm4_moe": {**_LATENT, "n_group": 1, "topk_group": 1},
    "ernie4_5": {**_WIDE_HEADS},
    "ernie4_5_moe": {**_GROUPED, "moe_intermediate_size": 24, "moe_num_experts": 4, "moe_k": 2, "moe_layer_start_index": 0},
    "exaone4": {**_GROUPED, "sliding_window": 9, "layer_types": ["sliding_attention", "full_attention"]},
    "helium": {**_WIDE_HEADS},
    "nemotron": {**_WIDE_HEADS},
    "seed_oss": {**_WIDE_HEADS},
    "lfm2": {**_GROUPED, "layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {**_SMALL_EXPERTS, "layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "minicpm3": {**_LATENT},
    "inkling_text": {**_WIDE_HEADS, "moe_intermediate_size": 24, "n_routed_experts": 4, "num_experts_per_tok": 2},
    "olmo_hybrid": {**_GROUPED, **_DELTA},
    "nemotron_h": {
        **_WIDE_HEADS, "layers_block_type": ["mamba", "attention"], "mamba_num_heads": 4, "mamba_head_dim": 16,
        "ssm_state_size": 8, "n_groups": 1, "chunk_size": 8,
    },
    "mamba": {**_STATES, "state_size": 8},
    "falcon_mamba": {**_STATES, "state_size": 8},
    "mamba2": {**_STATES, "state_size": 8, "num_heads": 4, "head_dim": 16, "n_groups": 1, "chunk_size": 8},
    "rwkv": {**_STATES, "attention_hidden_size": 32, "intermediate_size": 48, "context_length": CONTEXT, "rescale_every": 1},
    "recurrent_gemma": {
        **_GROUPED, "lru_width": 32, "attention_window_size": 9, "block_types": ["recurrent", "attention"],
    },
    "jamba": {
        **_EXPERTS, "mamba_d_state": 8, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 4, "attn_layer_period": 2,
        "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1, "use_mamba_kernels": False,
    },
    "bamba": {
        **_GROUPED, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1,
        "mamba_chunk_size": 8, "attn_layer_indices": [1],
    },
    "zamba2": {
        **_GROUPED, "num_key_value_heads": 4, "mamba_d_state": 8, "n_mamba_heads": 4, "mamba_ngroups": 1, "chunk_size": 8,
        "num_mem_blocks": 1, "layers_block_type": ["mamba", "hybrid"], "use_mamba_kernels": False, "adapter_rank": 4,
    },
    "falcon_h1": {
        **_GROUPED, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1,
        "mamba_chunk_size": 8, "head_dim": 8,
    },
    "granitemoehybrid": {
        **_LOCAL, "shared_intermediate_size": 24, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8,
        "mamba_n_groups": 1, "mamba_chunk_size": 8, "layer_types": ["mamba", "attention"],
    },
}  # fmt: skip
"""Windows, chunks and the like are shorter than the texts, so that they show."""
TRAINED = {name: sizes for name, sizes in _SIZES_OF.items() if name in CONFIG_MAPPING}
"""Those that the transformers in use knows: the oldest one that we allow knows fewer."""

_NO_DROPOUT = (
    "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "attention_dropout", "activation_dropout", "hidden_dropout",
    "embed_dropout", "resid_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "layerdrop", "ffn_dropout",
    "residual_dropout", "router_jitter_noise", "input_jitter_noise",
)  # fmt: skip


def make(name: str, vocabulary: int, **changes: Any) -> Any:
    """The model called ``name``, the same each time, with nothing random in it."""
    config = AutoConfig.for_model(name, **{**TRAINED[name], **changes})
    for of in (config, config.get_text_config()):  # the same, unless the model takes images too
        of.update({"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0})
    for dropout in _NO_DROPOUT:
        if hasattr(config, dropout):
            setattr(config, dropout, 0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for weight in model.parameters():
            if weight.ndim >= 2:  # large enough that every part has a say
                torch.nn.init.normal_(weight, std=0.15)
    return model


def save(name: str, folder: Path, texts: Path, **changes: Any) -> ModelSource:
    """The model called ``name`` and a tokenizer made from ``texts``, as a folder."""
    tokenizer = train_tokenizer(texts.read_text().splitlines(), 300, CONTEXT)
    make(name, len(tokenizer), **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(kind="folder", location=str(folder))
