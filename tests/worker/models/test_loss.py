"""The loss that never holds all logits is the plain one, in every number format, and so are its gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode

from worker.models import loss
from worker.models.loss import chunk_rows, cross_entropy_sum, linear_cross_entropy_sum

TOKENS, WIDTH, VOCABULARY = 300, 16, 211


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 64 tokens, so that the last one is a smaller one."""
    monkeypatch.setitem(loss._LOGITS_AT_ONCE, "cpu", 64 * VOCABULARY)
    assert chunk_rows("cpu", VOCABULARY) == 64


def tensors(bias: bool = True) -> list[Any]:
    """Hidden states, weight, bias and targets, the same each time."""
    random = torch.Generator().manual_seed(0)
    shapes = [(TOKENS, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,)]
    made: list[Any] = [torch.randn(shape, generator=random).requires_grad_() for shape in shapes]
    if not bias:
        made[2] = None
    return [*made, torch.randint(VOCABULARY, (TOKENS,), generator=random)]


def plain(hidden: Any, weight: Any, bias: Any, targets: Any) -> torch.Tensor:
    return cross_entropy_sum(F.linear(hidden, weight, bias), targets)


def gradients(function: Any, inputs: list[Any], scale: float = 1.0) -> tuple[torch.Tensor, list[torch.Tensor]]:
    result = function(*inputs)
    return result.detach(), list(
        torch.autograd.grad(result * scale, [tensor for tensor in inputs[:3] if tensor is not None])
    )


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("bias", [True, False])
def test_loss_and_gradients_are_the_plain_ones_in_fp32(bias: bool) -> None:
    inputs = tensors(bias)
    expected, expected_grads = gradients(plain, inputs, scale=0.25)
    found, grads = gradients(linear_cross_entropy_sum, inputs, scale=0.25)
    assert difference(found, expected) < 1e-6
    assert len(grads) == 2 + bias
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert difference(grad, expected_grad) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_each_token_is_told_besides(dtype: torch.dtype, smoothing: float) -> None:
    inputs = tensors()
    expected = F.cross_entropy(F.linear(*inputs[:3]), inputs[3], reduction="none").detach()
    for function in (linear_cross_entropy_sum, None):
        each = torch.full_like(expected, math.nan)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            if function:
                found = function(*inputs, smoothing, each)
            else:
                found = cross_entropy_sum(F.linear(*inputs[:3]), inputs[3], smoothing, each)
            found.backward()
        assert difference(each, expected) < (1e-5 if dtype == torch.float32 else 2e-2)
        assert float(each.sum()) == pytest.approx(float(found.detach()), rel=1e-5)


@pytest.mark.parametrize("whole", [cross_entropy_sum, None])
def test_smoothing_changes_the_gradients_as_pytorch_does_and_not_the_loss(whole: Any) -> None:
    def smoothed(hidden: Any, weight: Any, bias: Any, targets: Any) -> torch.Tensor:
        return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum", label_smoothing=0.1)

    def ours(hidden: Any, weight: Any, bias: Any, targets: Any) -> torch.Tensor:
        if whole:
            return cross_entropy_sum(F.linear(hidden, weight, bias), targets, 0.1)
        return linear_cross_entropy_sum(hidden, weight, bias, targets, 0.1)

    inputs = tensors()
    found, grads = gradients(ours, inputs)
    assert difference(found, plain(*inputs).detach()) < 1e-6
    for grad, expected in zip(grads, gradients(smoothed, inputs)[1], strict=True):
        assert difference(grad, expected) < 1e-5
    for grad, unsmoothed in zip(grads, gradients(plain, inputs)[1], strict=True):
        assert difference(grad, unsmoothed) > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_they_are_as_near_to_fp32_as_the_plain_ones(dtype: torch.dtype) -> None:
    inputs = tensors()
    exact, exact_grads = gradients(plain, inputs)
    with torch.autocast("cpu", dtype):
        rough, rough_grads = gradients(plain, inputs)
        found, grads = gradients(linear_cross_entropy_sum, inputs)
    assert found.dtype == torch.float32
    assert difference(found, exact) <= 2 * difference(rough, exact) + 1e-5
    for grad, rough_grad, exact_grad in zip(grads, rough_grads, exact_grads, strict=True):
        assert grad.dtype == torch.float32
        assert 0 < difference(grad, exact_grad) < 1.5 * difference(rough_grad, exact_grad)


def test_in_fp16_an_overflow_shows_where_the_scaler_looks_for_it_and_tiny_gradients_are_kept() -> None:
    inputs = tensors()
    with torch.autocast("cpu", torch.float16):
        _, overflown = gradients(linear_cross_entropy_sum, inputs, scale=2.0**17)
        _, overflown_plain = gradients(plain, inputs, scale=2.0**17)
        inputs[2] = torch.zeros(VOCABULARY).index_fill(0, torch.arange(5, VOCABULARY), -22.0).requires_grad_()
        inputs[3] = inputs[3] % 5  # so that the other tokens get chances that fp16 cannot hold before scaling
        _, scaled = gradients(linear_cross_entropy_sum, inputs, scale=2.0**12)
    assert not all(grad.isfinite().all() for grad in overflown_plain[:2])
    assert [bool(grad.isfinite().all()) for grad in overflown[:2]] == [
        bool(grad.isfinite().all()) for grad in overflown_plain[:2]
    ]
    assert float(scaled[1][5:].abs().min()) > 0


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, _, targets = tensors(bias=False)
    expected = torch.autograd.grad(plain(hidden, weight, None, targets), hidden)[0]
    weight.requires_grad_(False)
    with Largest() as largest:
        linear_cross_entropy_sum(hidden, weight, None, targets).backward()
    assert weight.grad is None
    assert difference(hidden.grad, expected) < 1e-5
    assert (VOCABULARY, WIDTH) not in largest.shapes


def test_a_weight_that_is_the_embedding_too_gets_both_gradients() -> None:
    _, weight, _, targets = tensors()
    found, expected = (
        torch.autograd.grad(function(F.embedding(targets.roll(1), weight), weight, None, targets), weight)[0]
        for function in (linear_cross_entropy_sum, plain)
    )
    assert difference(found, expected) < 1e-5


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_only_the_loss_is_computed(mode: Any) -> None:
    inputs = tensors()
    expected = plain(*inputs).detach()
    with mode(), Largest() as largest:
        found = linear_cross_entropy_sum(*inputs)
    assert difference(found, expected) < 1e-6
    assert not found.requires_grad
    assert largest.numel == 64 * VOCABULARY
    assert (TOKENS, WIDTH) not in largest.shapes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_logits_of_all_tokens_never_exist_at_once(dtype: torch.dtype) -> None:
    inputs = tensors()
    with Largest() as largest, torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        linear_cross_entropy_sum(*inputs).backward()
    assert largest.numel == 64 * VOCABULARY
    with Largest() as largest:
        plain(*inputs).backward()
    assert largest.numel == TOKENS * VOCABULARY


@pytest.mark.parametrize(("kind", "vocabulary"), [("cpu", 50257), ("cuda", 50257), ("cpu", 256_000), ("cuda", 10**9)])
def test_chunks_take_little_memory_and_are_never_empty(kind: str, vocabulary: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    rows = chunk_rows(kind, vocabulary)
    assert rows % 64 == 0
    assert rows == 64 or rows * vocabulary * 4 <= (128 if kind == "cpu" else 512) << 20


class Largest(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation within gives, and all shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
                self.shapes.add(tuple(tensor.shape))
        return result
