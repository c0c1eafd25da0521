"""Each tokenizer's tokens stand for as many bytes as the text that it makes of them has."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.worker.generation.test_text_stream import KINDS, random_text
from worker.data.token_bytes import TokenBytes

TIDYING = {"WordPiece", "word ends, tidied up"}  # leave out blanks before some signs, so a text depends on all of its tokens


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_a_text_are_those_of_its_tokens(kind: str) -> None:
    tokenizer, random_ = KINDS[kind](), random.Random(7)
    counter = TokenBytes(tokenizer)
    counted = found = 0
    for _ in range(200):
        ids = tokenizer(random_text(random_), add_special_tokens=False)["input_ids"]
        text = tokenizer.decode(ids, skip_special_tokens=True)
        ids = [token for token in ids if counter.of(np.array([token]))[0]]
        if not ids or "\ufffd" in text:  # bytes that make up no character are shown as another one
            continue
        here = counter.leading(ids[0]) + int(counter.of(np.array(ids))[1:].sum())
        if kind not in TIDYING:
            assert here == len(text.encode()), (text, tokenizer.convert_ids_to_tokens(ids))
        counted, found = counted + here, found + len(text.encode())
    assert counted > 1000
    assert counted == pytest.approx(found, rel=0.25)


def test_special_tokens_stand_for_none_and_added_ones_for_their_names() -> None:
    tokenizer = KINDS["bytes"]()
    tokenizer.add_tokens(["grüß"])
    counter = TokenBytes(tokenizer)
    special, added = tokenizer.convert_tokens_to_ids(["<s>", "grüß"])
    assert counter.of(np.array([[special, added], [added, special]])).tolist() == [[0, 6], [6, 0]]
    assert counter.of(np.array([], dtype=int)).tolist() == []
