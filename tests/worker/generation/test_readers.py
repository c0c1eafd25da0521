"""Texts side by side are read as each alone, whoever comes and goes."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import (
    DynamicCache,
    Gemma2Config,
    Gemma2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.worker import designs
from worker.generation.kv_cache import roomy_cache
from worker.generation.readers import Reader, Readers, reads_side_by_side

GROUPED = {**designs.SIZES, "head_dim": 8}
MODELS: dict[str, Any] = {
    "GPT-2": lambda: designs.make("gpt2"),
    "Llama": lambda: designs.make("llama"),
    "Qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**GROUPED)),
    "Gemma 2, with a window": lambda: Gemma2ForCausalLM(Gemma2Config(**GROUPED, sliding_window=8)),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return MODELS[request.param]().eval()


@torch.inference_mode()
def test_each_text_is_what_transformers_generates_alone(model: Any) -> None:
    """Greedily, while texts of 1 to 20 tokens come and go in an order that is drawn."""
    random_ = random.Random(4)
    prompts = [[random_.randrange(3, designs.VOCABULARY) for _ in range(random_.randint(1, 20))] for _ in range(12)]
    lengths = [random_.randint(2, 25) for _ in prompts]
    model.generation_config.eos_token_id = None
    expected = [
        model.generate(torch.tensor([prompt]), max_new_tokens=length, do_sample=False, pad_token_id=0)[
            0, len(prompt) :
        ].tolist()
        for prompt, length in zip(prompts, lengths, strict=True)
    ]
    readers, there = Readers(model), []
    found: list[list[int]] = [[] for _ in prompts]
    coming = list(range(len(prompts)))
    while coming or there:
        while coming and (not there or random_.random() < 0.3):
            there.append(coming.pop(0))
            found[there[-1]].append(int(readers.add(prompts[there[-1]]).argmax()))
        for row, logits in zip(there, readers.read([found[number][-1] for number in there]), strict=True):
            found[row].append(int(logits.argmax()))
        left = [place for place, number in enumerate(there) if len(found[number]) < lengths[number]]
        if len(left) < len(there):
            readers.keep(left)
            there = [there[place] for place in left]
    assert found == expected


def test_who_can_be_read_side_by_side_is_tried(model: Any) -> None:
    assert reads_side_by_side(model)
    mamba = MambaForCausalLM(MambaConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2)).eval()
    assert not reads_side_by_side(mamba)


def test_a_model_that_mixes_texts_is_not_read_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one would that counts its positions from the left of the padding."""
    model = designs.make("llama").eval()
    forward = type(model).forward

    def miscounting(self: Any, *arguments: Any, attention_mask: Any = None, **options: Any) -> Any:
        return forward(self, *arguments, attention_mask=None, **options)

    monkeypatch.setattr(type(model), "forward", miscounting)
    assert not reads_side_by_side(model)


@torch.inference_mode()
def test_a_text_alone_is_read_bit_by_bit(model: Any) -> None:
    ids = list(range(3, 20))
    whole = model(torch.tensor([ids])).logits[:, -1]
    reader = Reader(model)
    for part in (ids[:5], ids[5:6], ids[6:]):
        logits = reader.logits_after(part)
    torch.testing.assert_close(logits, whole, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_cache_with_room_holds_what_transformers_own_does() -> None:
    """To the last bit, through several times of more room; and the room is there, so that a token copies nothing."""
    torch.manual_seed(1)
    theirs, ours, places = DynamicCache(), roomy_cache(), set()
    for length in (5, *[1] * 60):
        keys, values = torch.randn(2, 3, length, 4), torch.randn(2, 3, length, 6)
        for mine, expected in zip(ours.update(keys, values, 0), theirs.update(keys, values, 0), strict=True):
            assert torch.equal(mine, expected)
        places.add(ours.layers[0].keys.data_ptr())
    assert ours.get_seq_length() == 65
    assert len(places) < 5
