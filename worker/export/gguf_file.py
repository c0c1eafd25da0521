"""Writes a .gguf file: a model's numbers, its vocabulary, and its weights one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from worker.errors import ModelError
from worker.export.gguf_layout import GgufLayout, weights
from worker.export.gguf_vocabulary import Vocabulary

FP16_MOST = 65504.0
_TYPES = {
    "fp32": gguf.GGMLQuantizationType.F32, "fp16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
}  # fmt: skip
_FILE_TYPES = {
    "fp32": gguf.LlamaFileType.ALL_F32, "fp16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}  # fmt: skip


def type_for(name: str, shape: torch.Size, number_format: str) -> gguf.GGMLQuantizationType:
    """Biases, norms and positions stay in fp32, as llama.cpp's converter has it; rows that are no whole blocks are fp16."""
    if len(shape) < 2 or name.startswith("position_embd"):
        return gguf.GGMLQuantizationType.F32
    kind = _TYPES[number_format]
    whole = shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] == 0
    return kind if whole else gguf.GGMLQuantizationType.F16


def packed(name: str, weight: torch.Tensor, kind: gguf.GGMLQuantizationType) -> np.ndarray[Any, Any]:
    """``weight`` as it lies in the file. Raises ModelError if it is too large for fp16."""
    if kind == gguf.GGMLQuantizationType.F16 and float(weight.abs().max()) > FP16_MOST:
        raise ModelError(
            f"{name} holds numbers up to {float(weight.abs().max()):.3g}, and fp16 ends at 65,504.",
            "Export it as q8_0, or as safetensors in bf16 or fp32.",
        )
    return np.asarray(gguf.quants.quantize(weight.contiguous().numpy(), kind))


def write_gguf(
    path: Path,
    name: str,
    model: Any,
    layout: GgufLayout,
    vocabulary: Vocabulary,
    number_format: str,
    progress: Callable[[float], None],
) -> None:
    """Writes ``path``. ``number_format``: fp32, fp16 or q8_0. ``progress`` is told which share of the weights is written.

    Raises OSError, and ModelError as above.
    """
    writer = gguf.GGUFWriter(path, layout.architecture)
    try:
        writer.add_name(name)
        writer.add_file_type(_FILE_TYPES[number_format])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        for key, value in layout.metadata.items():
            add = writer.add_uint32 if isinstance(value, int) else writer.add_float32
            add(f"{layout.architecture}.{key}", value)
        _add_vocabulary(writer, vocabulary)
        kinds = {}
        for there, weight in weights(model, layout):
            kinds[there] = kind = type_for(there, weight.shape, number_format)
            shape = gguf.quant_shape_to_byte_shape(weight.shape, kind) if kind not in _PLAIN else weight.shape
            dtype = np.dtype(_PLAIN.get(kind, np.uint8))
            writer.add_tensor_info(there, shape, dtype, int(np.prod(shape)) * dtype.itemsize, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for done, (there, weight) in enumerate(weights(model, layout), 1):
            writer.write_tensor_data(packed(there, weight, kinds[there]))
            progress(done / len(kinds))
    finally:
        writer.close()


_PLAIN: dict[gguf.GGMLQuantizationType, Any] = {
    gguf.GGMLQuantizationType.F32: np.float32,
    gguf.GGMLQuantizationType.F16: np.float16,
}


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")  # llama.cpp's name for any byte-level BPE
    writer.add_tokenizer_pre(vocabulary.splits_as)
    writer.add_token_list(vocabulary.texts)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_add_bos_token(vocabulary.adds_bos)
    writer.add_add_eos_token(False)
    for number, add in (
        (vocabulary.bos, writer.add_bos_token_id),
        (vocabulary.eos, writer.add_eos_token_id),
        (vocabulary.ends_turn, writer.add_eot_token_id),
        (vocabulary.pad, writer.add_pad_token_id),
    ):
        if number is not None:
            add(number)
    if vocabulary.chat_template:
        writer.add_chat_template(vocabulary.chat_template)
