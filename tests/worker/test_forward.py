"""A text's loss is its own, whatever it shares a forward pass with and however they are laid out."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.batching import Layout, lay_out
from worker.forward import Forward, has_plain_head
from worker.model import LanguageModel
from worker.packing import choose_layout

CPU = torch.device("cpu")
EXAMPLES = random_examples([2, 30, 7, 64, 15, 30, 33], designs.VOCABULARY)


@pytest.fixture(params=designs.ALL)
def model(request: pytest.FixtureRequest) -> Any:
    return designs.make(request.param).eval()


@pytest.fixture(params=get_args(Layout))
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param  # type: ignore[no-any-return]


def losses(model: Any, layout: Layout, precision: Any = "fp32") -> list[torch.Tensor]:
    """The loss of each forward pass over all examples."""
    if layout == "packed":
        assert choose_layout(designs.language_model(model), True, precision, CPU) == ("packed", None)
    forward = Forward(designs.language_model(model), precision)
    batches = lay_out(EXAMPLES, range(len(EXAMPLES)), layout, batch_size=2, max_length=64)
    return [forward(batch.to(CPU)) for batch in batches]


def grads(model: Any) -> list[torch.Tensor]:
    found = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    return found


def texts() -> list[torch.Tensor]:
    return [torch.from_numpy(EXAMPLES[index]).long()[None] for index in range(len(EXAMPLES))]


def plain_loss(model: Any) -> torch.Tensor:
    """The sum over every text of its own, as transformers' model and PyTorch's loss give it."""
    parts = [F.cross_entropy(model(ids[:, :-1], use_cache=False).logits[0], ids[0, 1:], reduction="sum") for ids in texts()]
    return torch.stack(parts).sum()


def test_loss_and_gradients_are_the_sum_over_every_text_of_its_own(model: Any, layout: Layout) -> None:
    expected = plain_loss(model)
    expected.backward()
    expected_grads = grads(model)
    found = torch.stack(losses(model, layout)).sum()
    assert float(found) == pytest.approx(float(expected), rel=1e-6)
    found.backward()
    for grad, expected_grad in zip(grads(model), expected_grads, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-5 * expected_grad.abs().max().clamp(min=1)


def test_gradients_with_checkpointing_are_those_without(model: Any, layout: Layout) -> None:
    model.train()
    torch.stack(losses(model, layout)).sum().backward()
    expected = grads(model)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    torch.stack(losses(model, layout)).sum().backward()
    for grad, expected_grad in zip(grads(model), expected, strict=True):
        assert torch.equal(grad, expected_grad)
