"""A text's loss is its own, whatever it shares a forward pass with and however they are laid out."""

from __future__ import annotations

import copy
from collections import Counter
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM
from transformers.integrations.neftune import neftune_post_forward_hook

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.data.batching import Layout, lay_out
from worker.models.forward import Forward, has_plain_head, neftune_noise, recompute_activations
from worker.models.packing import choose_layout

CPU = torch.device("cpu")
EXAMPLES = random_examples([2, 30, 7, 64, 15, 30, 33], designs.VOCABULARY)


@pytest.fixture(params=designs.ALL)
def model(request: pytest.FixtureRequest) -> Any:
    return designs.make(request.param).eval()


@pytest.fixture(params=get_args(Layout))
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param  # type: ignore[no-any-return]


def losses(model: Any, layout: Layout, precision: Any = "fp32") -> list[torch.Tensor]:
    """The loss of each forward pass over all examples."""
    if layout == "packed":
        assert choose_layout(designs.language_model(model), True, precision, CPU) == ("packed", None)
    forward = Forward(designs.language_model(model), precision)
    batches = lay_out(EXAMPLES, range(len(EXAMPLES)), layout, batch_size=2, max_length=64)
    return [forward(batch.to(CPU)) for batch in batches]


def grads(model: Any) -> list[torch.Tensor]:
    found = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    return found


def texts() -> list[torch.Tensor]:
    return [torch.from_numpy(EXAMPLES[index]).long()[None] for index in range(len(EXAMPLES))]


def plain_loss(model: Any) -> torch.Tensor:
    """The sum over every text of its own, as transformers' model and PyTorch's loss give it."""
    parts = [F.cross_entropy(model(ids[:, :-1], use_cache=False).logits[0], ids[0, 1:], reduction="sum") for ids in texts()]
    return torch.stack(parts).sum()


