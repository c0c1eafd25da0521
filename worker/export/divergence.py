"""What our own model says of each place, exactly and as it would with numbers rounded as an export rounds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers.pytorch_utils import Conv1D

Rows = list[list[int]]

_PLAIN = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BLOCK = 32  # numbers that share a scale in q8_0


@torch.inference_mode()
def log_probabilities(model: Any, rows: Rows) -> torch.Tensor:
    """Of what may follow each token: [tokens of all rows, vocabulary], in fp32, natural logarithms."""
    found = [model(input_ids=torch.tensor([row]), use_cache=False).logits[0].float().log_softmax(-1) for row in rows]
    return torch.cat(found)


def divergence(ours: torch.Tensor, ids: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    """The mean of KL(ours ‖ theirs) in nats, where ``theirs`` [places, likeliest] is told of the tokens ``ids`` alone.

    The other tokens count as one, which can only make it smaller. NaN if a number of theirs is.
    """
    p, q = ours.double().gather(1, torch.from_numpy(ids).long()), torch.from_numpy(theirs).double()
    known = (p.exp() * (p - q)).sum(-1)
    if ids.shape[1] == ours.shape[1]:
        return float(known.mean())
    rest_p, rest_q = (1 - p.exp().sum(-1)).clamp_min(1e-9), (1 - q.exp().sum(-1)).clamp_min(1e-9)
    return float((known + rest_p * (rest_p.log() - rest_q.log())).mean())


def divergence_of(ours: torch.Tensor, other: torch.Tensor) -> float:
    """The same where both are known whole."""
    return float((ours.double().exp() * (ours.double() - other.double())).sum(-1).mean())


@torch.inference_mode()
def rounded_log_probabilities(model: Any, rows: Rows, number_format: str, *, file: bool) -> torch.Tensor:
    """As ``log_probabilities``, computed here with the numbers that the format leaves; the model's weights are rounded for
    good. ``file``: of a .gguf, whose programs round what goes into each layer as well.
    """
    seen = set()
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight.data_ptr() not in seen and (weight.ndim >= 2 or not file):
                seen.add(weight.data_ptr())
                turned = isinstance(module, Conv1D) and name == "weight"  # [in, out]: blocks lie along the other side
                plain = weight.data.T if turned else weight.data
                made = _rounded(plain.contiguous(), number_format, file)
                weight.data = made.T.contiguous() if turned else made
    with _rounding_inputs(model, number_format) if file else _nothing():
        return log_probabilities(model, rows)


def _rounded(weight: torch.Tensor, number_format: str, file: bool) -> torch.Tensor:
    if not file:
        return weight.to(_PLAIN[number_format]).float()
    import gguf  # an extra, which folders do without

    kind = {"fp16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0}[number_format]
    if weight.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = gguf.GGMLQuantizationType.F16
    packed = gguf.quants.quantize(weight.numpy(), kind)
    return torch.from_numpy(np.array(gguf.quants.dequantize(packed, kind), dtype=np.float32))


@contextmanager
def _rounding_inputs(model: Any, number_format: str) -> Iterator[None]:
    block = _BLOCK if number_format == "q8_0" else None

    def rounded(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        values = inputs[0]
        whole = block is not None and values.shape[-1] % block == 0  # else the layer's weights are in fp16
        return (_in_blocks(values) if whole else values.half().float(), *inputs[1:])

    layers = [module for module in model.modules() if isinstance(module, (torch.nn.Linear, Conv1D))]
    hooks = [layer.register_forward_pre_hook(rounded) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _in_blocks(values: torch.Tensor) -> torch.Tensor:
    """In 8 bits, with one scale for each block of neighbours."""
    blocks = values.reshape(-1, _BLOCK)
    scales = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127
    return ((blocks / scales).round() * scales).reshape(values.shape)
