"""The byte-level BPE tokenizer of the built-in models, made from the run's own training text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

END_OF_TEXT = "<|endoftext|>"
_ENOUGH_CHARACTERS = 20_000_000  # which pieces are frequent no longer changes beyond, and training time keeps growing


def train_tokenizer(texts: Iterable[str], vocab_size: int, context: int) -> PreTrainedTokenizerBase:
    """A GPT-2 tokenizer of at most ``vocab_size`` tokens; any text can be encoded, whatever ``texts`` held."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_first(texts, _ENOUGH_CHARACTERS), trainer)
    learned = json.loads(bpe.to_str())["model"]
    merges = [tuple(pair) for pair in learned["merges"]]
    return GPT2Tokenizer(vocab=learned["vocab"], merges=merges, pad_token=END_OF_TEXT, model_max_length=context)


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        yield text
        characters -= len(text)
        if characters <= 0:
            return
