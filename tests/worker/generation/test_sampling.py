from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from worker.contract import ModelSource
from worker.errors import UnsupportedError
from worker.generation.sampling import Sampling, Writer, _choose, _warpers, encode_chat, encode_prompt, stream
from worker.models.loading import LanguageModel, build, load_model

PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def trained(finished_run: Path) -> LanguageModel:
    return load_model(ModelSource(kind="folder", location=str(finished_run / "model")))


def generate(model: LanguageModel, prompt: str, **sampling: Any) -> list[Any]:
    return list(stream(model, encode_prompt(model, prompt).ids, Sampling(**sampling)))


def text_of(pieces: list[Any]) -> str:
    return "".join(piece.text for piece in pieces)


def test_greedy_text_is_what_transformers_generates(trained: LanguageModel) -> None:
    pieces = generate(trained, PROMPT, max_new_tokens=30, temperature=0, top_p=1)
    inputs = trained.tokenizer(PROMPT, return_tensors="pt")
    theirs = trained.model.generate(**inputs, max_new_tokens=30, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert [piece.id for piece in pieces] == theirs.tolist()
    assert text_of(pieces) == trained.tokenizer.decode(theirs, skip_special_tokens=True)


def test_a_repetition_penalty_is_that_of_transformers(trained: LanguageModel) -> None:
    pieces = generate(trained, PROMPT, max_new_tokens=30, temperature=0, top_p=1, repetition_penalty=1.3)
    inputs = trained.tokenizer(PROMPT, return_tensors="pt")
    theirs = trained.model.generate(**inputs, max_new_tokens=30, do_sample=False, repetition_penalty=1.3)
    assert [piece.id for piece in pieces] == theirs[0, inputs["input_ids"].shape[1] :].tolist()
    assert [piece.id for piece in pieces] != [
        piece.id for piece in generate(trained, PROMPT, max_new_tokens=30, temperature=0)
    ]


@pytest.mark.parametrize(("presence", "frequency"), [(0.5, 0.0), (0.0, 0.3), (0.4, -0.2)])
def test_penalties_are_those_of_openai(trained: LanguageModel, presence: float, frequency: float) -> None:
    """logit - count * frequency - (count > 0) * presence, count being how often the answer has the token."""
    settings = Sampling(temperature=0, presence_penalty=presence, frequency_penalty=frequency, logit_bias=((3, 0.25),))
    writer = Writer(trained, [5, 6], settings)
    writer._written.update([7, 7, 7, 9])
    logits = torch.zeros(1, 20)
    expected = torch.zeros(1, 20)
    expected[0, 3] = 0.25
    expected[0, 7], expected[0, 9] = -3 * frequency - presence, -frequency - presence
    torch.testing.assert_close(writer._adjusted(logits), expected)


def test_a_seed_repeats_the_text_and_another_does_not(trained: LanguageModel) -> None:
    texts = [text_of(generate(trained, PROMPT, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_top_k_of_one_is_greedy(trained: LanguageModel) -> None:
    greedy = generate(trained, PROMPT, temperature=0, max_new_tokens=12)
    assert [p.id for p in generate(trained, PROMPT, top_k=1, max_new_tokens=12)] == [p.id for p in greedy]


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({"top_p": 1.0}, {0, 1, 2, 3}), ({"top_p": 0.85}, {0, 1, 2}), ({"top_p": 0.6}, {0, 1}), ({"top_p": 0.4}, {0}),
        ({"top_p": 1.0, "top_k": 2}, {0, 1}), ({"top_p": 0.4, "top_k": 3}, {0}), ({"top_p": 1.0, "temperature": 0.0}, {0}),
        ({"top_p": 0.65, "temperature": 3.0}, {0, 1, 2}), ({"top_p": 1.0, "min_p": 0.5}, {0, 1}),
    ],
)  # fmt: skip
def test_each_setting_bars_the_tokens_that_it_should(settings: dict[str, Any], drawn: set[int]) -> None:
    """Chances of 0.5, 0.3, 0.15 and 0.05. At a temperature of 3 they are nearer to each other, so that 0.65 takes three."""
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    chosen = Sampling(**{"temperature": 1.0, **settings})
    generator = torch.Generator().manual_seed(0)
    assert {_choose(logits, chosen, _warpers(chosen), generator) for _ in range(400)} == drawn


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.5), (0.5, 0.685), (2.0, 0.379)])
def test_temperature_changes_the_chances_as_its_formula_says(temperature: float, share: float) -> None:
    """softmax(log p / T): of the likeliest token, p^(1/T) over the sum of all of them."""
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    chosen = Sampling(temperature=temperature, top_p=1.0)
    generator = torch.Generator().manual_seed(0)
    found = [_choose(logits, chosen, _warpers(chosen), generator) for _ in range(4000)]
    assert found.count(0) / 4000 == pytest.approx(share, abs=0.03)


