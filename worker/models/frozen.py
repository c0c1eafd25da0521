"""Weights that are not trained, in fewer bytes than those that are: they need no digits for updates to add to.

In the format that products are computed in, losses stay what they are, for autocast would round a weight to it each time. In
4 bits (NF4 with scales of 8 bits: Dettmers et al., 2023) they do not, and what is trained beside them makes up for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers.pytorch_utils import Conv1D

from worker.devices.bits import require_bitsandbytes
from worker.devices.precision import dtype_of_products
from worker.models.parts import words_part

_IN_BLOCK, _IN_BLOCK_OF_SCALES = 64, 256  # numbers that share a scale, and scales that share one in fp32: bitsandbytes' own
_BYTES_OF_SCALES = (1 + 4 / _IN_BLOCK_OF_SCALES) / _IN_BLOCK  # for each number in 4 bits


class _Frozen:
    """A layer whose weight is held in another way than its products are computed in.

    ``shape`` is that of a weight that is in 4 bits, and ``quantized`` what bitsandbytes tells of it.
    """

    weight: torch.Tensor
    shape: torch.Size | None = None
    quantized: Any = None

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight in ``dtype``."""
        if self.shape is None:
            return self.weight.to(dtype)
        if self.quantized is None:  # a model without numbers
            return self.weight.new_empty(self.shape, dtype=dtype)
        from bitsandbytes.functional import dequantize_4bit  # an extra, which takes long to import

        self.quantized.to(self.weight.device)
        wanted = copy.copy(self.quantized)
        wanted.dtype = dtype
        return cast("torch.Tensor", dequantize_4bit(self.weight.data, wanted))


class FrozenLinear(_Frozen, nn.Linear):
    """As its base class."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[..., in_features] to [..., out_features]."""
        return _product(inputs, self)


class FrozenConv1D(_Frozen, Conv1D):  # type: ignore[misc]
    """GPT-2's linear layer, whose weight is transposed."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[..., nx] to [..., nf]."""
        return _product(inputs, self)


class FrozenEmbedding(_Frozen, nn.Embedding):
    """Its vectors are in fp32, as are the sums that layers add to."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """[...] to [..., embedding_dim]."""
        return super().forward(ids).float()


_KINDS: dict[type, Any] = {nn.Linear: FrozenLinear, Conv1D: FrozenConv1D, nn.Embedding: FrozenEmbedding}


def _product(inputs: torch.Tensor, layer: Any) -> torch.Tensor:
    """In autocast's format where there is one, else in that of ``inputs``."""
    dtype = dtype_of_products(inputs)
    with torch.autocast(inputs.device.type, enabled=False):
        output: torch.Tensor = _Product.apply(inputs.to(dtype), layer)  # type: ignore[no-untyped-call]
    return output


