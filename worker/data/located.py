"""A text's tokens, and where in it each of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from worker.data.chats.special_tokens import Spans

Located = tuple[list[int], Spans]
"""Token ids, and from which character to which each token reaches."""


def located(
    tokenizer: Any, parts: Sequence[tuple[str, Spans]], *, own_marks: bool, split_special_tokens: bool
) -> list[Located]:
    """Texts, each with the spans that matter in it, in tokens. ``own_marks``: with those that the tokenizer puts around a
    text itself. ``split_special_tokens``: what is typed of such is text."""
    if not parts:
        return []
    if not tokenizer.is_fast:
        return [_piece_by_piece(tokenizer, text, spans, own_marks) for text, spans in parts]
    found = tokenizer(
        [text for text, _ in parts],
        add_special_tokens=own_marks,
        split_special_tokens=split_special_tokens,
        return_attention_mask=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    return list(zip(found["input_ids"], found["offset_mapping"], strict=True))


def _piece_by_piece(tokenizer: Any, text: str, spans: Spans, own_marks: bool) -> Located:
    """The same from a tokenizer that cannot tell where its tokens stand: it is given the pieces between the spans' ends one
    by one, as it is when a model is asked with the first of them. A token reaches as far as its piece."""
    ends = [end for start, end in spans for end in (start, start + len(text[start:end].rstrip()), end)]
    ids: list[int] = []
    offsets: Spans = []
    for start, end in pairwise(sorted({0, *ends, len(text)})):
        piece = tokenizer(text[start:end], add_special_tokens=False, verbose=False)["input_ids"]
        ids, offsets = ids + piece, offsets + [(start, end)] * len(piece)
    if not own_marks:
        return ids, offsets
    whole = tokenizer.build_inputs_with_special_tokens(ids)
    before = next(place for place in range(len(whole)) if whole[place : place + len(ids)] == ids)
    after = len(whole) - len(ids) - before
    return whole, [(0, 0)] * before + offsets + [(len(text), len(text))] * after
