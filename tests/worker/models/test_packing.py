"""Texts end to end in one row see nothing of each other, and nobody can tell from the model that they were."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional as F  # noqa: N812
from transformers import AutoModelForCausalLM, MambaConfig, MambaForCausalLM

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.data.batching import Batch, PackedTexts, lay_out
from worker.generation.sampling import Sampling, stream
from worker.models import attention
from worker.models.attention import packed_arguments, varlen_serves
from worker.models.forward import Forward
from worker.models.packing import choose_layout

CPU = torch.device("cpu")
LENGTHS = [2, 30, 7, 64, 15, 30, 33, 9]
EXAMPLES = random_examples(LENGTHS, designs.VOCABULARY)


@pytest.fixture(params=designs.ALL)
def design(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def prepared(design: str, **config: Any) -> Any:
    model = designs.make(design, **config).eval()
    assert choose_layout(designs.language_model(model), True, "fp32", CPU) == ("packed", None)
    return model


def packed() -> Batch:
    (batch,) = lay_out(EXAMPLES, range(len(LENGTHS)), "packed", batch_size=4, max_length=64)
    return batch


def logits(model: Any, batch: Batch) -> torch.Tensor:
    result: torch.Tensor = model(input_ids=batch.inputs, use_cache=False, **packed_arguments(batch)).logits[0]
    return result


@torch.no_grad()
def test_packed_logits_are_those_of_each_text_alone(design: str) -> None:
    plain, model, batch = designs.make(design).eval(), prepared(design), packed()
    together = logits(model, batch)
    assert batch.texts is not None
    starts = batch.texts.starts.tolist()
    for start, end in pairwise(starts):
        alone = plain(batch.inputs[:, start:end], use_cache=False).logits[0]
        assert (together[start:end] - alone).abs().max() <= 1e-5 * alone.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("lengths", [[300, 300, 20, 20], [50, 50, 300], [1, 200, 9, 150, 64]])
def test_short_and_long_texts_may_stand_in_any_order(lengths: list[int]) -> None:
    """What fills a pass up stands last, however long it is."""
    texts = PackedTexts.of(lengths)
    tensors = torch.randn(3, sum(lengths), 2, 8, generator=torch.Generator().manual_seed(0))
    found = attention._attend_packed(tuple(tensors), texts, 0.0, None, None)
    for start, end in pairwise(texts.starts.tolist()):
        alone = F.scaled_dot_product_attention(*tensors[:, start:end].transpose(1, 2)[:, None], is_causal=True)[0]
        torch.testing.assert_close(found[start:end], alone.transpose(0, 1), rtol=1e-5, atol=1e-5)


def test_a_pass_that_was_only_traced_leaves_nothing_behind() -> None:
    """The estimate traces models without weights: what such a pass makes has no numbers in it."""
    texts, window = PackedTexts.of([77, 40]), 53  # as nowhere else, lest their mask be there already
    tensors = tuple(torch.randn(3, 117, 2, 8, generator=torch.Generator().manual_seed(0)))
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert isinstance(attention._attend_packed(tensors, texts, 0.0, None, window), FakeTensor)
    found = attention._attend_packed(tensors, texts, 0.0, None, window)
    blocks = [attention._attend_block(tensors, block, 0.0, None, window) for block in texts.blocks]
    torch.testing.assert_close(found, torch.cat(blocks), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", ["few", "budget"])
def test_short_texts_may_be_filled_up_with_a_long_one(sizes: Any) -> None:
    examples = random_examples([51] * 83, designs.VOCABULARY)
    model = prepared("llama")
    losses = []
    for each in ("any", sizes):
        (batch,) = lay_out(examples, range(83), "packed", batch_size=16, max_length=512, sizes=each)
        losses.append(float(Forward(designs.language_model(model), "fp32")(batch).detach()))
    assert batch.texts is not None
    assert batch.texts.longest > 128
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@torch.no_grad()
def test_a_change_in_one_text_changes_no_other(design: str) -> None:
    model, batch = prepared(design), packed()
    before = logits(model, batch)
    assert batch.texts is not None
    start, end = batch.texts.starts[2:4].tolist()
    batch.inputs[0, start] = (batch.inputs[0, start] + 1) % designs.VOCABULARY
    changed = (logits(model, batch) != before).any(dim=1)
    assert changed[start]
    assert not changed[:start].any()
    assert not changed[end:].any()


def test_attention_dropout_works_in_training_only() -> None:
    model = prepared("llama", attention_dropout=0.5)
    batch = packed()
    assert torch.equal(logits(model, batch), logits(model, batch))
    model.train()
    assert not torch.equal(logits(model, batch), logits(model, batch))


def test_samples_are_those_of_a_model_that_was_never_prepared(design: str) -> None:
    sampling = Sampling(max_new_tokens=30, temperature=0.8, seed=0)
    prompt = EXAMPLES[4].tolist()  # longer than the window of the one model that has one
    plain, model = designs.make(design), prepared(design)
    expected, found = (list(stream(designs.language_model(each), prompt, sampling)) for each in (plain, model))
    assert len(expected) > 5
    assert found == expected


def test_what_is_saved_does_not_tell_and_loads_anywhere(design: str, tmp_path: Path) -> None:
    plain, model = designs.make(design), prepared(design)
    plain.save_pretrained(tmp_path / "plain")
    model.save_pretrained(tmp_path / "prepared")
    for file in sorted((tmp_path / "plain").iterdir()):
        assert (tmp_path / "prepared" / file.name).read_bytes() == file.read_bytes()
    assert "attn_implementation" not in json.dumps(json.loads((tmp_path / "prepared/config.json").read_text()))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "prepared")
    assert loaded.config._attn_implementation == "sdpa"


def test_without_packing_nothing_is_tried_and_nothing_changed() -> None:
    model = designs.make("gpt2")
    assert choose_layout(designs.language_model(model), False, "fp32", CPU) == ("in_order", None)
    assert model.config._attn_implementation == "sdpa"


def test_trying_out_leaves_random_numbers_and_the_model_s_mode_as_they_were() -> None:
    model = designs.make("gpt2", attn_pdrop=0.1).train()
    before = torch.get_rng_state()
    assert choose_layout(designs.language_model(model), True, "fp32", CPU) == ("packed", None)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


@pytest.mark.parametrize("kind", ["mixes texts in another way", "attends to more than texts", "has no positions"])
def test_a_model_that_cannot_keep_texts_apart_has_them_side_by_side(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = designs.make("llama").eval()
    if kind == "mixes texts in another way":
        layer = model.model.layers[1].mlp
        layer.register_forward_hook(lambda module, inputs, output: output + inputs[0].roll(1, dims=1))
    elif kind == "attends to more than texts":
        forward = type(model.model).forward
        monkeypatch.setattr(
            type(model.model), "forward", lambda *args, **options: forward(*args, **options, s_aux=torch.zeros(4))
        )
    else:
        model = MambaForCausalLM(MambaConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2))
    before = model.config._attn_implementation
    layout, text = choose_layout(designs.language_model(model), True, "fp32", CPU)
    assert layout == "grouped"
    assert type(model).__name__ in str(text)
    assert model.config._attn_implementation == before


def test_a_model_that_is_not_prepared_refuses_packed_texts() -> None:
    with pytest.raises(ValueError, match="choose_layout"):
        Forward(designs.language_model(designs.make("gpt2")), "fp32")(packed())


@pytest.mark.parametrize(
    ("kind", "capability", "dtype", "width", "serves"),
    [
        ("cuda", (9, 0), torch.bfloat16, 64, True),
        ("cuda", (8, 0), torch.float16, 256, True),
        ("cuda", (9, 0), torch.float32, 64, False),
        ("cuda", (9, 0), torch.bfloat16, 512, False),
        ("cuda", (9, 0), torch.bfloat16, 20, False),
        ("cuda", (7, 5), torch.float16, 64, False),
        ("cpu", (0, 0), torch.bfloat16, 64, False),
    ],
)
def test_the_kernel_for_many_lengths_is_used_where_it_can_be(
    kind: str, capability: tuple[int, int], dtype: torch.dtype, width: int, serves: bool
) -> None:
    assert varlen_serves(kind, capability, dtype, width) is serves


@pytest.mark.parametrize("heads", [4, 2])
@pytest.mark.parametrize("window", [None, 1, 9, 500])
def test_the_kernel_for_many_lengths_is_asked_for_what_the_other_way_computes(
    window: int | None, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no such kernel on a CPU: a plain one takes its place that reads the arguments by their names in PyTorch's
    schema. A token sees ``window_size`` tokens to the left and right of it, -1 being all. Dropout is not made up."""

    def kernel(*values: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        names = [argument.name for argument in schema.arguments]
        asked = dict(zip(names, values, strict=False)) | options
        assert set(asked) <= set(names)
        assert asked["max_q"] == asked["max_k"] == max(LENGTHS) - 1  # a text's last token is no input
        assert asked["is_causal"] is (window is None)
        assert asked["dropout_p"] == 0.25
        assert asked["return_debug_mask"] is False
        left, right = asked["window_size_left"], asked["window_size_right"]
        parts = []
        for start, end in pairwise(asked["cum_seq_q"].tolist()):
            back = torch.arange(end - start)[:, None] - torch.arange(end - start)
            sees = (back <= (left if left >= 0 else 10**6)) & (-back <= (right if right >= 0 else 10**6))
            text = (asked[name][start:end].transpose(0, 1)[None] for name in ("query", "key", "value"))
            out = F.scaled_dot_product_attention(*text, attn_mask=sees, scale=asked["scale"], enable_gqa=True)
            parts.append(out[0].transpose(0, 1))
        return torch.cat(parts), torch.zeros(0)

    schema = torch.ops.aten._flash_attention_forward.default._schema
    monkeypatch.setattr(attention, "_flash_attention", kernel)
    batch = packed()
    assert batch.texts is not None
    query = torch.randn(batch.tokens, 4, 8, generator=torch.Generator().manual_seed(0))
    key, value = (torch.randn(batch.tokens, heads, 8, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    found = attention._attend_varlen((query, key, value), batch.texts, torch.float32, 0.25, 0.3, window)
    blocks = [attention._attend_block((query, key, value), block, 0.0, 0.3, window) for block in batch.texts.blocks]
    assert torch.allclose(found, torch.cat(blocks), atol=1e-5)
