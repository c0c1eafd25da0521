"""Which number format each weight has in a .gguf file, and how numbers are rounded to it: by ``gguf``, or where that cannot
do it, as for Q4_K_M, by llama.cpp's own function.

That function, ``ggml_quantize_chunk`` of ggml.h, is no part of what xllamacpp offers Python. It is in its library all the
same, on Linux and macOS, and is called there.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

from worker.errors import ModelError
from worker.export.gguf_layout import GgufLayout, name_there

FP16_MOST = 65504.0
_PLAIN = {"fp32": Kind.F32, "fp16": Kind.F16, "q8_0": Kind.Q8_0}
_SMALLER_BLOCKS = {Kind.Q4_K: Kind.Q5_0, Kind.Q5_K: Kind.Q5_1, Kind.Q6_K: Kind.Q8_0}
"""What llama.cpp takes in place of these for rows that are no whole blocks of 256."""
_K_BLOCK = 256


def type_for(name: str, shape: torch.Size, number_format: str, layout: GgufLayout) -> Kind:
    """Of the weight ``name`` in the file. Biases, norms and positions stay in fp32, as llama.cpp's converter has it; rows
    that are no whole blocks are fp16."""
    if len(shape) < 2 or name.startswith("position_embd"):
        return Kind.F32
    kind = _of_q4_k_m(name, layout) if number_format == "q4_k_m" else _PLAIN[number_format]
    if shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = _SMALLER_BLOCKS.get(kind, Kind.F16)
    return Kind.F16 if shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] else kind


def _of_q4_k_m(name: str, layout: GgufLayout) -> Kind:
    """As llama.cpp's quantize mixes them: more bits for what errors cost most."""
    if name == "output.weight" or (layout.tied and name == "token_embd.weight"):
        return Kind.Q6_K
    if ".attn_qkv." in name:
        return Kind.Q5_K
    if ".attn_v." in name or ".ffn_down." in name:
        layer, eighth = int(name.split(".")[1]), layout.layers // 8
        if layer < eighth or layer >= 7 * layout.layers // 8 or (layer - eighth) % 3 == 2:
            return Kind.Q6_K
    return Kind.Q4_K


def packed(name: str, weight: torch.Tensor, kind: Kind) -> np.ndarray[Any, Any]:
    """``weight`` as it lies in the file. Raises ModelError if it is too large for fp16, or none here rounds to ``kind``."""
    if kind == Kind.F16 and float(weight.abs().max()) > FP16_MOST:
        raise ModelError(
            f"{name} holds numbers up to {float(weight.abs().max()):.3g}, and fp16 ends at 65,504.",
            "Export it as q8_0, or as safetensors in bf16 or fp32.",
        )
    numbers = weight.contiguous().numpy()
    return _by_llama_cpp(numbers, kind) if kind in _SMALLER_BLOCKS else np.asarray(gguf.quants.quantize(numbers, kind))


def _by_llama_cpp(numbers: np.ndarray[Any, Any], kind: Kind) -> np.ndarray[Any, Any]:
    made = np.empty(gguf.quant_shape_to_byte_shape(numbers.shape, kind), np.uint8)
    rows, width = numbers.size // numbers.shape[-1], numbers.shape[-1]
    rounding_function()(int(kind), numbers.ctypes.data, made.ctypes.data, 0, rows, width, None)
    return made


@cache
def rounding_function() -> Any:
    """size_t (type, from, to, first number, rows, numbers of a row, importance of each number)."""
    found = importlib.util.find_spec("xllamacpp.xllamacpp")
    try:
        function = ctypes.CDLL(str(found and found.origin)).ggml_quantize_chunk
    except (OSError, AttributeError) as error:
        raise ModelError(
            "This release of xllamacpp does not let its llama.cpp be asked to round to 4 bits.", "Export it as q8_0."
        ) from error
    long, pointer = ctypes.c_int64, ctypes.c_void_p
    function.argtypes, function.restype = [ctypes.c_int, pointer, pointer, long, long, long, pointer], ctypes.c_size_t
    return function


class FileRounding:
    """What numbers become in a .gguf file, and in programs that read it, which round what goes into each layer as well."""

    def __init__(self, layout: GgufLayout, number_format: str) -> None:
        self._layout, self._number_format = layout, number_format

    def _kind(self, name: str, shape: torch.Size) -> Kind:
        return type_for(name_there(name, self._layout), shape, self._number_format, self._layout)

    def weight(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` [out, in], which is called ``name`` here, as the file has it."""
        kind = self._kind(name, weight.shape)
        return read_back(packed(name, weight, kind), kind)

    def inputs(self, name: str, shape: torch.Size, values: torch.Tensor) -> torch.Tensor:
        """What goes into the layer with this weight."""
        kind = self._kind(name, shape)
        if kind in (Kind.F16, Kind.F32):
            return values.half().float() if kind == Kind.F16 else values
        block = _K_BLOCK if kind in _SMALLER_BLOCKS else gguf.GGML_QUANT_SIZES[Kind.Q8_0][0]
        blocks = values.reshape(-1, block)
        scales = blocks.abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127
        return ((blocks / scales).round() * scales).reshape(values.shape)


def read_back(numbers: np.ndarray[Any, Any], kind: Kind) -> torch.Tensor:
    """Numbers as they lie in a file, in fp32."""
    return torch.from_numpy(np.array(gguf.quants.dequantize(numbers, kind), dtype=np.float32))
