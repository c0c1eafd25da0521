"""Attention for texts that lie end to end: none of them sees another."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from worker.data.batching import Batch, Block, PackedTexts
from worker.devices.precision import dtype_of_products
from worker.models import short_attention

PACKED = "packed_or_sdpa"
"""The name by which transformers knows this attention; never written to a file."""

_UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # what some models add to attention
# What torch's own varlen_attn calls, which leaves out dropout and takes twice as long to call. choose_layout tries it out,
# so a PyTorch that changes it costs packing and nothing else.
_flash_attention = torch.ops.aten._flash_attention_forward


def packed_arguments(batch: Batch) -> dict[str, Any]:
    """What a model prepared by ``choose_layout`` needs to know of a packed ``batch`` beside its inputs.

    transformers hands a mask of four dimensions through as it is: this one is never looked at, and keeps the model from
    making one of tokens x tokens. The texts travel as an argument, so that a recomputed layer sees them too.
    """
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch.inputs.device)
    return {"position_ids": batch.position_ids, "attention_mask": mask, "packed_texts": batch.texts}


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    packed_texts: PackedTexts | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function: ``query`` [1, heads, tokens, width], ``key`` and ``value`` with as many heads or
    fewer, to [1, tokens, heads, width]. Without ``packed_texts`` it is transformers' own for SDPA."""
    if packed_texts is None:
        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return plain
    if unsupported := [name for name in _UNSUPPORTED if options.get(name) is not None]:
        raise NotImplementedError(f"Attention to packed texts knows no {', '.join(unsupported)}.")
    dropout, scale, window = options.get("dropout", 0.0), options.get("scaling"), options.get("sliding_window")
    tensors = tuple(tensor[0].transpose(0, 1) for tensor in (query, key, value))
    return _attend_packed(tensors, packed_texts, dropout, scale, window)[None], None


# Not to be compiled: where texts begin differs from pass to pass, and each would be compiled anew.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _attend_packed(
    tensors: tuple[torch.Tensor, ...], texts: PackedTexts, dropout: float, scale: float | None, window: int | None
) -> torch.Tensor:
    """Query, key and value [tokens, heads, width] to [tokens, heads, width]."""
    kind, dtype = tensors[0].device.type, dtype_of_products(tensors[0])
    if varlen_serves(kind, _capability(tensors[0].device), dtype, tensors[0].shape[-1]):
        return _attend_varlen(tensors, texts, dtype, dropout, scale, window)
    parts: list[torch.Tensor] = []
    for short, neighbours in groupby(texts.blocks, lambda each: kind == "cpu" and each.longest <= short_attention.LONGEST):
        if short:
            parts.append(short_attention.attend(tensors, list(neighbours), dropout, scale, window))
        else:
            parts += [_attend_block(tensors, block, dropout, scale, window) for block in neighbours]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def varlen_serves(kind: str, capability: tuple[int, int], dtype: torch.dtype, width: int) -> bool:
    """Whether PyTorch's kernel for texts of many lengths can be used: it knows half precision, Ampere and later GPUs, and
    heads of ``width`` up to 256."""
    half = dtype in (torch.float16, torch.bfloat16)
    return kind == "cuda" and capability >= (8, 0) and half and width % 8 == 0 and width <= 256


@cache
def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)


def _attend_varlen(
    tensors: tuple[torch.Tensor, ...],
    texts: PackedTexts,
    dtype: torch.dtype,
    dropout: float,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    """Query, key and value [tokens, heads, width] to [tokens, heads, width], in one call for all texts. The kernel lets a
    group of queries share a key."""
    query, key, value = (tensor.to(dtype) for tensor in tensors)
    out, *_ = _flash_attention(
        query,
        key,
        value,
        texts.starts,
        texts.starts,
        texts.longest,
        texts.longest,
        dropout,
        window is None,  # is_causal; a window has its right side at 0, which means the same
        False,  # return_debug_mask
        scale=scale,
        window_size_left=window - 1 if window else -1,
        window_size_right=0,
    )
    assert isinstance(out, torch.Tensor)
    return out


def _attend_block(
    tensors: tuple[torch.Tensor, ...], block: Block, dropout: float, scale: float | None, window: int | None
) -> torch.Tensor:
    """Query, key and value [tokens, heads, width] of the whole pass to the block's [end - start, heads, width].

    Padding stands on the right of each text, where none of its tokens looks.
    """
    query, key, value = (_padded(tensor[block.start : block.end], block) for tensor in tensors)
    banded = window if window and block.longest > window else None
    out = _attend_by_kernel(query, key, value, banded, dropout, scale)
    cells = out.transpose(1, 2).flatten(0, 1)
    return cells if block.slots is None else cells.index_select(0, block.slots)


def _attend_by_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None, dropout: float, scale: float | None
) -> torch.Tensor:
    """``query`` [rows, heads, longest, width] with ``key`` and ``value`` of as many heads or fewer, to the query's shape."""
    mask = None if window is None else short_attention.visible(query.shape[2], window, query.device)
    grouped = query.shape[1] != key.shape[1]
    if grouped and query.device.type == "cuda":  # in fp32 no kernel there knows groups, and longest x longest would be made
        key, value = (tensor.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for tensor in (key, value))
        grouped = False
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None,
        scale=scale,
        enable_gqa=grouped,
    )


def _padded(tensor: torch.Tensor, block: Block) -> torch.Tensor:
    """[tokens of the block, heads, width] to [rows, heads, longest, width]."""
    if block.slots is not None:
        cells = tensor.new_zeros(block.rows * block.longest, *tensor.shape[1:])
        tensor = cells.index_copy(0, block.slots, tensor)
    return tensor.view(block.rows, block.longest, *tensor.shape[1:]).transpose(1, 2)


AttentionInterface.register(PACKED, _attend)
AttentionMaskInterface.register(PACKED, sdpa_mask)
