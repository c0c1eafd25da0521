"""What is told of each layer is what plain PyTorch finds, and telling it changes no bit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.worker import architectures, designs
from tests.worker.texts import random_examples
from worker.contract import DatasetSource, Job, LayersEvent, ModelSource, RunConfig
from worker.data.batching import shuffled_windows
from worker.data.corpus import Examples
from worker.distributed.group import Group
from worker.models.lora import add_adapters
from worker.models.parts import trained_parts
from worker.process.control import StopSwitch
from worker.training.setup import Setup
from worker.training.trainer import Trainer
from worker.training.watching import layers
from worker.training.watching.layers import LayerWatch
from worker.training.watching.noise_scale import gradient_parts

Prepare = Callable[..., tuple[Any, list[Any]]]
DESIGNS = ("gpt2", "llama", "qwen3")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every update is looked into, whatever it costs."""
    monkeypatch.setattr(layers, "_SHARE", 1e9)


def trained(model: Any, examples: Examples, run_dir: Path, learning_rate: float, **config: Any) -> tuple[Trainer, list[Any]]:
    """A Trainer of ``model`` on these examples, and the list that its events go to."""
    chosen = {
        "sample_prompts": [],
        "packing": False,
        "batch_size": 4,
        "gradient_accumulation_steps": 4,
        "max_grad_norm": 0.1,
    }
    source = ModelSource(kind="folder", location=str(run_dir))
    setup = Setup(
        job=Job(run_id="run", config=RunConfig(**{**chosen, **config}), model=source,
                dataset=DatasetSource(path=str(run_dir)), device="cpu"),
        run_dir=run_dir, language_model=designs.language_model(model), train=examples, validation=examples.taken([]),
        max_length=designs.CONTEXT, learning_rate=learning_rate, device=torch.device("cpu"), precision="fp32",
        layout="in_order", dataset_sha256="", base_sha256="", group=Group(),
    )  # fmt: skip
    events: list[Any] = []
    return Trainer(setup, events.append, StopSwitch(run_dir)), events


def updates(trainer: Trainer, count: int) -> None:
    """Makes that many updates, and nothing else."""
    trainer._lay_out_anew()
    for _ in range(count):
        trainer._update()


def looked(events: list[Any]) -> list[LayersEvent]:
    return [event for event in events if event.type == "layers"]


def part_named(name: str) -> str:
    """The part that a weight of one of these designs belongs to, by its name."""
    if number := re.search(r"\.(?:h|layers)\.(\d+)\.", name):
        return f"block {number[1]}"
    if "embed" in name or "wte" in name or "wpe" in name:
        return "embeddings"
    return "head" if "lm_head" in name else "norm"


def squares(tensors: dict[str, torch.Tensor]) -> dict[str, float]:
    """The squared norm of each part."""
    found: dict[str, float] = {}
    for name, tensor in tensors.items():
        found[part_named(name)] = found.get(part_named(name), 0.0) + float(tensor.double().square().sum())
    return found


def plain_gradients(model: Any, examples: Examples, window: list[int]) -> list[dict[str, torch.Tensor]]:
    """Of each example of ``window`` the gradient of its summed loss, by the weights' names."""
    found = []
    for number in window:
        ids = torch.from_numpy(examples[number]).long()
        loss = F.cross_entropy(model(ids[None, :-1]).logits[0], ids[1:], reduction="sum")
        names = [name for name, weight in model.named_parameters() if weight.requires_grad]
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        found.append(dict(zip(names, torch.autograd.grad(loss, weights), strict=True)))
    return found


