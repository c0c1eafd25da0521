"""Cross-entropy of a language model's last layer, without ever holding all its logits."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from worker.data.batching import next_of_few
from worker.devices.precision import dtype_of_products

_LOGITS_AT_ONCE = {"cpu": 1 << 25, "cuda": 1 << 27}  # numbers; a GPU needs more of them to be busy
_IN_CACHE = 1 << 18  # numbers that a CPU goes through several times without fetching them from its memory again


def cross_entropy_sum(
    logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0, each: torch.Tensor | None = None
) -> torch.Tensor:
    """The loss of ``targets`` [tokens] int64 given ``logits`` [tokens, vocabulary], summed, in nats, in fp32.

    With ``smoothing`` the gradients are those of label smoothing (Szegedy et al., 2016): the target gets that much less than
    1, and all tokens share it evenly. The value stays the plain loss, so that it can be compared. ``each`` [tokens] float32
    is filled with what every token adds to it.
    """
    logits = logits.float()
    losses = F.cross_entropy(logits, targets, reduction="none")
    loss = losses.sum()
    if each is not None:
        each.copy_(losses.detach())
    if not smoothing:
        return loss
    smoothed = F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    return smoothed + (loss - smoothed).detach()


def linear_cross_entropy_sum(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    smoothing: float = 0.0,
    each: torch.Tensor | None = None,
) -> torch.Tensor:
    """``cross_entropy_sum(linear(hidden, weight, bias), targets, smoothing, each)``, in little memory.

    ``hidden`` is [tokens, width]. Goes through the tokens in chunks; of each chunk's logits it keeps the loss and the
    gradients. Under autocast the products are computed in its number format, as elsewhere; the loss and sums over chunks
    are in fp32.
    """
    kind = hidden.device.type
    dtype = dtype_of_products(hidden)
    with torch.autocast(kind, enabled=False):
        if torch.is_grad_enabled():
            loss: torch.Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, targets, dtype, smoothing, each)  # type: ignore[no-untyped-call]
            return loss
        return _go_through(hidden, weight, bias, targets, dtype, smoothing, None, (False, False, False), each)[0]


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the gradients along with the loss, so that logits are computed once and need not be kept.

    In fp16 they are computed on the way back, from logits computed again: before the loss is scaled they are too small
    for its range, and an overflow must show after scaling, where the scaler looks for it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        dtype: torch.dtype,
        smoothing: float,
        each: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.dtype, ctx.smoothing = dtype, smoothing
        if dtype == torch.float16:
            ctx.save_for_backward(hidden, weight, bias, targets)
            return _go_through(hidden, weight, bias, targets, dtype, smoothing, None, (False, False, False), each)[0]
        needed = ctx.needs_input_grad[:3]
        loss, *gradients = _go_through(hidden, weight, bias, targets, dtype, smoothing, None, needed, each)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if ctx.dtype == torch.float16:
            hidden, weight, bias, targets = ctx.saved_tensors
            needed = ctx.needs_input_grad[:3]
            _, *gradients = _go_through(hidden, weight, bias, targets, ctx.dtype, ctx.smoothing, grad_loss, needed)
            return (*gradients, None, None, None, None)
        # In place: nobody else has them, and the weight's is large.
        gradients = [None if gradient is None else gradient.mul_(grad_loss) for gradient in ctx.saved_tensors]
        return (*gradients, None, None, None, None)


def _go_through(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    dtype: torch.dtype,
    smoothing: float,
    scale: torch.Tensor | None,
    needed: tuple[bool, ...],
    each: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """The loss, and the gradients of ``scale`` times the smoothed loss that are ``needed``: hidden's, the weight's, the
    bias's. ``each`` as in ``cross_entropy_sum``."""
    grad_hidden = torch.empty_like(hidden) if needed[0] else None
    grad_weight: torch.Tensor | None = None
    grad_bias = torch.zeros_like(bias) if bias is not None and needed[2] else None
    loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
    half_weight = weight.to(dtype)
    half_bias = None if bias is None else bias.to(dtype)
    rows = chunk_rows(hidden.device.type, weight.shape[0])
    for start in range(0, len(targets), rows):
        chunk = slice(start, start + rows)
        wanted = targets[chunk]
        inputs = _of_few_sizes(hidden[chunk].to(dtype))
        logits = F.linear(inputs, half_weight, half_bias)
        own = None if each is None else each[chunk]
        loss += _loss_of(logits[: len(wanted)], wanted, smoothing, scale, grad_bias, any(needed), own)
        logits[len(wanted) :] = 0
        if grad_hidden is not None:
            grad_hidden[chunk] = (logits @ half_weight)[: len(wanted)]
        if needed[1]:
            grad_weight = _with_product(grad_weight, logits.T, inputs)
        del logits  # before the next ones are made
    return loss, grad_hidden, grad_weight, grad_bias


def _of_few_sizes(inputs: torch.Tensor) -> torch.Tensor:
    """``inputs`` [rows, width], in half precision on a CPU with rows of zeros behind them: see ``batching.Sizes``."""
    if inputs.device.type != "cpu" or inputs.dtype == torch.float32:
        return inputs
    return F.pad(inputs, (0, 0, 0, next_of_few(len(inputs)) - len(inputs)))


def _loss_of(
    logits: torch.Tensor,
    targets: torch.Tensor,
    smoothing: float,
    scale: torch.Tensor | None,
    grad_bias: torch.Tensor | None,
    needed: bool,
    each: torch.Tensor | None,
) -> torch.Tensor:
    """The loss of ``targets`` [rows], summed. If gradients are ``needed``, those of ``logits`` [rows, vocabulary] are put in
    their place, and their sum is added to ``grad_bias``; ``each`` [rows] is filled with the loss of each."""
    loss = torch.zeros((), dtype=torch.float32, device=logits.device)
    rows = max(1, _IN_CACHE // logits.shape[1]) if logits.device.type == "cpu" else len(targets)
    each = torch.empty_like(targets, dtype=torch.float32) if each is None else each
    parts = (torch.split(tensor, rows) for tensor in (logits, targets[:, None], each))
    for part, wanted, losses in zip(*parts, strict=True):
        logprobs = torch.log_softmax(part, dim=-1, dtype=torch.float32)
        found = logprobs.gather(1, wanted)
        loss -= found.sum()
        torch.neg(found[:, 0], out=losses)
        if not needed:
            continue
        # d loss / d logits = softmax - 1 at the target; smoothed, what the target lacks is spread over all
        grad = logprobs.exp_()
        grad.scatter_add_(1, wanted, grad.new_full((1, 1), smoothing - 1.0).expand_as(wanted))
        if smoothing:
            grad -= smoothing / grad.shape[1]
        if scale is not None:
            grad *= scale
        part.copy_(grad)
        if grad_bias is not None:
            grad_bias += grad.sum(0)
    return loss


def _with_product(total: torch.Tensor | None, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``total`` and the product, in fp32 as the sum over chunks is; cast before it is added, which takes a third as long."""
    if total is None:
        return (left @ right).float()
    return total.addmm_(left, right) if left.dtype == torch.float32 else total.add_((left @ right).float())


def chunk_rows(kind: str, vocabulary: int) -> int:
    """Tokens whose logits are computed at once on a device of this ``kind``: a multiple of 64."""
    return max(1, _LOGITS_AT_ONCE.get(kind, 1 << 24) // vocabulary // 64) * 64
