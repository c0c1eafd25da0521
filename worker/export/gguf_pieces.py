"""A BPE of pieces as SentencePiece makes them, as llama.cpp reads it: ▁ stands for a blank, and a character that has no
piece is its bytes. Llama 2, Mistral and Gemma have one.

llama.cpp knows no merges there. It joins whatever makes a piece, the piece with the highest score first. So a score is the
rank of the first merge that makes the piece, and both agree where each way to make a piece is a merge, as SentencePiece has
it. Where it is not, ``probes`` are texts that would show it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tokenizers import normalizers

from worker.errors import ModelError

BLANK = "\u2581"
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_PROBES = 32
_ELSEWHERE = "Export it as safetensors."
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}
_PREPEND = {"type": "Prepend", "prepend": BLANK}
_NOTHING_TO_SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
"""Gemma's: the blanks that it looks for have been replaced by then."""

_BEFORE_ALL = (
    "llama.cpp puts a blank also before texts that begin with one{}, where this tokenizer puts none{}. It does so with all"
    " models of this family."
)
_BEFORE_NONE = (
    "llama.cpp puts no blank before a text here, so that conversations become the tokens that they were trained with. Begin"
    " other texts with a blank."
)


class Pieces(NamedTuple):
    """``scores`` by a piece's text. ``reads``: the tokenizer as llama.cpp has it; ``note`` says where that differs from the
    model's own. ``probes``: texts that may be split otherwise."""

    scores: dict[str, float]
    adds_space: bool
    reads: Any
    note: str | None
    probes: list[str]


def pieces_of(tokenizer: Any, told: dict[str, Any], conversations: Sequence[str]) -> Pieces:
    """``told``: its tokenizer.json. ``conversations``, as its chat template writes them, decide what llama.cpp puts before
    texts.

    Raises ModelError for a tokenizer that llama.cpp would not split text like.
    """
    model = told["model"]
    _require(not model.get("ignore_merges") and not model.get("dropout"))
    _require(not model.get("continuing_subword_prefix") and not model.get("end_of_word_suffix"))
    _require(all(byte in model["vocab"] or chr(number) in model["vocab"] for number, byte in enumerate(_BYTES[:128])))
    _require(all(byte in model["vocab"] for byte in _BYTES[128:]))
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    scores = dict.fromkeys(model["vocab"], -float(len(merges)))
    for rank, merge in reversed(list(enumerate(merges))):
        scores["".join(merge)] = -float(rank)
    probes = list(_doubtful(model["vocab"], set(merges)))
    step = max(1, len(probes) // _PROBES)
    return Pieces(scores, *_before_texts(tokenizer, told, conversations), probes[::step][:_PROBES])


def _require(holds: bool) -> None:
    if not holds:
        raise ModelError("llama.cpp does not split text into pieces the way this model's tokenizer does.", _ELSEWHERE)


def _doubtful(vocabulary: dict[str, int], merges: set[tuple[str, ...]]) -> Iterator[str]:
    """Texts of two pieces that make a third one without a merge, which llama.cpp joins all the same."""
    for text in vocabulary:
        if text not in _BYTES:
            for end in range(1, len(text)):
                pair = text[:end], text[end:]
                if pair not in merges and pair[0] in vocabulary and pair[1] in vocabulary:
                    yield text.replace(BLANK, " ")
                    break


def _before_texts(tokenizer: Any, told: dict[str, Any], conversations: Sequence[str]) -> tuple[bool, Any, str | None]:
    """Whether llama.cpp is to put a blank before texts, the tokenizer that does as it does, and what is to be said of it."""
    steps = _steps(told["normalizer"], "normalizers")
    before = _steps(told["pre_tokenizer"], "pretokenizers")
    if steps == [_PREPEND, _REPLACE] and not before:
        return True, tokenizer, None
    if steps == [_REPLACE] and before in ([], [_NOTHING_TO_SPLIT]):
        return False, tokenizer, None
    _require(not steps and len(before) == 1 and before[0]["type"] == "Metaspace")
    _require(before[0]["replacement"] == BLANK and not before[0]["split"])
    if before[0]["prepend_scheme"] == "never":
        return False, tokenizer, None
    right = _read(tokenizer, conversations)
    alike = [adds for adds in (True, False) if _read(_as_there(tokenizer, adds), conversations) == right]
    adds = alike[0] if alike else True
    after = " and after each special token" if before[0]["prepend_scheme"] == "first" else ""
    told_apart = "" if alike else ", so conversations become other tokens there"
    return adds, _as_there(tokenizer, adds), _BEFORE_ALL.format(after, told_apart) if adds else _BEFORE_NONE


def _steps(told: dict[str, Any] | None, called: str) -> list[dict[str, Any]]:
    if told is None:
        return []
    return list(told[called]) if told["type"] == "Sequence" else [told]


def _as_there(tokenizer: Any, adds_space: bool) -> Any:
    """A copy that puts a blank before all that stands between special tokens, or before nothing."""
    there = copy.deepcopy(tokenizer)
    prepend = [normalizers.Prepend(BLANK)] if adds_space else []
    there.backend_tokenizer.normalizer = normalizers.Sequence([*prepend, normalizers.Replace(" ", BLANK)])
    there.backend_tokenizer.pre_tokenizer = None
    return there


def _read(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
