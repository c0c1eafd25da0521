"""A byte-level BPE tokenizer as llama.cpp keeps it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import gguf

from worker.errors import ModelError

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BY_PATTERN = {_LLAMA_3: "llama-bpe", _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}"): "qwen2"}
_ELSEWHERE = "Export it as safetensors."


class Vocabulary(NamedTuple):
    """``texts`` and ``types`` [vocabulary] by id; ``splits_as`` is llama.cpp's name for how text is split into words."""

    texts: list[str]
    types: list[int]
    merges: list[str]
    splits_as: str
    adds_bos: bool
    bos: int | None
    eos: int | None
    pad: int | None
    ends_turn: int | None
    chat_template: str | None


def vocabulary_of(tokenizer: Any, size: int, ends: list[int]) -> Vocabulary:
    """``size``: how many rows the model's embeddings have. ``ends``: the tokens at which it stops.

    Raises ModelError for a tokenizer that llama.cpp would not split text like.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError("GGUF files are made of models with a tokenizer.json, and this one has none.", _ELSEWHERE)
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    if told["model"]["type"] != "BPE" or told["model"].get("byte_fallback"):
        raise ModelError("GGUF files are made of models with a byte-level BPE, and this tokenizer is none.", _ELSEWHERE)
    if len(tokenizer) > size:
        raise ModelError(f"The tokenizer has {len(tokenizer)} tokens, and the model knows {size}.", _ELSEWHERE)
    texts, types = [f"[PAD{number}]" for number in range(size)], [gguf.TokenType.UNUSED] * size
    for text, number in tokenizer.get_vocab().items():
        texts[number], types[number] = text, gguf.TokenType.NORMAL
    for number, token in tokenizer.added_tokens_decoder.items():
        texts[number] = token.content
        types[number] = gguf.TokenType.CONTROL if token.special else gguf.TokenType.USER_DEFINED
    ends = list(dict.fromkeys([*([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]), *ends]))
    return Vocabulary(
        texts=texts,
        types=[int(kind) for kind in types],
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in told["model"]["merges"]],
        splits_as=_splitting(told["pre_tokenizer"] or {}),
        adds_bos=tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id],
        bos=tokenizer.bos_token_id,
        eos=ends[0] if ends else None,
        pad=tokenizer.pad_token_id,
        ends_turn=ends[1] if len(ends) > 1 else None,
        chat_template=tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None,
    )


def _splitting(told: dict[str, Any]) -> str:
    """llama.cpp's name for a tokenizer.json's pre_tokenizer."""
    steps = told.get("pretokenizers") or [told]
    *before, last = steps
    if last.get("type") == "ByteLevel" and not last["add_prefix_space"]:
        if last["use_regex"] and not before:
            return "gpt-2"
        if last["use_regex"] and len(before) == 1 and before[0].get("individual_digits"):
            return "smollm"
        if len(before) == 1 and before[0]["type"] == "Split" and before[0]["pattern"].get("Regex") in _BY_PATTERN:
            return _BY_PATTERN[before[0]["pattern"]["Regex"]]
    raise ModelError("llama.cpp does not split text into words the way this model's tokenizer does.", _ELSEWHERE)
