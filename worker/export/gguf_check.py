"""What a .gguf file says, held against the model that it was made of: its numbers, its vocabulary, and weight by weight.

It tells which part is wrong; whether the whole answers alike, llama.cpp itself is asked (``proof.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf import GGMLQuantizationType as Kind

from worker.export.gguf_layout import GgufLayout, weights
from worker.export.gguf_rounding import read_back
from worker.export.gguf_vocabulary import Vocabulary

_CALLED = {
    "context_length": "the longest text", "embedding_length": "the width", "feed_forward_length": "the width of the MLP",
    "block_count": "the number of layers", "attention.head_count": "the number of attention heads",
    "attention.head_count_kv": "the number of heads for keys and values", "rope.freq_base": "the base of rotary positions",
    "attention.layer_norm_epsilon": "the epsilon of its norms",
    "attention.layer_norm_rms_epsilon": "the epsilon of its norms",
    "attention.key_length": "the width of a head's keys", "attention.value_length": "the width of a head's values",
    "rope.dimension_count": "how much of a head is rotated", "vocab_size": "the size of the vocabulary",
    "rope.freq_base_swa": "the base of rotary positions of layers with a window",
    "rope.scaling.type": "the way positions are scaled", "rope.scaling.factor": "the factor by which positions are scaled",
    "attention.sliding_window": "the width of the window of attention",
    "attn_logit_softcapping": "the cap on attention", "final_logit_softcapping": "the cap on logits",
}  # fmt: skip
_F32, _F16, _Q8 = Kind.F32, Kind.F16, Kind.Q8_0
FARTHEST = {
    _F32: 1e-6, _F16: 2.0**-10, _Q8: 1.01 * (0.5 / 127 + 2.0**-11), Kind.Q6_K: 0.03, Kind.Q5_1: 0.04, Kind.Q5_0: 0.07,
    Kind.Q5_K: 0.1, Kind.Q4_K: 0.15,
}  # fmt: skip
"""How far a number may be off, of the largest of its block: half a step, and a little. Of q8_0 the step itself is rounded to
fp16 too, of the last ones to a few bits; and they choose it so that few numbers are far off, not none."""
_BLOCK = 32
_FP16_SMALLEST = 2.0**-24


def faults_of_file(path: Path, model: Any, layout: GgufLayout, vocabulary: Vocabulary) -> Iterator[str]:
    """What is wrong, a sentence each. Raises ValueError if it is no .gguf file."""
    reader = gguf.GGUFReader(path)
    yield from _numbers(reader, layout)
    yield from _words(reader, vocabulary)
    yield from _weights(reader, model, layout)


def _value(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    return None if field is None else field.contents()


def _numbers(reader: gguf.GGUFReader, layout: GgufLayout) -> Iterator[str]:
    kind = _value(reader, "general.architecture")
    if kind != layout.architecture:
        yield f"The file says that it is a {kind} model, and it is a {layout.architecture} one."
        return
    for key, right in layout.metadata.items():
        there = _value(reader, f"{layout.architecture}.{key}")
        if there is None:
            yield f"{_CALLED[key].capitalize()} is missing in the file, and {_figure(right)} in the model."
        elif there != right if isinstance(right, str) else abs(there - right) > 1e-6 * abs(right):
            yield f"{_CALLED[key].capitalize()} is {_figure(there)} in the file, and {_figure(right)} in the model."


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _words(reader: gguf.GGUFReader, vocabulary: Vocabulary) -> Iterator[str]:
    texts = _value(reader, "tokenizer.ggml.tokens") or []
    if len(texts) != len(vocabulary.texts):
        yield f"The file has {len(texts)} tokens, and the model {len(vocabulary.texts)}."
    for number, (there, right) in enumerate(zip(texts, vocabulary.texts, strict=False)):
        if there != right:
            yield f"Token {number} is {there!r} in the file, and {right!r} in the model."
            break
    merges = _value(reader, "tokenizer.ggml.merges") or []
    for number, (there, right) in enumerate(zip(merges, vocabulary.merges, strict=False)):
        if there != right:
            yield f"Merge {number} of the tokenizer is {there!r} in the file, and {right!r} in the model."
            break
    if len(merges) != len(vocabulary.merges):
        yield f"The tokenizer has {len(merges)} merges in the file, and {len(vocabulary.merges)} in the model."
    scores = _value(reader, "tokenizer.ggml.scores") or []
    if scores != vocabulary.scores:
        number = next((n for n, pair in enumerate(zip(scores, vocabulary.scores, strict=False)) if pair[0] != pair[1]), 0)
        yield f"The pieces of the tokenizer are joined in another order, from token {number} on."
    types = _value(reader, "tokenizer.ggml.token_type") or []
    for number, (there, kind) in enumerate(zip(types, vocabulary.types, strict=False)):
        if there != kind:
            yield f"Token {number} is of another kind in the file: special tokens and plain ones are mixed up."
            break
    for key, wanted, called in (
        ("model", "llama" if vocabulary.pieces else "gpt2", "The kind of tokenizer"),
        ("pre", vocabulary.splits_as, "The way text is split into words"),
        ("add_space_prefix", vocabulary.pieces and vocabulary.pieces.adds_space, "Whether a blank is put before a text"),
        ("eos_token_id", vocabulary.eos, "The token that ends a text"),
        ("eot_token_id", vocabulary.ends_turn, "The token that ends a turn"),
        ("bos_token_id", vocabulary.bos, "The token that begins a text"),
        ("add_bos_token", vocabulary.adds_bos, "Whether a token is put before a text"),
    ):
        if (there := _value(reader, f"tokenizer.ggml.{key}")) != wanted:
            yield f"{called} is {_said(there)} in the file, and {_said(wanted)} in the model."
    if _value(reader, "tokenizer.chat_template") != vocabulary.chat_template:
        yield "The chat template in the file is not the model's."


def _said(value: Any) -> str:
    return {None: "not told", True: "yes", False: "no"}.get(value, repr(value)) if not _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _weights(reader: gguf.GGUFReader, model: Any, layout: GgufLayout) -> Iterator[str]:
    there = {tensor.name: tensor for tensor in reader.tensors}
    for name, right in weights(model, layout):
        tensor = there.pop(name, None)
        if tensor is None:
            yield f"The weight {name} is missing."
            continue
        made = read_back(tensor.data, tensor.tensor_type)
        if made.numel() != right.numel():
            yield f"The weight {name} has {made.numel():,} numbers in the file, and {right.numel():,} in the model."
        elif fault := _fault(made.reshape(-1), right, tensor.tensor_type):
            shaped = tuple(int(size) for size in reversed(tensor.shape))
            if right.ndim == 2 and shaped != tuple(right.shape):
                fault = f"has the shape {shaped} in the file, and {tuple(right.shape)} in the model"
            yield f"The weight {name} {fault}."
    yield from (f"The weight {name} is in the file, and not in the model." for name in there)


def _fault(made: torch.Tensor, right: torch.Tensor, kind: Kind) -> str | None:
    """What is wrong with the numbers ``made``, in words, or None. ``right`` is the weight."""
    if not torch.isfinite(made).all():
        return f"holds {int((~torch.isfinite(made)).sum())} numbers that are infinite or no numbers"
    flat = right.reshape(-1)
    off = (made - flat).abs()
    block = max(_BLOCK, gguf.GGML_QUANT_SIZES[kind][0])
    blocks = torch.nn.functional.pad(flat.abs(), (0, -len(flat) % block)).reshape(-1, block).amax(-1)
    room = (FARTHEST[kind] * blocks + _FP16_SMALLEST).repeat_interleave(block)[: len(flat)]
    wrong = int((off > room).sum())
    return _told(made, right, wrong) if wrong else None


def _told(made: torch.Tensor, right: torch.Tensor, wrong: int) -> str:
    """The likeliest thing to have happened."""
    flat = right.reshape(-1)
    stretch = float((made * flat).sum()) / max(float(flat.square().sum()), 1e-30)
    if stretch and float((made / stretch - flat).abs().max()) <= 0.01 * float(flat.abs().max()):
        return f"is {stretch:.4g} times what it is in the model"
    if right.ndim == 2 and torch.allclose(made, right.T.reshape(-1), atol=0.01 * float(flat.abs().max())):
        return "is transposed"
    if right.ndim == 2 and _same_rows(made.reshape(right.shape), right):
        return "has its rows in another order"
    return f"differs from the model's in {wrong:,} of {len(flat):,} numbers, by up to {float((made - flat).abs().max()):.3g}"


def _same_rows(made: torch.Tensor, right: torch.Tensor) -> bool:
    lengths = made.norm(dim=-1).sort().values, right.norm(dim=-1).sort().values
    return torch.allclose(*lengths, rtol=0.01)
