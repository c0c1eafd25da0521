"""Tokenizers of pieces: llama.cpp splits texts in any script as the model's own does, or it is said where it does not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from tests.worker.export.subjects import JOB, subject
from tests.worker.generation.test_text_stream import KINDS, random_text
from worker.contract import Proof
from worker.errors import ModelError
from worker.export import gguf_export, proof
from worker.export.gguf_pieces import Pieces
from worker.export.gguf_vocabulary import Vocabulary, vocabulary_of
from worker.export.tried_texts import Tried, chats_of
from worker.models.loading import LanguageModel

TEXTS = 400


def changed(tokenizer: Any, change: Callable[[dict[str, Any]], object]) -> Any:
    """One whose tokenizer.json is changed."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    change(told)
    made = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(told)), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.chat_template = tokenizer.chat_template
    return made


def told_of(tokenizer: Any) -> Vocabulary:
    return vocabulary_of(tokenizer, len(tokenizer), [], [chat for chat in chats_of(tokenizer) if chat])


def pieces_of(tokenizer: Any) -> Pieces:
    pieces = told_of(tokenizer).pieces
    assert pieces
    return pieces


@pytest.mark.parametrize(
    ("shape", "adds_space", "says"),
    [("llama2", False, "no blank before a text"), ("mistral", True, None), ("gemma", False, None)],
)
def test_a_blank_is_put_before_texts_as_conversations_have_it(shape: str, adds_space: bool, says: str | None) -> None:
    pieces = pieces_of(subject(shape).tokenizer)
    assert pieces.adds_space == adds_space
    assert (says in pieces.note) if says and pieces.note else pieces.note is says
    assert not pieces.probes


def test_without_conversations_the_blank_is_put_and_that_is_said() -> None:
    tokenizer = subject("llama2").tokenizer
    tokenizer.chat_template = None
    pieces = pieces_of(tokenizer)
    assert pieces.adds_space
    assert pieces.note
    assert "after each special token" in pieces.note
    assert "conversations" not in pieces.note
    always = changed(tokenizer, lambda told: told["pre_tokenizer"].update(prepend_scheme="always"))
    note = pieces_of(always).note
    assert note
    assert "special token" not in note
    assert (
        pieces.reads(" a</s>b", add_special_tokens=False)["input_ids"]
        != tokenizer(" a</s>b", add_special_tokens=False)["input_ids"]
    )


def test_it_is_said_where_no_way_to_put_blanks_keeps_conversations() -> None:
    tokenizer = subject("llama2").tokenizer
    tokenizer.chat_template = subject(
        "mistral"
    ).tokenizer.chat_template  # begins with text, and goes on after a special token
    pieces = pieces_of(tokenizer)
    assert pieces.note
    assert "conversations become other tokens" in pieces.note


def test_kinds_of_tokens_and_their_scores() -> None:
    tokenizer = subject("gemma").tokenizer
    told = told_of(tokenizer)
    kinds = dict(zip(told.texts, told.types, strict=True))
    assert [kinds[text] for text in ("a", "<unk>", "<bos>", "<start_of_turn>", "<0x0A>")] == [1, 2, 3, 3, 6]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    made = list(dict.fromkeys("".join(merge) for merge in merges))
    scores = [told.scores[tokenizer.convert_tokens_to_ids(piece)] for piece in made]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(made)


def _without_a_byte(told: dict[str, Any]) -> None:
    token = told["model"]["vocab"].pop("<0x0A>")
    told["model"]["vocab"]["new"] = token


@pytest.mark.parametrize(
    "change",
    [
        _without_a_byte,
        lambda told: told.update(normalizer={"type": "NFKC"}),
        lambda told: told["model"].update(ignore_merges=True),
        lambda told: told.update(pre_tokenizer={"type": "Whitespace"}),
    ],
)
def test_one_that_splits_otherwise_is_refused(change: Any) -> None:
    with pytest.raises(ModelError, match="does not split text into pieces the way"):
        told_of(changed(subject("mistral").tokenizer, change))


def test_a_unigram_model_is_refused() -> None:
    with pytest.raises(ModelError, match="made of models with a BPE"):
        told_of(KINDS["SentencePiece"]())


def judged(model: LanguageModel, texts: list[str], folder: Path) -> Proof:
    """What llama.cpp makes of texts, and hardly anything else."""
    file = folder / "model.gguf"
    made = gguf_export.export_gguf(model, JOB, "fp16", file, lambda _: None)
    expected = made.expected(model, Tried([[1, 5, 6]], texts, "tests"), "fp16")
    answers = proof.ask_program("llama_cpp", [str(file)], expected, folder, lambda _: None)
    return proof.judge(expected, answers, made.faults(file), None, None, "llama.cpp")


@pytest.mark.process
@pytest.mark.parametrize(
    "shape", ["llama2", *(pytest.param(shape, marks=pytest.mark.slow) for shape in ("mistral", "gemma"))]
)
def test_llama_cpp_makes_the_same_tokens_of_any_text(shape: str, tmp_path: Path) -> None:
    texts = [random_text(random.Random(number)) for number in range(TEXTS)]
    model = subject(shape)
    assert len({token for text in texts for token in model.tokenizer(text)["input_ids"]}) > 90, "they try little"
    assert judged(model, texts, tmp_path).problems == []


@pytest.mark.process
def test_one_that_joins_fewer_pairs_is_refused_with_a_text(tmp_path: Path) -> None:
    """As the tokenizers library learns it: there is one way to each piece, and llama.cpp takes any."""

    def one_way(told: dict[str, Any]) -> None:
        ways = {"".join(merge): merge for merge in told["model"]["merges"]}
        told["model"]["merges"] = list(ways.values())

    model = subject("mistral")
    model = replace(model, tokenizer=changed(model.tokenizer, one_way))
    assert pieces_of(model.tokenizer).probes
    problems = judged(model, ["Plain."], tmp_path).problems
    assert len(problems) == 1
    assert "is split into other tokens there" in problems[0]
