"""Small models of several designs, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from worker.contract import ModelSource
from worker.tokenizer import train_tokenizer


def save_small_gpt2(folder: Path, texts: Path, **config: float) -> ModelSource:
    """A GPT-2 of width 32 with the usual dropout and a tokenizer made from ``texts``, saved as a folder."""
    tokenizer = train_tokenizer(texts.read_text().splitlines(), 400, 64)
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=2, **config))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelSource(kind="folder", location=str(folder))