def assert_learns_as_alone(model: Any, layout: Layout) -> None:
    """The loss and the gradients are those of each text of its own, added up."""
    expected = plain_loss(model)
    expected.backward()
    expected_grads = grads(model)
    found = torch.stack(losses(model, layout)).sum()
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    found.backward()
    for grad, expected_grad in zip(grads(model), expected_grads, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-5 * expected_grad.abs().max().clamp(min=1)


def test_loss_and_gradients_are_the_sum_over_every_text_of_its_own(model: Any, layout: Layout) -> None:
    assert_learns_as_alone(model, layout)


def test_gradients_with_checkpointing_are_those_without(model: Any, layout: Layout) -> None:
    model.train()
    torch.stack(losses(model, layout)).sum().backward()
    expected = grads(model)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    torch.stack(losses(model, layout)).sum().backward()
    for grad, expected_grad in zip(grads(model), expected, strict=True):
        assert torch.equal(grad, expected_grad)


@torch.no_grad()
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_computes_nearly_the_same_and_leaves_the_weights_alone(
    model: Any, layout: Layout, precision: str
) -> None:
    exact, rough = torch.stack(losses(model, layout)), torch.stack(losses(model, layout, precision))
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


class Casts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts how often what lies at each place in memory is turned into bf16."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._to_copy.default and (kwargs or {}).get("dtype") == torch.bfloat16:
            self.places[args[0].data_ptr()] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("recomputed", [False, True])
def test_weights_are_cast_once_for_all_passes_of_an_update_and_gradients_stay_the_same(recomputed: bool) -> None:
    model = designs.make("llama").train()
    choose_layout(designs.language_model(model), True, "bf16", CPU)
    if recomputed:
        recompute_activations(model)
    forward = Forward(designs.language_model(model), "bf16")
    batches = lay_out(EXAMPLES, range(len(EXAMPLES)), "packed", batch_size=1, max_length=64)
    assert len(batches) == 3
    for batch in batches:
        forward(batch).backward()
    expected = grads(model)
    with Casts() as casts, forward.casting_once(CPU):
        for batch in batches:
            forward(batch).backward()
    layers = [layer for layer in model.model.modules() if isinstance(layer, torch.nn.Linear)]
    assert [casts.places[layer.weight.data_ptr()] for layer in layers] == [1] * len(layers)
    for grad, expected_grad in zip(grads(model), expected, strict=True):
        assert torch.equal(grad, expected_grad)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_passes_of_a_few_sizes_learn_the_same(model: Any, layout: Layout, precision: Any) -> None:
    if layout == "packed":
        choose_layout(designs.language_model(model), True, precision, CPU)
    forward = Forward(designs.language_model(model), precision)
    found = []
    for sizes in ("any", "few"):
        batches = lay_out(EXAMPLES, range(len(EXAMPLES)), layout, 2, 64, sizes)  # type: ignore[arg-type]
        loss = torch.stack([forward(batch) for batch in batches]).sum()
        loss.backward()
        found.append((float(loss.detach()), grads(model), sum(batch.inputs.numel() for batch in batches)))
    (loss, expected, cells), (few_loss, few_grads, few_cells) = found
    assert cells < few_cells <= cells * 1.125 + 2
    tolerance = 1e-5 if precision == "fp32" else 0.02
    assert few_loss == pytest.approx(loss, rel=tolerance)
    for grad, expected_grad in zip(few_grads, expected, strict=True):
        assert (grad - expected_grad).abs().max() <= tolerance * expected_grad.abs().max().clamp(min=1)


def test_noise_is_that_of_transformers_and_only_there_while_training() -> None:
    model = designs.make("llama")
    forward = Forward(designs.language_model(model), "fp32", neftune_noise_alpha=5.0)
    seen: list[torch.Tensor] = []
    model.model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    batches = lay_out(EXAMPLES, [5], "in_order", 1, 64)
    for training in (False, True):
        model.train(training)
        torch.manual_seed(3)
        forward(batches[0])
    plain, noisy = seen
    assert torch.equal(plain, model.get_input_embeddings()(batches[0].inputs))
    embeddings = copy.deepcopy(model.get_input_embeddings()).train()
    embeddings.neftune_noise_alpha = 5.0
    torch.manual_seed(3)
    expected = neftune_post_forward_hook(embeddings, None, plain)
    assert not torch.equal(expected, plain)
    torch.testing.assert_close(noisy, expected)


def test_noise_goes_by_the_length_of_each_text_in_every_layout(layout: Layout) -> None:
    lengths = {0: 2, 3: 64, 4: 15}
    for batch in lay_out(EXAMPLES, list(lengths), layout, batch_size=3, max_length=64):
        width = 10_000
        noise = neftune_noise(torch.zeros(*batch.inputs.shape, width), batch, 5.0).flatten(0, 1)
        most = noise.abs().amax(dim=1)
        places = range(batch.inputs.numel()) if batch.trained is None else batch.trained.tolist()
        found = sorted(float(most[place]) for place in places)
        expected = sorted(5.0 / ((n - 1) * width) ** 0.5 for n in lengths.values() for _ in range(n - 1))
        if layout != "grouped":  # which puts each of these in a pass of its own
            assert found == pytest.approx(expected, rel=0.01)


def test_gradients_do_not_depend_on_what_shares_the_pass(model: Any) -> None:
    losses(model, "packed")[0].backward()
    torch.stack(losses(model, "packed")[1:]).sum().backward()
    expected = grads(model)
    forward = Forward(designs.language_model(model), "fp32")
    for start, end in pairwise([0, 1, 4, 7]):
        for batch in lay_out(EXAMPLES, range(start, end), "packed", batch_size=2, max_length=64):
            forward(batch).backward()
    for grad, expected_grad in zip(grads(model), expected, strict=True):
        torch.testing.assert_close(grad, expected_grad, rtol=1e-3, atol=1e-4)


def test_the_curve_with_packing_is_the_curve_without() -> None:
    curves = []
    for layout in ("packed", "in_order"):
        model = designs.make("llama")
        if layout == "packed":
            choose_layout(designs.language_model(model), True, "fp32", CPU)
        forward = Forward(designs.language_model(model), "fp32")
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        curve = []
        for step in range(50):
            window = [(step * 3 + number) % len(EXAMPLES) for number in range(5)]
            passes = [forward(batch) for batch in lay_out(EXAMPLES, window, layout, batch_size=2, max_length=64)]
            loss = torch.stack(passes).sum() / int(EXAMPLES.trained[window].sum())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            curve.append(float(loss.detach()))
        curves.append(curve)
    assert curves[0][-1] < curves[0][0] - 1
    assert max(abs(packed - plain) for packed, plain in zip(*curves, strict=True)) < 1e-4


def test_a_head_that_is_a_linear_layer_is_told_from_one_whose_output_is_changed(model: Any) -> None:
    assert has_plain_head(model)
    sizes = {**designs.SIZES, "head_dim": 8}
    assert not has_plain_head(CohereForCausalLM(CohereConfig(**sizes)))  # scales its logits
    assert not has_plain_head(Gemma2ForCausalLM(Gemma2Config(**sizes)))  # caps its logits


def test_a_scale_before_the_head_is_seen_though_padding_has_a_vector_of_zeros() -> None:
    model = designs.make("llama", pad_token_id=0)
    assert not model.model.embed_tokens.weight[0].any()
    assert has_plain_head(model)
    model.lm_head.register_forward_pre_hook(lambda head, inputs: (inputs[0] / 24,))  # as MiniCPM and others have it
    assert not has_plain_head(model)


def test_a_model_that_changes_its_logits_has_the_right_loss_and_gradients(layout: Layout) -> None:
    model = CohereForCausalLM(CohereConfig(**designs.SIZES, pad_token_id=0)).eval()
    assert_learns_as_alone(model, layout)


def test_adapters_learn_as_they_would_from_every_text_of_its_own(model: Any, layout: Layout) -> None:
    peft = pytest.importorskip("peft")
    before = copy.deepcopy(model)
    names = ["c_attn", "c_proj"] if hasattr(model, "transformer") else ["q_proj", "v_proj", "down_proj"]
    transposed = hasattr(model, "transformer")
    peft.inject_adapter_in_model(
        peft.LoraConfig(r=4, target_modules=names, init_lora_weights=False, fan_in_fan_out=transposed), model
    )
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    expected = torch.autograd.grad(plain_loss(model), trained)
    assert float(plain_loss(model).detach()) != float(plain_loss(before).detach())
    found = torch.autograd.grad(torch.stack(losses(model, layout)).sum(), trained)
    for grad, expected_grad in zip(found, expected, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-5 * expected_grad.abs().max().clamp(min=1)
    assert all(weight.grad is None for weight in model.parameters())
