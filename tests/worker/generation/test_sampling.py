from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from worker.contract import ModelSource
from worker.generation.sampling import Sampling, encode_prompt, stream
from worker.models.loading import LanguageModel, build, load_model

PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def trained(finished_run: Path) -> LanguageModel:
    return load_model(ModelSource(kind="folder", location=str(finished_run / "model")))


def generate(model: LanguageModel, prompt: str, **sampling: Any) -> list[Any]:
    return list(stream(model, encode_prompt(model, prompt), Sampling(**sampling)))


def text_of(pieces: list[Any]) -> str:
    return "".join(piece.text for piece in pieces)


def test_greedy_text_is_what_transformers_generates(trained: LanguageModel) -> None:
    pieces = generate(trained, PROMPT, max_new_tokens=30, temperature=0, top_p=1)
    inputs = trained.tokenizer(PROMPT, return_tensors="pt")
    theirs = trained.model.generate(**inputs, max_new_tokens=30, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert [piece.id for piece in pieces] == theirs.tolist()
    assert text_of(pieces) == trained.tokenizer.decode(theirs, skip_special_tokens=True)


def test_a_seed_repeats_the_text_and_another_does_not(trained: LanguageModel) -> None:
    texts = [text_of(generate(trained, PROMPT, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_top_k_of_one_is_greedy(trained: LanguageModel) -> None:
    greedy = generate(trained, PROMPT, temperature=0, max_new_tokens=12)
    assert [p.id for p in generate(trained, PROMPT, top_k=1, max_new_tokens=12)] == [p.id for p in greedy]


def test_logprobs_are_those_of_the_plain_model(trained: LanguageModel) -> None:
    ids = encode_prompt(trained, PROMPT)
    pieces = generate(trained, PROMPT, max_new_tokens=8, temperature=2.0, seed=3)
    with torch.no_grad():
        logits = trained.model(torch.tensor([ids + [piece.id for piece in pieces]])).logits[0, len(ids) - 1 : -1]
    expected = logits.log_softmax(-1)[range(8), [piece.id for piece in pieces]]
    assert [piece.logprob for piece in pieces] == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_only_the_last_piece_tells_why_the_text_ended(trained: LanguageModel, temperature: float) -> None:
    pieces = generate(trained, PROMPT, max_new_tokens=5, temperature=temperature, seed=1)
    assert [piece.finish for piece in pieces] == [None] * 4 + ["length"]


def forced(monkeypatch: pytest.MonkeyPatch, model: LanguageModel, text: str) -> list[int]:
    """Makes the model choose the tokens of ``text``, so that what is shown of them can be checked."""
    ids: list[int] = model.tokenizer(text)["input_ids"] + [model.tokenizer.eos_token_id]
    coming = iter(ids)
    monkeypatch.setattr("worker.generation.sampling._choose", lambda *_: next(coming))
    return ids


@pytest.mark.parametrize("text", ["naïve 🐢🐢 turtle", "日本語 text", "a\ufffdb", " leading space", "two\n\nlines"])
def test_no_piece_holds_part_of_a_character(monkeypatch: pytest.MonkeyPatch, trained: LanguageModel, text: str) -> None:
    ids = forced(monkeypatch, trained, text)
    pieces = generate(trained, PROMPT, max_new_tokens=100)
    assert len(pieces) == len(ids)
    assert text_of(pieces) == text
    assert not any("\ufffd" in piece.text for piece in pieces if "\ufffd" not in text)
    assert pieces[-1].finish == "stop"


@pytest.mark.parametrize(
    ("stops", "shown"),
    [
        (("the end",), "This is "),
        (("END", "is "), "Th"),
        (("the endless",), "This is the end of it"),
        (("of it!", "it?"), "This is the end of it"),
        (("T",), ""),
    ],
)
def test_text_ends_before_a_stop_string(
    monkeypatch: pytest.MonkeyPatch, trained: LanguageModel, stops: tuple[str, ...], shown: str
) -> None:
    forced(monkeypatch, trained, "This is the end of it")
    pieces = generate(trained, PROMPT, max_new_tokens=100, stop=stops)
    assert text_of(pieces) == shown
    assert pieces[-1].finish == "stop"


def test_text_ends_where_the_context_does(monkeypatch: pytest.MonkeyPatch, trained: LanguageModel) -> None:
    monkeypatch.setattr("worker.generation.sampling._choose", lambda *_: 40)
    prompt_ids = encode_prompt(trained, "word " * 100)
    pieces = list(stream(trained, prompt_ids, Sampling(max_new_tokens=10_000)))
    assert pieces[-1].finish == "length"
    assert len(prompt_ids) + len(pieces) == trained.context == 256


def test_a_prompt_longer_than_the_context_keeps_its_end(trained: LanguageModel) -> None:
    ids = encode_prompt(trained, "old " * 400 + "The newest words")
    assert len(ids) < trained.context
    assert trained.tokenizer.decode(ids).endswith("The newest words")


def test_an_empty_prompt_starts_a_text(trained: LanguageModel) -> None:
    assert encode_prompt(trained, "") == [trained.tokenizer.bos_token_id]
    assert text_of(generate(trained, "", seed=1))


def test_an_untrained_model_writes_whole_characters(corpus: list[str]) -> None:
    torch.manual_seed(0)
    model = build("tiny", corpus)
    model.model.eval()
    text = text_of(generate(model, PROMPT, seed=1, max_new_tokens=80, top_p=1))
    assert text.encode().decode() == text