def total(gradients: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: sum((each[name] for each in gradients), torch.zeros(())) for name in gradients[0]}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.usefixtures("always")
def test_gradients_and_changes_are_those_of_plain_pytorch(design: str, tmp_path: Path) -> None:
    model = architectures.make(design, 90).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    examples = random_examples([2, 30, 7, 64, 15, 30, 33, 3, 50, 21, 9, 40, 12, 5, 44, 18], 90)
    trainer, events = trained(model, examples, tmp_path, 1e-3, weight_decay=0.1)
    trainer.total_steps = 3
    updates(trainer, 2)  # so that moments are not those of a first step alone
    window = [*shuffled_windows(16, 16, 42).__next__()]
    expected = total(plain_gradients(model, examples, window))
    tokens = int(examples.trained.sum())
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trainer._update()
    event = looked(events)[2]
    assert event.parts == ["embeddings", "block 0", "block 1", "norm", *(["head"] if "head" in squares(before) else [])]
    norms = {name: square**0.5 / tokens for name, square in squares(expected).items()}
    assert dict(zip(event.parts, event.grad_norm, strict=True)) == pytest.approx(norms, rel=1e-5)
    step = next(each for each in events[::-1] if each.type == "step")
    assert sum(norm**2 for norm in norms.values()) ** 0.5 == pytest.approx(step.grad_norm, rel=1e-5)
    assert step.grad_norm > 0.1, "which was clipped"
    changes = squares({name: weight.detach() - before[name] for name, weight in model.named_parameters()})
    ratios = {name: (changes[name] / square) ** 0.5 for name, square in squares(before).items()}
    assert dict(zip(event.parts, event.update_ratio, strict=True)) == pytest.approx(ratios, rel=1e-3)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.usefixtures("always")
def test_the_noise_scale_is_that_of_single_examples_gradients(design: str, uneven: bool, tmp_path: Path) -> None:
    """Measured at weights that stay, over windows of 16 in passes of 4; here from the covariance of all 64 examples."""
    model = architectures.make(design, 90).eval()
    lengths = [6 + number * 7 % 40 for number in range(64)] if uneven else [24] * 64
    examples = random_examples(lengths, 90)
    trainer, events = trained(model, examples, tmp_path, 0.0, weight_decay=0.0)
    model.eval()
    updates(trainer, 48)
    seen = looked(events)
    assert len(seen) == 48
    noise = sum(event.gradient_noise or 0.0 for event in seen) / 48
    signal = sum(event.gradient_signal or 0.0 for event in seen) / 48

    gradients = plain_gradients(model, examples, list(range(64)))
    tokens = torch.from_numpy(examples.trained).double()
    whole = {name: value.double() / float(tokens.sum()) for name, value in total(gradients).items()}
    mean_tokens = float(tokens.mean())
    spread = 0.0
    for own, count in zip(gradients, tokens.tolist(), strict=True):
        spread += sum(float(((own[name].double() - count * whole[name]) / mean_tokens).square().sum()) for name in whole)
    covariance = spread / 63
    true = sum(float(value.square().sum()) for value in whole.values()) - covariance / 64
    assert noise == pytest.approx(covariance, rel=0.25)
    assert noise / signal == pytest.approx(covariance / true, rel=0.25)


def test_noise_and_signal_are_unbiased_for_passes_of_any_sizes() -> None:
    """From numbers with a known mean and variance in place of gradients."""
    random = torch.Generator().manual_seed(0)
    tokens, count = [3, 11, 40, 7], 20_000
    # One token's share has mean 0.5 and variance 4 in each of 6 directions.
    sums = [0.5 * own + torch.randn(count, 6, generator=random) * 2 * own**0.5 for own in tokens]
    passes = [each / sum(tokens) for each in sums]
    whole = torch.stack(passes).sum(0)
    found = [
        gradient_parts([float(each[n].square().sum()) for each in passes], tokens, float(whole[n].square().sum()), 10)
        for n in range(count)
    ]
    signal = sum(each.signal for each in found if each) / count
    noise = sum(each.noise for each in found if each) / count
    assert signal == pytest.approx(6 * 0.25, rel=0.02)
    assert noise == pytest.approx(6 * 4 * 10 / sum(tokens), rel=0.02)
    assert gradient_parts([1.0], [5], 1.0, 3) is None


