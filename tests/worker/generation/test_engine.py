"""Texts that come and go are what transformers writes, each alone."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.worker import designs
from worker.contract import ModelSource
from worker.data.tokenizer import train_tokenizer
from worker.errors import UnsupportedError
from worker.generation.engine import Engine, Request
from worker.generation.sampling import Writer
from worker.models.loading import load_model

GROUPED: dict[str, Any] = {**designs.SIZES, "head_dim": 8, "initializer_range": 0.3}
DESIGNS: dict[str, Any] = {
    "GPT-2": lambda words: GPT2LMHeadModel(
        GPT2Config(vocab_size=words, n_positions=64, n_embd=32, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0)
    ),
    "Llama": lambda words: LlamaForCausalLM(LlamaConfig(**{**GROUPED, "vocab_size": words})),
    "Qwen3": lambda words: Qwen3ForCausalLM(Qwen3Config(**{**GROUPED, "vocab_size": words})),
    "Gemma 3, with a window": lambda words: Gemma3ForCausalLM(
        Gemma3TextConfig(**{**GROUPED, "vocab_size": words, "sliding_window": 8, "query_pre_attn_scalar": 8})
    ),
}
PROMPTS = ["a", "the owl and the fox", "once upon a time there was a little hen", "fox", "and so they all went home."]


class Heard:
    """What an engine says to one request."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def send(self, event: str, **data: Any) -> None:
        self.events.append((event, data))

    def is_cancelled(self) -> bool:
        return False

    def tokens(self) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == "token"]


@pytest.fixture(scope="module", params=DESIGNS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(PROMPTS, 300, 64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        DESIGNS[request.param](len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def ask(folder: Path) -> Callable[..., Heard]:
    """Asks ``engine`` for a text, and has it begin."""
    numbers = itertools.count()

    def ask(engine: Engine, **request: Any) -> Heard:
        heard: Any = Heard()
        source = ModelSource(kind="folder", location=str(folder))
        asked = {"id": next(numbers), "op": "generate", "model": source, "top_p": 1.0, "device": "cpu", **request}
        engine.begin(Request(**asked), heard)
        return heard

    return ask


@pytest.fixture
def engine(ask: Callable[..., Heard]) -> Iterator[Engine]:
    """With the model in its memory."""
    woken = threading.Event()
    engine = Engine(woken.set)
    ask(engine, prompt="fox", max_new_tokens=1)
    while engine.state()["loading"]:
        assert woken.wait(60)
        woken.clear()
        engine.step()
    yield engine
    engine.close()


def test_texts_that_come_and_go_are_those_of_transformers(folder: Path, engine: Engine, ask: Callable[..., Heard]) -> None:
    """Greedily, token by token, to the model's end or as many as were asked for."""
    model = load_model(ModelSource(kind="folder", location=str(folder)))
    random_ = random.Random(2)
    jobs = [(prompt, random_.randint(1, 30)) for prompt in PROMPTS * 3]
    heard: list[Heard] = []
    while len(heard) < len(jobs) or engine.busy:
        while len(heard) < len(jobs) and (not engine.busy or random_.random() < 0.3):
            prompt, length = jobs[len(heard)]
            heard.append(ask(engine, prompt=prompt, temperature=0, max_new_tokens=length))
        engine.step()
    for (prompt, length), each in zip(jobs, heard, strict=True):
        ids = model.tokenizer(prompt, return_tensors="pt")
        theirs = model.model.generate(**ids, max_new_tokens=length, do_sample=False)[0, ids["input_ids"].shape[1] :].tolist()
        assert [token["id"] for token in each.tokens()] == theirs


def test_chances_are_those_of_a_plain_pass(folder: Path, engine: Engine, ask: Callable[..., Heard]) -> None:
    """Of what is written side by side, and of prompts, within 1e-4 nats."""
    model = load_model(ModelSource(kind="folder", location=str(folder)))
    settings = {"temperature": 1.5, "logprobs": True, "top_logprobs": 4, "echo": True, "max_new_tokens": 12}
    heard = [ask(engine, prompt=prompt, seed=number, **settings) for number, prompt in enumerate(PROMPTS)]
    while engine.busy:
        engine.step()
    for each in heard:
        told = [*next(data["tokens"] for event, data in each.events if event == "prompt"), *each.tokens()]
        ids = torch.tensor([[token["id"] for token in told]])
        with torch.no_grad():
            plain = torch.log_softmax(model.model.eval()(ids).logits[0].float(), dim=-1)
        assert told[0]["logprob"] is None
        for place, token in enumerate(told[1:]):
            assert token["logprob"] == pytest.approx(float(plain[place, token["id"]]), abs=1e-4)
            best = plain[place].topk(4).values.tolist()
            assert [top["logprob"] for top in token["top_logprobs"]] == pytest.approx(best, abs=1e-4)


def test_what_goes_wrong_with_a_text_ends_no_other(
    engine: Engine, ask: Callable[..., Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = ask(engine, prompt="fox", seed=1)
    while engine.busy:
        engine.step()
    good, bad = ask(engine, prompt="fox", seed=1), ask(engine, prompt="a", temperature=0)
    choose = Writer.choose

    def breaking(writer: Writer, logits: torch.Tensor) -> Any:
        if writer._sampling.temperature == 0:
            raise UnsupportedError("response_format", "too much")
        return choose(writer, logits)

    monkeypatch.setattr(Writer, "choose", breaking)
    worse = ask(engine, prompt="owl", temperature=0)
    while engine.busy:
        engine.step()
    assert [token["id"] for token in good.tokens()] == [token["id"] for token in alone.tokens()]
    assert [event for event, _ in bad.events] == ["token", "error"]
    assert worse.events == [
        ("error", {"code": "unsupported", "message": "too much", "hint": None, "field": "response_format"})
    ]
