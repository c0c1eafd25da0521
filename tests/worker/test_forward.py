"""A text's loss is its own, whatever it shares a forward pass with."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from worker.data import Examples
from worker.forward import Forward
from worker.model import LanguageModel

VOCABULARY = 97


class Ids:
    """Stands where the tokenizer does for models that are only given numbers."""

    pad_token_id = None
    eos_token_id = 0


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=3, n_head=4))


def llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
        )
    )


@pytest.fixture(params=[gpt2, llama], ids=["gpt2", "llama"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return request.param().eval()


@pytest.fixture
def examples() -> Examples:
    random = np.random.default_rng(0)
    lengths = [2, 30, 7, 64, 15]
    tokens = random.integers(0, VOCABULARY, size=sum(lengths)).astype(np.int32)
    return Examples(tokens, np.cumsum([0, *lengths]))


@torch.no_grad()
def test_padded_logits_equal_those_of_each_text_alone(model: Any, examples: Examples) -> None:
    rows = torch.zeros(len(examples), 64, dtype=torch.long)
    for index in range(len(examples)):
        rows[index, : len(examples[index])] = torch.from_numpy(examples[index].astype(np.int64))
    together = model(input_ids=rows, use_cache=False).logits
    for index in range(len(examples)):
        alone = model(input_ids=rows[index : index + 1, : len(examples[index])], use_cache=False).logits
        torch.testing.assert_close(together[index : index + 1, : len(examples[index])], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_loss_is_the_sum_over_every_text_of_its_own(model: Any, examples: Examples) -> None:
    forward = Forward(LanguageModel(model, Ids(), 64), "fp32")
    together = forward.loss_sum(examples, range(len(examples)))
    expected = 0.0
    for index in range(len(examples)):
        ids = torch.from_numpy(examples[index].astype(np.int64))
        expected += float(F.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="sum"))
    assert float(together) == pytest.approx(expected, rel=1e-5)


def test_gradients_do_not_depend_on_what_shares_the_pass(model: Any, examples: Examples) -> None:
    forward = Forward(LanguageModel(model, Ids(), 64), "fp32")
    forward.loss_sum(examples, range(5)).backward()
    together = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    for start, end in pairwise([0, 1, 3, 5]):
        forward.loss_sum(examples, range(start, end)).backward()
    for weight, grad in zip(model.parameters(), together, strict=True):
        torch.testing.assert_close(weight.grad, grad, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_bf16_computes_nearly_the_same_and_leaves_the_weights_alone(model: Any, examples: Examples) -> None:
    language_model = LanguageModel(model, Ids(), 64)
    exact = float(Forward(language_model, "fp32").loss_sum(examples, [1, 3]))
    rough = Forward(language_model, "bf16").loss_sum(examples, [1, 3])
    assert rough.dtype == torch.float32
    assert float(rough) != exact
    assert float(rough) == pytest.approx(exact, rel=0.02)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
