"""Small models with random weights, of the designs that people train."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from worker.contract import ModelSource
from worker.data.tokenizer import train_tokenizer
from worker.models.loading import LanguageModel

VOCABULARY = 97
CONTEXT = 64
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
"""Fewer heads for keys and values than for queries, as most models since Llama 2 have."""


def _gpt2(**config: Any) -> Any:
    no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    sizes = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": 32, "n_layer": 3, "n_head": 4}
    return GPT2LMHeadModel(GPT2Config(**{**sizes, **no_dropout, "bos_token_id": 0, "eos_token_id": 0, **config}))


_MAKERS = {
    "gpt2": _gpt2,
    "llama": lambda **config: LlamaForCausalLM(LlamaConfig(**{**SIZES, **config})),
    "qwen2": lambda **config: Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True, **config)),
    # A window shorter than the texts.
    "mistral": lambda **config: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=9, **config)),
}
ALL = tuple(_MAKERS)


def make(design: str, **config: Any) -> Any:
    """The model called ``design``, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _MAKERS[design](**config)


class Ids:
    """Stands where the tokenizer does for models that are only given numbers."""

    pad_token_id = None
    eos_token_id = 0
    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    def convert_ids_to_tokens(self, number: int) -> str:
        """The number itself."""
        return str(number)

    def decode(self, ids: list[int], **_: Any) -> str:
        """The numbers themselves."""
        return "".join(f"{number} " for number in ids)


def language_model(model: Any) -> LanguageModel:
    """``model`` as the worker takes it."""
    return LanguageModel(model, Ids(), CONTEXT)  # type: ignore[arg-type]


def save_small_gpt2(folder: Path, texts: Path, dropout: float = 0.1) -> ModelSource:
    """A GPT-2 with the usual dropout and a tokenizer made from ``texts``, saved as a folder."""
    dropouts = {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout}
    return save("gpt2", folder, texts, n_layer=2, n_head=2, **dropouts)


def save(design: str, folder: Path, texts: Path, **config: Any) -> ModelSource:
    """The model called ``design`` with a tokenizer made from ``texts``, saved as a folder."""
    tokenizer = train_tokenizer(texts.read_text().splitlines(), 400, CONTEXT)
    make(design, vocab_size=len(tokenizer), **config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(kind="folder", location=str(folder))
