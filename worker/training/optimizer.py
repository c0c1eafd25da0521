"""The optimizers: AdamW, Muon for matrices, and AdamW that keeps its moments in 8 bits.

The latter two change the matrices within the model. Embeddings, the output layer, biases and norms are changed by AdamW as
they always are: the rows of an embedding are no directions of one map, and rare words make 8 bits unsteady.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from worker.devices.bits import require_bitsandbytes
from worker.errors import ModelError

OptimizerName = Literal["adamw", "muon", "adamw_8bit"]

_MOMENT_BYTES = 4
_BLOCK = 256  # numbers that share a scale in fp32 where moments have 8 bits
_SMALLEST_IN_8_BITS = 4096  # numbers: bitsandbytes keeps fewer in fp32
_NEWTON_SCHULZ_STEPS = 5  # torch's own number


class JointOptimizer(torch.optim.Optimizer):
    """Optimizers that each have weights of their own, as one: it has all their groups and all that they remember.

    ``found_inf``, if set, is a scalar on the device: where it is not 0, an update leaves everything as it is. It is read, so
    a GPU is waited for once an update, as these optimizers cannot look at it there as fused AdamW does.
    """

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        for part in parts:
            part.state = self.state
        self._parts = parts
        self.found_inf: torch.Tensor | None = None

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of all weights, unless ``found_inf`` forbids it."""
        if self.found_inf is not None and bool(self.found_inf):
            return
        for part in self._parts:
            part.step()


def make_optimizer(
    model: nn.Module, learning_rate: float, weight_decay: float, name: OptimizerName = "adamw"
) -> torch.optim.Optimizer:
    """Decays matrices and leaves biases and norms (all that has one dimension) alone.

    Muon's updates are scaled to the size of AdamW's (Liu et al., 2025: 0.2 * sqrt(the longer side)), so that one learning
    rate serves both. Raises ModelError where ``name`` asks for matrices and the model trains none.
    """
    matrices = _matrices(model, name)
    if name != "adamw" and not matrices:
        raise ModelError(f"This model trains no matrices that {name} could change.", "Set Optimizer to adamw.")
    chosen = {id(weight) for weight in matrices}
    rest = _adamw([weight for weight in _trained(model) if id(weight) not in chosen], learning_rate, weight_decay)
    if name == "adamw":
        return rest
    if name == "muon":
        part: torch.optim.Optimizer = torch.optim.Muon(
            matrices, learning_rate, weight_decay, ns_steps=_NEWTON_SCHULZ_STEPS, adjust_lr_fn="match_rms_adamw"
        )
    else:
        part = _adamw_8bit(matrices, learning_rate, weight_decay)
    return JointOptimizer(part, rest)


def state_bytes(model: nn.Module, name: OptimizerName) -> int:
    """What the optimizer remembers of the weights of ``model`` that are trained."""
    matrices = sum(weight.numel() for weight in _matrices(model, name))
    others = sum(weight.numel() for weight in _trained(model)) - matrices
    each = {"adamw": 0.0, "muon": _MOMENT_BYTES, "adamw_8bit": 2 * (1 + _MOMENT_BYTES / _BLOCK)}[name]
    return round(matrices * each) + 2 * _MOMENT_BYTES * others


def orthogonalization_flops(model: nn.Module, name: OptimizerName) -> int:
    """Of the products with which Muon makes an update's matrices orthogonal (Newton-Schulz, in bf16); 0 for others."""
    if name != "muon":
        return 0
    sides = [sorted(weight.shape) for weight in _matrices(model, name)]
    return sum(_NEWTON_SCHULZ_STEPS * (4 * short * short * long + 2 * short**3) for short, long in sides)


def require_optimizer(name: OptimizerName, device: torch.device, *, tried: bool) -> None:
    """Raises DeviceError if ``device`` has no such optimizer. That is found out by an update of a small weight if ``tried``,
    which takes memory of a GPU."""
    if name != "adamw_8bit":
        return

    def update() -> None:
        weight = nn.Parameter(torch.zeros(64, _SMALLEST_IN_8_BITS // 64, device=device))
        weight.grad = torch.zeros_like(weight)
        _adamw_8bit([weight], 1e-3, 0.0).step()

    hint, failed = "Set Optimizer to adamw.", "8-bit AdamW does not run"
    require_bitsandbytes("8-bit AdamW", device, hint, failed, update if tried else None)


def _adamw(weights: Sequence[nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def _adamw_8bit(weights: Sequence[nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    from bitsandbytes.optim import AdamW8bit  # an extra, which takes long to import

    optimizer: torch.optim.Optimizer = AdamW8bit(weights, lr=learning_rate, weight_decay=weight_decay)
    return optimizer


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _matrices(model: nn.Module, name: OptimizerName) -> list[nn.Parameter]:
    """The trained weights of linear layers, but for the output layer: what ``name`` changes in its own way."""
    output: Any = getattr(model, "get_output_embeddings", None)
    head = output and output()
    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, Conv1D)) and layer is not head]
    weights: dict[int, nn.Parameter] = {
        id(layer.weight): layer.weight for layer in layers if layer.weight.requires_grad and layer.weight.ndim == 2
    }
    smallest = {"adamw": None, "muon": 0, "adamw_8bit": _SMALLEST_IN_8_BITS}[name]
    return [] if smallest is None else [weight for weight in weights.values() if weight.numel() >= smallest]