class _Product(torch.autograd.Function):
    """Works the weight out once more on the way back, rather than keeping it until then."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, layer: Any) -> torch.Tensor:
        ctx.layer, dtype = layer, inputs.dtype
        weight, bias = layer.dense(dtype), layer.bias
        return F.linear(inputs, weight.T if isinstance(layer, Conv1D) else weight, None if bias is None else bias.to(dtype))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        weight = ctx.layer.dense(gradient.dtype)
        return gradient @ (weight.T if isinstance(ctx.layer, Conv1D) else weight), None


@torch.no_grad()
def shrink(model: Any, linear: list[str], dtype: torch.dtype, *, four_bit: bool, device: torch.device | None = None) -> None:
    """Holds frozen weights of ``model`` in ``dtype``: those of the layers called ``linear``, of embeddings, and of the head.

    With ``four_bit`` the linear ones are in 4 bits instead, worked out on ``device``; without a device only what that takes
    is there, as in a model without numbers. The other weights stay, for their layers' code takes them as they are.
    """
    head, embeddings = model.get_output_embeddings(), words_part(model).modules()
    layers: set[Any] = {model.get_submodule(name) for name in linear}
    others: set[Any] = {head, *(module for module in embeddings if type(module) is nn.Embedding)}
    rest = {*model.modules()} - others - layers
    kept = {id(weight) for layer in rest for weight in layer.parameters(recurse=False)}
    for layer in [*layers, *others]:
        if type(layer) not in _KINDS or layer.weight.requires_grad or id(layer.weight) in kept:
            continue
        layer.__class__ = _KINDS[type(layer)]
        if four_bit and layer in layers:
            _quantize(layer, device)
        else:
            layer.weight.data = layer.weight.data.to(dtype)


def _quantize(layer: Any, device: torch.device | None) -> None:
    weight, layer.shape = layer.weight, layer.weight.shape
    if device is None:
        weight.data = weight.data.new_empty((weight.numel() + 1) // 2, dtype=torch.uint8)
        return
    from bitsandbytes.functional import quantize_4bit

    packed, layer.quantized = quantize_4bit(weight.data.to(device), compress_statistics=True, quant_type="nf4")
    weight.data = packed.to(weight.device)


@torch.no_grad()
def make_plain(model: Any, original: dict[str, torch.Tensor] | None) -> bool:
    """Makes of ``model`` one in fp32 on the CPU whose layers are plain again, and returns whether ``original`` served.

    Weights that were rounded get their digits back from ``original``, by name, if they are those that were rounded. Those
    in 4 bits stay what these stood for, as that is what was trained with.
    """
    model.to("cpu")
    plain = {frozen: kind for kind, frozen in _KINDS.items()}
    same = True
    for name, layer in model.named_modules():
        if type(layer) not in plain:
            continue
        known = (original or {}).get(f"{name}.weight".replace("base_layer.", ""))
        if layer.shape is not None:
            layer.weight.data, layer.shape, layer.quantized = layer.dense(torch.float32), None, None
        elif known is not None and torch.equal(known.to(layer.weight.dtype), layer.weight):
            layer.weight.data = known
        else:
            same = False
        layer.__class__ = plain[type(layer)]
    model.float()
    return same


def is_rounded(model: nn.Module, kept: torch.dtype) -> bool:
    """Whether weights of ``model``, whose base is kept in the format ``kept``, have lost digits by being held in fewer."""
    held = {layer.weight.dtype for layer in model.modules() if isinstance(layer, _Frozen)}
    return bool(held - {kept, torch.float32, torch.uint8})


def numbers(model: nn.Module) -> int:
    """How many numbers the weights of ``model`` are, each counted once."""
    packed = {id(layer.weight): int(layer.shape.numel()) for layer in _in_four_bits(model)}
    return sum(packed.get(id(weight), weight.numel()) for weight in model.parameters())


def held_bytes(model: nn.Module) -> int:
    """What the weights of ``model`` take."""
    scales = sum(int(_BYTES_OF_SCALES * layer.shape.numel()) for layer in _in_four_bits(model))
    return scales + sum(weight.numel() * weight.element_size() for weight in model.parameters())


def _in_four_bits(model: nn.Module) -> Iterator[Any]:
    return (layer for layer in model.modules() if isinstance(layer, _Frozen) and layer.shape is not None)


def require_four_bits(device: torch.device, *, tried: bool) -> None:
    """Raises DeviceError if weights cannot be held in 4 bits for ``device``. If ``tried``, a small one is, which
    takes memory of a GPU."""

    def multiply() -> None:
        layer = FrozenLinear(_IN_BLOCK, _IN_BLOCK, bias=False, device=device).requires_grad_(False)
        with torch.no_grad():
            _quantize(layer, device)
            layer(torch.ones(1, _IN_BLOCK, device=device))

    hint, failed = "Set 4-bit base off.", "4 bits do not work"
    require_bitsandbytes("A base in 4 bits", device, hint, failed, multiply if tried else None)
