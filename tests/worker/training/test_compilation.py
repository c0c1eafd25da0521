"""A compiled body learns the same, and one that cannot be compiled is trained as it is."""

from __future__ import annotations

import shutil
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.contract import RunConfig
from worker.data.batching import Batch, Sizes, lay_out, shuffled_windows
from worker.models.forward import Forward
from worker.models.packing import choose_layout
from worker.training.compilation import compile_body, compile_if_wanted, filled_share, should_compile

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("setting", "device", "total_steps", "expected"),
    [
        ("auto", "cuda", 2000, True),
        ("auto", "cuda", 1999, False),
        ("auto", "cpu", 10**6, False),
        ("on", "cpu", 1, True),
        ("off", "cuda", 10**6, False),
    ],
)
def test_auto_compiles_where_it_pays(setting: Any, device: str, total_steps: int, expected: bool) -> None:
    assert should_compile(setting, torch.device(device), total_steps) is expected


@pytest.mark.parametrize(("lengths", "share"), [([128] * 8, 1.0), ([96] * 8, 0.75), ([1, 128, 127] + [64] * 5, 576 / 640)])
def test_what_compiled_passes_would_be_filled_with_is_told(lengths: list[int], share: float) -> None:
    """Passes of 128 tokens: two of them for the last three texts of 64, and an example has a token more than it reads."""
    assert filled_share(setup_of(lengths, accumulation=4), 2, 1) == pytest.approx(share)


def test_what_passes_are_filled_with_is_told_of_all_updates_and_devices() -> None:
    lengths = [128, 40, 90, 128, 128]
    alone, together = setup_of(lengths, accumulation=1), setup_of(lengths, accumulation=1, devices=2)
    windows = list(islice(shuffled_windows(5, 2, alone.job.config.seed), 5))
    assert len({sum(lengths[example] for example in window) for window in windows}) > 1, "or one would tell of all"
    made = [lay_out(alone.train, window, "packed", 2, 64, "budget") for window in windows]
    cells = sum(batch.inputs.numel() for batches in made for batch in batches)
    assert filled_share(alone, 2, 5) == pytest.approx(sum(lengths[one] for window in windows for one in window) / cells)
    # Of four texts, as many passes for each device, though three would hold them.
    window = next(shuffled_windows(5, 4, together.job.config.seed))
    passes = len(lay_out(together.train, window, "packed", 2, 64))
    expected = sum(lengths[one] for one in window) / (128 * (passes + passes % 2))
    assert filled_share(together, 2, 1) == pytest.approx(expected)


def setup_of(lengths: list[int], accumulation: int, devices: int = 1) -> Any:
    """Texts from which the model reads so many tokens; they have one more."""
    config = RunConfig(batch_size=2, gradient_accumulation_steps=accumulation)
    train = random_examples([length + 1 for length in lengths], designs.VOCABULARY)
    return SimpleNamespace(
        job=SimpleNamespace(config=config), max_length=64, train=train, group=SimpleNamespace(size=devices)
    )


def passes(sizes: Sizes = "budget") -> list[Batch]:
    """Six passes of 128 tokens with texts of many lengths."""
    lengths = torch.randint(2, 65, (20,), generator=torch.Generator().manual_seed(0)).tolist()
    examples = random_examples(lengths, designs.VOCABULARY)
    return lay_out(examples, range(20), "packed", batch_size=2, max_length=64, sizes=sizes)


def prepared(design: str, **config: Any) -> tuple[Any, Forward]:
    model = designs.make(design, **config)
    assert choose_layout(designs.language_model(model), True, "fp32", CPU)[0] == "packed"
    return model, Forward(designs.language_model(model), "fp32")


def learn(model: Any, forward: Forward, batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor]]:
    loss = forward(batch)
    loss.backward()
    found = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    return loss.detach(), found


def assert_close(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for grad, expected_grad in zip(found, expected, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-5 * expected_grad.abs().max().clamp(min=1)


@pytest.mark.parametrize("design", designs.ALL)
def test_filling_passes_up_changes_nothing_that_is_learned(design: str) -> None:
    model, forward = prepared(design)
    filled, plain = passes(), passes("any")
    assert {tuple(batch.inputs.shape) for batch in filled} == {(1, 128)}
    assert len({batch.tokens for batch in filled}) > 1
    for batch, expected in zip(filled, plain, strict=True):
        assert batch.tokens == expected.tokens
        loss, grads = learn(model, forward, batch)
        expected_loss, expected_grads = learn(model, forward, expected)
        torch.testing.assert_close(loss, expected_loss)
        assert_close(grads, expected_grads)


@pytest.mark.slow  # the C++ compiler takes a minute on a busy machine
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_body_learns_the_same_and_is_compiled_once() -> None:
    torch._dynamo.reset()
    model, forward = prepared("gpt2")
    batches = passes()
    plain = [learn(model, forward, batch) for batch in batches]
    before = torch.get_rng_state()
    assert compile_body(forward, batches[0]) is None
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.grad is None for weight in model.parameters())
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs > 0
    for batch, (loss, grads) in zip(batches, plain, strict=True):
        found, found_grads = learn(model, forward, batch)
        torch.testing.assert_close(found, loss)
        assert_close(found_grads, grads)
    with torch.inference_mode():
        forward(passes("any")[0])
        model(input_ids=batches[0].inputs[:, :7], use_cache=True)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs


def test_a_failure_to_compile_is_told_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(torch._inductor.config, "force_disable_caches", True)
    torch._dynamo.reset()
    model, forward = prepared("gpt2", n_layer=1)
    batch = passes()[0]
    expected, expected_grads = learn(model, forward, batch)
    text = compile_body(forward, batch)
    assert text is not None
    assert text.startswith("The model could not be compiled, so training goes on without: ")
    assert all(weight.grad is None for weight in model.parameters())
    found, grads = learn(model, forward, batch)
    assert torch.equal(found, expected)
    assert_close(grads, expected_grads)
    torch._dynamo.reset()


@pytest.mark.parametrize("config", [{"neftune_noise_alpha": 5.0}, {"method": "lora", "load_in_4bit": True}])
def test_what_cannot_be_compiled_is_told_and_left(config: dict[str, Any]) -> None:
    settings = RunConfig(model_name="some/model", compile="on", **config)
    setup: Any = SimpleNamespace(job=SimpleNamespace(config=settings), device=CPU, layout="packed", sharded=False)
    told: list[Any] = []
    forward: Any = None
    assert not compile_if_wanted(setup, forward, 2, 100, told.append)
    assert [event.level for event in told] == ["warning"]
    assert "no NEFTune noise, and no base in 4 bits" in told[0].text
