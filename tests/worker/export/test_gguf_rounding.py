"""Numbers are rounded as llama.cpp's own programs round them."""

from __future__ import annotations

from importlib.util import find_spec

import gguf
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from tests.worker.export.subjects import subject
from worker.errors import ModelError
from worker.export import gguf_rounding
from worker.export.gguf_check import FARTHEST
from worker.export.gguf_layout import layout_of
from worker.export.gguf_rounding import packed, read_back, type_for


@pytest.fixture
def weight() -> torch.Tensor:
    """Some rows like those of a model, and some that are unlike them."""
    made = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    made[3], made[4, :5], made[5] = 0.0, 50 * made[4, :5], made[5].abs()
    return made


@pytest.mark.parametrize("kind", [Kind.Q5_0, Kind.Q5_1])
def test_llama_cpps_function_makes_the_bytes_that_gguf_makes(kind: Kind, weight: torch.Tensor) -> None:
    """Of these the library that llama.cpp's makers publish has its own."""
    assert (packed("w", weight, kind) == gguf.quants.quantize(weight.numpy(), kind)).all()


@pytest.mark.parametrize("kind", [Kind.Q6_K, Kind.Q5_K, Kind.Q4_K, Kind.Q5_1, Kind.Q5_0])
def test_numbers_are_as_near_as_a_look_into_the_file_wants_them(kind: Kind, weight: torch.Tensor) -> None:
    block = max(32, gguf.GGML_QUANT_SIZES[kind][0])
    off = (read_back(packed("w", weight, kind), kind) - weight).abs().reshape(-1, block).amax(-1)
    largest = weight.abs().reshape(-1, block).amax(-1)
    share = float((off[largest > 0] / largest[largest > 0]).max())
    assert FARTHEST[kind] / 2.5 < share < FARTHEST[kind]


def test_q4_k_m_spends_bits_where_errors_cost_most() -> None:
    layout = layout_of(subject("wide").model)
    names = ["blk.0.attn_v.weight", *(f"blk.{layer}.ffn_down.weight" for layer in range(8)), "blk.1.attn_q.weight"]
    kinds = [type_for(name, torch.Size([256, 256]), "q4_k_m", layout).name for name in [*names, "token_embd.weight"]]
    assert kinds == ["Q6_K", "Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q6_K", "Q4_K", "Q6_K"]
    untied = layout._replace(tied=False)
    shapes = {"blk.1.attn_q.weight": (8, 96), "blk.0.attn_v.weight": (8, 96), "blk.2.attn_q.weight": (8, 40)}
    assert [type_for(name, torch.Size(shape), "q4_k_m", untied).name for name, shape in shapes.items()] == [
        "Q5_0", "Q8_0", "F16"
    ]  # fmt: skip
    assert type_for("token_embd.weight", torch.Size([400, 256]), "q4_k_m", untied) == Kind.Q4_K
    assert type_for("blk.0.attn_qkv.weight", torch.Size([96, 256]), "q4_k_m", untied) == Kind.Q5_K
    assert type_for("blk.0.attn_norm.weight", torch.Size([256]), "q4_k_m", untied) == Kind.F32


def test_a_library_without_the_function_is_told_of(monkeypatch: pytest.MonkeyPatch, weight: torch.Tensor) -> None:
    other = find_spec("numpy._core._multiarray_umath")
    monkeypatch.setattr(gguf_rounding.importlib.util, "find_spec", lambda name: other)
    gguf_rounding.rounding_function.cache_clear()
    with pytest.raises(ModelError, match="does not let its llama"):
        packed("w", weight, Kind.Q4_K)
    gguf_rounding.rounding_function.cache_clear()
