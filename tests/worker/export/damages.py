"""Ways in which a .gguf file can be wrong, each as it has happened to somebody's converter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np

Fields = dict[str, tuple[Any, gguf.GGUFValueType, gguf.GGUFValueType | None]]
Tensors = dict[str, tuple[np.ndarray[Any, Any], gguf.GGMLQuantizationType]]


class Damage(NamedTuple):
    """``change`` a right file of ``shape``. ``says``: a pattern of the sentence that tells what is wrong. ``engine``:
    whether llama.cpp alone shows it, without a look into the file."""

    shape: str
    change: Callable[[Fields, Tensors], None]
    says: str
    engine: bool = True


def inflict(damage: Damage, path: Path) -> None:
    """Writes the file anew, damaged."""
    reader = gguf.GGUFReader(path)
    fields: Fields = {
        name: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.")
    }
    tensors: Tensors = {tensor.name: (np.array(tensor.data), tensor.tensor_type) for tensor in reader.tensors}
    damage.change(fields, tensors)
    architecture, _, _ = fields.pop("general.architecture")
    writer = gguf.GGUFWriter(path.with_suffix(".damaged"), architecture)
    for name, (value, kind, inner) in fields.items():
        writer.add_key_value(name, value, kind, inner)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path.with_suffix(".damaged").rename(path)


def _set(name: str, value: Any) -> Callable[[Fields, Tensors], None]:
    def change(fields: Fields, _: Tensors) -> None:
        assert fields[name][0] != value
        fields[name] = (value, *fields[name][1:])

    return change


def _drop(name: str) -> Callable[[Fields, Tensors], None]:
    return lambda fields, _: fields.pop(name) and None


def _weight(name: str, make: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Callable[[Fields, Tensors], None]:
    def change(_: Fields, tensors: Tensors) -> None:
        data, kind = tensors[name]
        tensors[name] = make(data).astype(data.dtype), kind

    return change


def _first_row(value: float) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    def make(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        data[0] = value
        return data

    return make


def _swapped(first: int, second: int, size: int = 1) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    def make(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        one, other = slice(first * size, (first + 1) * size), slice(second * size, (second + 1) * size)
        data[one], data[other] = data[other].copy(), data[one].copy()
        return data

    return make


def _not_interleaved(fields: Fields, tensors: Tensors) -> None:
    for name, heads in (("attn_q", 4), ("attn_k", 2)):
        data, kind = tensors[f"blk.0.{name}.weight"]
        back = data.reshape(heads, -1, 2, data.shape[-1]).swapaxes(1, 2).reshape(data.shape)
        tensors[f"blk.0.{name}.weight"] = back, kind


def _without_a_layer(fields: Fields, tensors: Tensors) -> None:
    _set("llama.block_count", 1)(fields, tensors)
    for name in [name for name in tensors if name.startswith("blk.1.")]:
        del tensors[name]


def _with_a_head_of_its_own(_: Fields, tensors: Tensors) -> None:
    data, kind = tensors["token_embd.weight"]
    tensors["output.weight"] = np.roll(data, 1, 0), kind


def _other_heads(fields: Fields, tensors: Tensors) -> None:
    for name, value in (("head_count", 8), ("head_count_kv", 4), ("key_length", 4), ("value_length", 4)):
        _set(f"llama.attention.{name}", value)(fields, tensors)
    _set("llama.rope.dimension_count", 4)(fields, tensors)


def _other_groups(fields: Fields, tensors: Tensors) -> None:
    """Each key serves the queries that belong to the other one."""
    for name in ("attn_k", "attn_v"):
        _weight(f"blk.0.{name}.weight", _swapped(0, 1, 8))(fields, tensors)


def _larger_vocabulary(fields: Fields, tensors: Tensors) -> None:
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    fields["tokenizer.ggml.tokens"] = ([*tokens[0], "[PAD]"], *tokens[1:])
    fields["tokenizer.ggml.token_type"] = ([*kinds[0], 5], *kinds[1:])
    for name in ("token_embd.weight", "output.weight"):
        data, kind = tensors[name]
        tensors[name] = np.concatenate([data, data[:1]]), kind
    if "llama.vocab_size" in fields:
        _set("llama.vocab_size", fields["llama.vocab_size"][0] + 1)(fields, tensors)


def _in_list(name: str, first: int, second: int) -> Callable[[Fields, Tensors], None]:
    def change(fields: Fields, _: Tensors) -> None:
        values = [*fields[name][0]]
        values[first], values[second] = values[second], values[first]
        fields[name] = (values, *fields[name][1:])

    return change


def _reversed(name: str) -> Callable[[Fields, Tensors], None]:
    return lambda fields, _: fields.update({name: (fields[name][0][::-1], *fields[name][1:])})


def _special_as_text(fields: Fields, _: Tensors) -> None:
    values = [*fields["tokenizer.ggml.token_type"][0]]
    values[1] = 1
    fields["tokenizer.ggml.token_type"] = (values, *fields["tokenizer.ggml.token_type"][1:])


DAMAGES: dict[str, Damage] = {
    "a row of a weight is zero": Damage("llama", _weight("blk.1.ffn_down.weight", _first_row(0)), "ffn_down.weight differs"),
    "a weight is 2% too large": Damage(
        "llama", _weight("blk.0.attn_output.weight", lambda data: data * 1.02), r"attn_output.weight is 1\.02 times"
    ),
    "a Conv1D is transposed": Damage(
        "gpt2", _weight("blk.0.attn_output.weight", np.transpose), "attn_output.weight is transposed"
    ),
    "queries and keys are swapped": Damage(
        "gpt2", _weight("blk.0.attn_qkv.weight", _swapped(0, 1, 32)), "attn_qkv.weight has its rows in another order"
    ),
    "the base of positions is another": Damage("llama", _set("llama.rope.freq_base", 500000.0), "base of rotary positions"),
    "the end of texts is missing": Damage("llama", _drop("tokenizer.ggml.eos_token_id"), "ends a text is not told"),
    "the end of texts is another": Damage("qwen3", _set("tokenizer.ggml.eos_token_id", 5), "ends a text is 5"),
    "the chat template is another": Damage("llama", _set("tokenizer.chat_template", "{{ bos_token }}"), "template"),
    "text is split otherwise": Damage("gpt2", _set("tokenizer.ggml.pre", "qwen2"), "split into words is 'qwen2'"),
    "a tied head is another": Damage("smollm2", _with_a_head_of_its_own, "output.weight is in the file, and not"),
    "a weight overflows": Damage("llama", _weight("blk.0.ffn_up.weight", _first_row(np.inf)), "infinite or no numbers"),
    "a layer is missing": Damage("llama", _without_a_layer, "number of layers is 1"),
    "the epsilon of norms is another": Damage("llama", _set("llama.attention.layer_norm_rms_epsilon", 1e-2), "epsilon"),
    "two rows of the vocabulary are swapped": Damage(
        "llama", _weight("token_embd.weight", _swapped(80, 81)), "token_embd.weight has its rows in another order"
    ),
    "merges are in another order": Damage("llama", _reversed("tokenizer.ggml.merges"), "Merge 0"),
    "heads are others": Damage("llama", _other_heads, "number of attention heads is 8"),
    "groups of heads are others": Damage("llama", _other_groups, "attn_k.weight has its rows in another order"),
    "the context is another": Damage("llama", _set("llama.context_length", 128), "longest text is 128"),
    "a token is put before each text": Damage("llama", _set("tokenizer.ggml.add_bos_token", True), "before a text is yes"),
    "rows are not interleaved": Damage("llama", _not_interleaved, "attn_q.weight has its rows in another order"),
    "attention is scaled otherwise": Damage(
        "qwen3", _weight("blk.0.attn_q_norm.weight", lambda data: data * 2), r"attn_q_norm.weight is 2 times"
    ),
    "the vocabulary is padded": Damage("llama", _larger_vocabulary, "has 401 tokens"),
    "two tokens are swapped": Damage("llama", _in_list("tokenizer.ggml.tokens", 80, 81), "Token 80 is"),
    "a special token is plain text": Damage("llama", _special_as_text, "Token 1 is of another kind"),
    "pieces are joined in another order": Damage("llama2", _reversed("tokenizer.ggml.scores"), "joined in another order"),
    "a blank is put before each text": Damage(
        "gemma", _set("tokenizer.ggml.add_space_prefix", True), "Whether a blank is put"
    ),
    "a norm is without its 1": Damage(
        "gemma", _weight("output_norm.weight", lambda data: data - 1), "output_norm.weight differs"
    ),
    "the window is another": Damage("gemma2", _set("gemma2.attention.sliding_window", 5), "the window of attention is 5"),
    "the cap on logits is another": Damage("gemma2", _set("gemma2.final_logit_softcapping", 30.0), "cap on logits is 30"),
}
