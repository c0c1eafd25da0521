"""A text that somebody gives is scored as transformers scores it, in as many windows as it needs."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.worker import designs
from tests.worker.generation.test_text_stream import KINDS, random_text
from worker.contract import ModelSource
from worker.generation.scoring import Scoring, windows_of
from worker.generation.text_request import ScoreRequest
from worker.models.loading import LanguageModel, load_model

STORY = "Once upon a time there was a little fox. It went to the river, and there it met an old heron. "


class Told:
    """Takes what is said to a request."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.left = False

    def send(self, event: str, **data: Any) -> None:
        self.events.append((event, data))

    def is_cancelled(self) -> bool:
        return self.left


@pytest.fixture(scope="module")
def folder(finished_run: Path) -> Path:
    return finished_run / "model"


@pytest.fixture(scope="module")
def trained(folder: Path) -> LanguageModel:
    loaded = load_model(ModelSource(kind="folder", location=str(folder)))
    loaded.model.eval()
    return loaded


def scored(model: LanguageModel, text: str, **wanted: Any) -> dict[str, Any]:
    told = Told()
    source = ModelSource(kind="folder", location="here")
    scoring = Scoring(ScoreRequest(id=1, op="score", model=source, text=text, **wanted), model, told)  # type: ignore[arg-type]
    while not scoring.step():
        pass
    assert told.events[-1][0] == "done"
    return told.events[-1][1]


def test_a_text_is_scored_as_by_transformers(trained: LanguageModel, folder: Path) -> None:
    found = scored(trained, STORY)
    theirs, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(STORY, return_tensors="pt")
    with torch.inference_mode():
        loss = float(theirs(**inputs, labels=inputs["input_ids"]).loss)
    assert found["windows"] == 1
    assert found["scores"]["loss"] == pytest.approx(loss, abs=1e-4)
    assert found["scores"]["perplexity"] == pytest.approx(math.exp(loss), rel=1e-4)
    # lm-eval's bits per byte: the negated log-likelihood over the bytes over ln 2, here of all after the first token.
    size = len(STORY.encode()) - len(tokenizer.decode(inputs["input_ids"][0, :1]).encode())
    tokens = inputs["input_ids"].shape[1] - 1
    assert (found["scores"]["bytes"], found["scores"]["tokens"]) == (size, tokens)
    assert found["scores"]["bits_per_byte"] == pytest.approx(loss * tokens / size / math.log(2), rel=1e-5)
    assert "".join(token["text"] for token in found["tokens"]) == STORY
    assert sum(token["nats"] or 0 for token in found["tokens"]) / tokens == pytest.approx(loss, abs=1e-4)


def test_a_long_text_is_scored_with_a_stride_as_the_guide_of_transformers_does_it(
    trained: LanguageModel, folder: Path
) -> None:
    """Windows of the context's length, half of it further each time, in which all that was scored before has no label."""
    text = STORY * 40
    theirs, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids, context = tokenizer(text, return_tensors="pt")["input_ids"], theirs.config.n_positions
    total, end = 0.0, context + 1
    with torch.inference_mode():
        total += float(theirs(ids[:, :context]).logits[0].log_softmax(-1).gather(1, ids[0, 1:end, None]).sum())
        while end < ids.shape[1]:
            new = min(context // 2, ids.shape[1] - end)
            part = ids[:, end + new - context - 1 : end + new]
            labels = part.clone()
            labels[:, :-new] = -100
            logits = theirs(part[:, :-1]).logits[0, -new:]
            total += float(logits.log_softmax(-1).gather(1, labels[0, -new:, None]).sum())
            end += new
    found = scored(trained, text)
    assert found["windows"] > 3
    assert found["scores"]["tokens"] == ids.shape[1] - 1
    assert found["scores"]["loss"] == pytest.approx(-total / (ids.shape[1] - 1), abs=1e-4)


def test_windows_score_each_token_once_with_half_a_window_before_it() -> None:
    random_ = random.Random(3)
    for _ in range(300):
        length, most = random_.randint(1, 400), random_.randint(1, 90)
        windows = windows_of(length, most)
        assert [place for window in windows for place in range(window.first, window.end)] == list(range(1, length))
        for number, window in enumerate(windows):
            assert window.end - 1 - window.start <= most
            assert not number or window.first - window.start >= most // 2


def test_special_tokens_that_are_typed_are_text(trained: LanguageModel) -> None:
    found = scored(trained, "The end.<|endoftext|> Or not?")
    assert trained.tokenizer.eos_token_id not in [token["id"] for token in found["tokens"]]
    assert "".join(token["text"] for token in found["tokens"]) == "The end.<|endoftext|> Or not?"


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_by_any_tokenizer(kind: str) -> None:
    tokenizer = KINDS[kind]()
    model = designs.make("gpt2", vocab_size=len(tokenizer)).eval()
    language_model = LanguageModel(model, tokenizer, designs.CONTEXT)
    random_ = random.Random(11)
    for text in ["a", "\u2028", "", *(random_text(random_, 80) for _ in range(6))]:
        found = scored(language_model, text, top=2)
        ids = [token["id"] for token in found["tokens"]]
        shown = "".join(token["text"] for token in found["tokens"] if token["bytes"])
        if "<unk>" not in "".join(token["text"] for token in found["tokens"]):
            assert shown == tokenizer.decode(ids, skip_special_tokens=True)
        assert found["scores"]["tokens"] == max(0, len(ids) - 1)
        assert all(token["rank"] >= 1 and len(token["top"]) == 2 for token in found["tokens"][1:])


def test_whoever_leaves_is_not_waited_for(trained: LanguageModel) -> None:
    told = Told()
    source = ModelSource(kind="folder", location="here")
    request = ScoreRequest(id=1, op="score", model=source, text=STORY * 40)
    scoring = Scoring(request, trained, told)  # type: ignore[arg-type]
    assert not scoring.step()
    told.left = True
    assert scoring.step()
    assert [event for event, _ in told.events] == ["progress", "done"]