def test_a_small_top_p_is_greedy(trained: LanguageModel) -> None:
    greedy = generate(trained, PROMPT, temperature=0, max_new_tokens=12)
    found = generate(trained, PROMPT, top_p=1e-6, temperature=1.5, seed=5, max_new_tokens=12)
    assert [piece.id for piece in found] == [piece.id for piece in greedy]


def test_logprobs_are_those_of_the_plain_model(trained: LanguageModel) -> None:
    ids = encode_prompt(trained, PROMPT).ids
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
    prompt_ids = encode_prompt(trained, "word " * 100).ids
    pieces = list(stream(trained, prompt_ids, Sampling(max_new_tokens=10_000)))
    assert pieces[-1].finish == "length"
    assert len(prompt_ids) + len(pieces) == trained.context == 256


def test_a_prompt_longer_than_the_context_keeps_its_end(trained: LanguageModel) -> None:
    text = "old " * 400 + "The newest words"
    ids, truncated = encode_prompt(trained, text)
    assert len(ids) < trained.context
    assert len(ids) + truncated == len(trained.tokenizer(text, verbose=False)["input_ids"])
    assert trained.tokenizer.decode(ids).endswith("The newest words")


def test_an_empty_prompt_starts_a_text(trained: LanguageModel) -> None:
    assert encode_prompt(trained, "") == ([trained.tokenizer.bos_token_id], 0)
    assert text_of(generate(trained, "", seed=1))


def test_an_untrained_model_writes_whole_characters(corpus: list[str]) -> None:
    torch.manual_seed(0)
    model = build("tiny", corpus)
    model.model.eval()
    pieces = generate(model, PROMPT, seed=1, max_new_tokens=80, top_p=1)
    whole = model.tokenizer.decode([piece.id for piece in pieces], skip_special_tokens=True)
    assert text_of(pieces) == whole
    assert "\ufffd" not in "".join(piece.text for piece in pieces[:-1]) or "\ufffd" in whole


def test_tools_are_shown_or_refused() -> None:
    """By templates that have a place for them, and those that have none."""
    model, messages, tools = build("tiny", ["a b c"] * 50), [{"role": "user", "content": "Hi"}], [{"type": "function"}]
    model.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    with pytest.raises(UnsupportedError, match="no place for tools") as refused:
        encode_chat(model, messages, {}, tools)
    assert refused.value.field == "tools"
    plain = encode_chat(model, messages, {})
    assert encode_chat(model, messages, {}, []) == plain
    model.tokenizer.chat_template = "{{ tools }}{{ messages[0]['content'] }}"
    assert len(encode_chat(model, messages, {}, tools).ids) > len(plain.ids)


def test_a_developer_is_the_system_where_a_template_knows_none() -> None:
    model, messages = build("tiny", ["a b c"] * 50), [{"role": "developer", "content": "Be short."}]
    for template, shown in (("{{ messages[0].role }}", "system"), ("{# developer #}{{ messages[0].role }}", "developer")):
        model.tokenizer.chat_template = template
        assert model.tokenizer.decode(encode_chat(model, messages, {}).ids) == shown