@pytest.mark.parametrize("config", [{}, {"packing": False}, {"optimizer": "muon"}, {"gradient_checkpointing": True}])
def test_looking_changes_no_bit(prepare: Prepare, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for share in (-1.0, 1e9):
        monkeypatch.setattr(layers, "_SHARE", share)
        trainer, reported = prepare(max_steps=6, batch_size=2, gradient_accumulation_steps=8, **config)
        trainer.train()
        assert len(looked(reported)) == (6 if share > 0 else 0) or share < 0
        curve = [(event.loss, event.grad_norm) for event in reported if event.type == "step"]
        told.append((curve, [weight.detach().clone() for weight in trainer.model.parameters()]))
    assert told[0][0] == told[1][0]
    assert all(map(torch.equal, told[0][1], told[1][1]))


@pytest.mark.usefixtures("always")
def test_what_fp16_scales_is_told_unscaled(prepare: Prepare) -> None:
    """fp16 is refused on a CPU, and serves here for the loss scaling, which is the same as on a GPU."""
    found = []
    for precision in ("fp32", "fp16"):
        trainer, reported = prepare(max_steps=4, batch_size=2, gradient_accumulation_steps=8, validation_split=0.0)
        trainer = Trainer(replace(trainer.setup, precision=precision), reported.append, trainer.stop)
        if precision == "fp16":
            trainer.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        trainer.train()
        found.append(looked(reported)[-1])
    assert found[1].gradient_noise == pytest.approx(found[0].gradient_noise, rel=0.1)
    for one, other in zip(*(event.grad_norm + event.update_ratio for event in found), strict=True):
        assert one == pytest.approx(other, rel=0.1)


@pytest.mark.usefixtures("always")
def test_what_is_not_known_is_null(prepare: Prepare) -> None:
    trainer, reported = prepare(max_steps=2, optimizer="muon", batch_size=16, gradient_accumulation_steps=1)
    trainer.train()
    (event, _) = looked(reported)
    assert (event.gradient_signal, event.gradient_noise) == (None, None), "one pass alone"
    assert all(event.grad_norm)
    ratios = dict(zip(event.parts, event.update_ratio, strict=True))
    assert ratios["block 0"] is None, "whose matrices are Muon's"
    assert ratios["embeddings"]


def test_looks_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    model = designs.make("gpt2")
    now = [0.0]
    monkeypatch.setattr(layers.time, "perf_counter", lambda: now[0])
    watch = LayerWatch(model, torch.optim.AdamW(model.parameters()), splits_passes=True)
    made = 0
    for _ in range(1000):
        if watch.look():
            made += 1
            with watch.costing():
                now[0] += 0.2
        watch.note(1.0)
    assert 38 <= made <= 41, "a fifth of a second each, of 0.8% of a thousand seconds"


NAMES = {
    "gpt2": ["embeddings", "block 0", "block 1", "norm"],
    "gpt_neox": ["embeddings", "block 0", "block 1", "norm", "head"],
    "llama": ["embeddings", "block 0", "block 1", "norm", "head"],
    "qwen3": ["embeddings", "block 0", "block 1", "norm", "head"],
    "gemma3_text": ["embeddings", "block 0", "block 1", "norm"],
    "mixtral": ["embeddings", "block 0", "block 1", "norm", "head"],
}


@pytest.mark.parametrize("design", NAMES)
def test_every_weight_is_of_one_part(design: str) -> None:
    model = architectures.make(design, 90)
    parts = trained_parts(model)
    assert list(parts) == NAMES[design]
    assert sorted(id(weight) for weights in parts.values() for weight in weights) == sorted(map(id, model.parameters()))
    add_adapters(model, RunConfig(method="lora", model_name="local:base"))
    assert list(trained_parts(model)) == ["block 0", "block 1"]
