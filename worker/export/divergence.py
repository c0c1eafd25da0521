"""What our own model says of each place, exactly and as it would with numbers rounded as an export rounds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from transformers.pytorch_utils import Conv1D

Rows = list[list[int]]

_PLAIN = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Rounding(Protocol):
    """What an export makes of numbers; names are ours, and shapes are [out, in]."""

    def weight(self, name: str, weight: torch.Tensor) -> torch.Tensor: ...

    def inputs(self, name: str, shape: torch.Size, values: torch.Tensor) -> torch.Tensor: ...


class FolderRounding(NamedTuple):
    """Of a folder, whose weights are in one number format; what reads it computes in fp32."""

    number_format: str

    def weight(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        return weight.to(_PLAIN[self.number_format]).float()

    def inputs(self, name: str, shape: torch.Size, values: torch.Tensor) -> torch.Tensor:
        return values


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
def rounded_log_probabilities(model: Any, rows: Rows, rounding: Rounding) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``log_probabilities``, computed here with the weights that the rounding leaves, and with what goes into layers
    rounded as well. The model's weights are rounded for good."""
    seen = set()
    for place, module in model.named_modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight.data_ptr() not in seen:
                seen.add(weight.data_ptr())
                turned = isinstance(module, Conv1D) and name == "weight"  # [in, out]: blocks lie along the other side
                plain = weight.data.T if turned else weight.data
                made = rounding.weight(f"{place}.{name}", plain.contiguous())
                weight.data = made.T.contiguous() if turned else made
    with_weights = log_probabilities(model, rows)
    with _rounding_inputs(model, rounding):
        return with_weights, log_probabilities(model, rows)


@contextmanager
def _rounding_inputs(model: Any, rounding: Rounding) -> Iterator[None]:
    def rounded(layer: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        shape = layer.weight.T.shape if isinstance(layer, Conv1D) else layer.weight.shape
        return (rounding.inputs(names[layer], shape, inputs[0]), *inputs[1:])

    names = {
        layer: f"{place}.weight" for place, layer in model.named_modules() if isinstance(layer, (torch.nn.Linear, Conv1D))
    }
    hooks = [layer.register_forward_pre_hook(rounded) for layer in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
