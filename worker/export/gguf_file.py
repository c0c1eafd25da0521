"""Writes a .gguf file: a model's numbers, its vocabulary, and its weights one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from worker.export.gguf_layout import GgufLayout, weights
from worker.export.gguf_rounding import packed, type_for
from worker.export.gguf_vocabulary import Vocabulary

_FILE_TYPES = {
    "fp32": gguf.LlamaFileType.ALL_F32, "fp16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M,
}  # fmt: skip


def write_gguf(
    path: Path,
    name: str,
    model: Any,
    layout: GgufLayout,
    vocabulary: Vocabulary,
    number_format: str,
    progress: Callable[[float], None],
) -> None:
    """Writes ``path``. ``number_format``: fp32, fp16, q8_0 or q4_k_m. ``progress`` is told which share of the weights is
    written.

    Raises OSError, and ModelError for numbers that the format cannot hold.
    """
    writer = gguf.GGUFWriter(path, layout.architecture)
    try:
        writer.add_name(name)
        writer.add_file_type(_FILE_TYPES[number_format])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        for key, value in layout.metadata.items():
            add: Any = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)]
            add(f"{layout.architecture}.{key}", value)
        _add_vocabulary(writer, vocabulary)
        kinds = {}
        for there, weight in weights(model, layout):
            kinds[there] = kind = type_for(there, weight.shape, number_format, layout)
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
    writer.add_tokenizer_model("llama" if vocabulary.pieces else "gpt2")  # llama.cpp's names for one of pieces, and of bytes
    writer.add_tokenizer_pre(vocabulary.splits_as)
    writer.add_token_list(vocabulary.texts)
    writer.add_token_types(vocabulary.types)
    if vocabulary.pieces:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(vocabulary.pieces.adds_space)
    else:
        writer.add_token_merges(vocabulary.merges)
    writer.add_add_bos_token(vocabulary.adds_bos)
    writer.add_add_eos_token(False)
    for number, add in (
        (vocabulary.bos, writer.add_bos_token_id),
        (vocabulary.eos, writer.add_eos_token_id),
        (vocabulary.unknown, writer.add_unk_token_id),
        (vocabulary.ends_turn, writer.add_eot_token_id),
        (vocabulary.pad, writer.add_pad_token_id),
    ):
        if number is not None:
            add(number)
    if vocabulary.chat_template:
        writer.add_chat_template(vocabulary.chat_template)
