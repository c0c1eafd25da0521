"""A BPE tokenizer as llama.cpp keeps it: of bytes, or of pieces that fall back to bytes (``gguf_pieces.py``)."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import gguf

from worker.errors import ModelError
from worker.export.gguf_pieces import BLANK, Pieces, pieces_of
from worker.export.tried_texts import puts_bos

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BY_PATTERN = {_LLAMA_3: "llama-bpe", _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}"): "qwen2"}
_ELSEWHERE = "Export it as safetensors."
_BYTE = re.compile("<0x[0-9A-F]{2}>")


class Vocabulary(NamedTuple):
    """``texts`` and ``types`` [vocabulary] by id; ``splits_as`` is llama.cpp's name for how text is split into words.

    One of ``pieces`` has ``scores`` [vocabulary] in place of ``merges``.
    """

    texts: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    pieces: Pieces | None
    splits_as: str
    adds_bos: bool
    bos: int | None
    eos: int | None
    unknown: int | None
    pad: int | None
    ends_turn: int | None
    chat_template: str | None


def vocabulary_of(tokenizer: Any, size: int, ends: list[int], chats: list[str]) -> Vocabulary:
    """``size``: how many rows the model's embeddings have. ``ends``: the tokens at which it stops. ``chats``: conversations
    as its chat template writes them.

    Raises ModelError for a tokenizer that llama.cpp would not split text like.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError("GGUF files are made of models with a tokenizer.json, and this one has none.", _ELSEWHERE)
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    if told["model"]["type"] != "BPE":
        raise ModelError("GGUF files are made of models with a BPE, and this tokenizer is none.", _ELSEWHERE)
    if len(tokenizer) > size:
        raise ModelError(f"The tokenizer has {len(tokenizer)} tokens, and the model knows {size}.", _ELSEWHERE)
    pieces = pieces_of(tokenizer, told, chats) if told["model"].get("byte_fallback") else None
    texts, types = _tokens(tokenizer, size, pieces is not None)
    ends = list(dict.fromkeys([*([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]), *ends]))
    return Vocabulary(
        texts=texts,
        types=types,
        merges=[] if pieces else [merge if isinstance(merge, str) else " ".join(merge) for merge in told["model"]["merges"]],
        scores=[pieces.scores.get(text, 0.0) for text in texts] if pieces else [],
        pieces=pieces,
        splits_as="default" if pieces else _splitting(told["pre_tokenizer"] or {}),
        adds_bos=puts_bos(tokenizer),
        bos=tokenizer.bos_token_id,
        eos=ends[0] if ends else None,
        unknown=tokenizer.unk_token_id if pieces else None,
        pad=tokenizer.pad_token_id,
        ends_turn=ends[1] if len(ends) > 1 else None,
        chat_template=tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None,
    )


def _tokens(tokenizer: Any, size: int, of_pieces: bool) -> tuple[list[str], list[int]]:
    """The text and the kind of each token, by id."""
    texts, types = [f"[PAD{number}]" for number in range(size)], [int(gguf.TokenType.UNUSED)] * size
    for text, number in tokenizer.get_vocab().items():
        texts[number], types[number] = text, gguf.TokenType.NORMAL
        if of_pieces and _BYTE.fullmatch(text):
            types[number] = gguf.TokenType.BYTE
    for number, token in tokenizer.added_tokens_decoder.items():
        texts[number] = token.content
        types[number] = gguf.TokenType.CONTROL if token.special else gguf.TokenType.USER_DEFINED
        if of_pieces and not token.special and BLANK in token.content:
            # llama.cpp looks for it in the text before blanks are ▁; transformers does so only if it is "normalized", and
            # else joins it like any other piece. (It does look for ▁▁ itself, which is let be: blanks would be shown as ▁.)
            texts[number] = token.content.replace(BLANK, " ") if token.normalized else token.content
            types[number] = gguf.TokenType.USER_DEFINED if token.normalized else gguf.TokenType.NORMAL
    if of_pieces and tokenizer.unk_token_id is not None:
        types[tokenizer.unk_token_id] = gguf.TokenType.UNKNOWN
    return texts, [int(kind) for kind in types]


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
