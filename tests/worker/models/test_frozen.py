"""Weights that LoRA leaves alone, in fewer bytes: against passes with whole ones, and against bitsandbytes' own layers."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes
import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from tests.worker import architectures, designs
from tests.worker.designs import save_small_gpt2
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.devices import bits
from worker.errors import DeviceError
from worker.models import frozen, lora
from worker.process.control import StopSwitch
from worker.training.preparation import prepare
from worker.training.trainer import Trainer

CPU = torch.device("cpu")
TOKENS = torch.randint(designs.VOCABULARY, (8, 24), generator=torch.Generator().manual_seed(1))
DESIGNS = ("gpt2", "llama", "qwen2")


def settings(**config: Any) -> RunConfig:
    return RunConfig(**{"model_name": "some/model", "method": "lora", "lora_rank": 4, **config})


def adapted(design: str, precision: Any, base: torch.dtype = torch.float32, **config: Any) -> tuple[Any, Any]:
    """The same model with adapters twice: as it is, and with what is not trained held in fewer bytes."""
    torch.manual_seed(0)
    whole = designs.make(design, **({"resid_pdrop": 0.0} if design == "gpt2" else {})).to(base).float()
    lora.add_adapters(whole, settings(**config))
    held = copy.deepcopy(whole)
    lora.shrink_base(held, settings(**config), precision, CPU)
    return whole, held


def losses(model: Any, updates: int = 4) -> list[float]:
    """Of updates of what is trained in ``model``, whose products are in bf16."""
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.01)
    found = []
    torch.manual_seed(0)  # some routers draw lots
    for _ in range(updates):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.train()(input_ids=TOKENS, labels=TOKENS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("kind", [{}, {"use_dora": True}], ids=["LoRA", "DoRA"])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_base_of_bf16_loses_nothing_in_bf16(design: str, kind: dict[str, bool]) -> None:
    whole, held = adapted(design, "bf16", torch.bfloat16, **kind)
    assert losses(held) == losses(whole)
    in_half = sum(weight.numel() for weight in held.parameters() if weight.dtype == torch.bfloat16)
    assert in_half > 0.95 * sum(weight.numel() for weight in held.parameters() if not weight.requires_grad)
    assert {weight.dtype for weight in held.parameters() if weight.requires_grad} == {torch.float32}


@pytest.mark.parametrize("design", DESIGNS)
def test_a_base_of_fp32_is_near_what_it_was(design: str) -> None:
    whole, held = adapted(design, "bf16")
    assert losses(held) == pytest.approx(losses(whole), rel=3e-3)  # bf16 rounds to 4e-3, and CPUs differ in how they add


@pytest.mark.slow
@pytest.mark.parametrize("name", architectures.TRAINED)
def test_every_design_computes_with_a_smaller_base_as_with_a_whole_one(name: str) -> None:
    whole = architectures.make(name, designs.VOCABULARY)
    for weight in whole.parameters():
        weight.data = weight.data.bfloat16().float()
    lora.add_adapters(whole, settings())
    held, packed = copy.deepcopy(whole), copy.deepcopy(whole)
    lora.shrink_base(held, settings(), "bf16", CPU)
    lora.shrink_base(packed, settings(load_in_4bit=True), "bf16", CPU)
    expected = losses(whole)
    assert losses(held) == pytest.approx(expected, rel=3e-3)
    assert losses(packed)[0] == pytest.approx(expected[0], rel=0.1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(64, 96), (32, 24), (33, 5)])
def test_a_layer_in_4_bits_computes_what_bitsandbytes_own_does(shape: tuple[int, int], precision: str) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(*shape).requires_grad_(False)
    theirs = bitsandbytes.nn.LinearNF4(*shape)
    theirs.weight = bitsandbytes.nn.Params4bit(layer.weight.clone(), quant_type="nf4", module=theirs)
    theirs.bias = layer.bias
    theirs.to("cpu")
    model = nn.Sequential(layer)
    model.get_output_embeddings = lambda: None  # type: ignore[assignment]
    model.config = type("Config", (), {"get_text_config": lambda self: self})()
    frozen.shrink(model, ["0"], torch.float32, four_bit=True, device=CPU)
    inputs, gradient = torch.randn(2, 7, shape[0]), torch.randn(2, 7, shape[1])
    found = []
    for one in (model, theirs.train()):
        given = inputs.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            output = one(given * 1)
        (output.float() * gradient).sum().backward()
        found.append((output.float(), given.grad))
    near = {"rtol": 1e-5, "atol": 1e-6} if precision == "fp32" else {"rtol": 0.02, "atol": 0.05}
    torch.testing.assert_close(found[0][0], found[1][0], **near)
    torch.testing.assert_close(found[0][1], found[1][1], **near)


def test_what_is_held_is_an_eighth_and_counted_as_it_was() -> None:
    whole, held = adapted("llama", "fp32", load_in_4bit=True)
    names = [f"{name}.weight" for name in lora.adaptable(whole) if ".lora_" not in name]
    packed = sum(whole.get_parameter(name).numel() for name in names)
    assert frozen.numbers(held) == frozen.numbers(whole) == sum(weight.numel() for weight in whole.parameters())
    saved = frozen.held_bytes(whole) - frozen.held_bytes(held)
    assert saved == pytest.approx(packed * (4 - 0.5 - 1 / 64), rel=1e-3)
    state = [layer.quantized for layer in held.modules() if hasattr(layer, "quantized")]
    scales = sum(one.absmax.nbytes + one.state2.absmax.nbytes for one in state if one)
    assert frozen.held_bytes(held) - sum(weight.nbytes for weight in held.parameters()) == pytest.approx(scales, rel=0.2)


Train = Callable[..., tuple[Path, list[Any], Trainer]]


@pytest.fixture
def base(fragments: Path, tmp_path: Path) -> Path:
    """A small model in fp32."""
    return Path(save_small_gpt2(tmp_path / "base", fragments).location)


@pytest.fixture
def train(base: Path, fragments: Path, tmp_path: Path) -> Train:
    """Trains an adapter of the model for two updates; the run's directory, what it told, and what trained it."""

    def make(
        name: str = "run", meanwhile: Callable[[], object] = lambda: None, **config: Any
    ) -> tuple[Path, list[Any], Trainer]:
        run_dir = tmp_path / name
        run_dir.mkdir()
        told: list[Any] = []
        chosen = {"model_name": "local:base", "max_steps": 2, "learning_rate": 0.01, "max_length": 24, **config}
        job = Job(
            run_id="run",
            config=settings(**chosen),
            model=ModelSource(kind="folder", location=str(base)),
            dataset=DatasetSource(path=str(fragments)),
            device="cpu",
        )
        trainer, _ = prepare(job, run_dir, told.append, StopSwitch(run_dir))
        meanwhile()
        trainer.train()
        return run_dir, told, trainer

    return make


def merged_by_peft(base: Path, run_dir: Path) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    state: dict[str, torch.Tensor] = PeftModel.from_pretrained(model, run_dir / "adapter").merge_and_unload().state_dict()
    return state


def test_the_result_has_the_digits_that_its_base_had(base: Path, train: Train) -> None:
    run_dir, _, _ = train(precision="bf16")
    expected = merged_by_peft(base, run_dir)
    for name, weight in load_file(run_dir / "model" / "model.safetensors").items():
        torch.testing.assert_close(weight, expected[f"transformer.{name}"], rtol=0, atol=1e-6)
    assert not torch.equal(expected["transformer.wte.weight"], expected["transformer.wte.weight"].bfloat16().float())


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_base_that_is_another_in_the_end_is_told_and_its_result_saved(what: str, base: Path, train: Train) -> None:
    weights = base / "model.safetensors"

    def change() -> None:
        other = {name: weight + 1 for name, weight in load_file(weights).items()}
        weights.unlink()
        if what == "changed":
            save_file(other, weights, {"format": "pt"})

    run_dir, told, _ = train(precision="bf16", meanwhile=change)
    assert [event for event in told if event.type == "message" and "rounded for training" in event.text]
    assert load_file(run_dir / "model" / "model.safetensors")["wte.weight"].abs().max() < 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_result_of_a_base_in_4_bits_is_what_was_trained(precision: str, base: Path, train: Train) -> None:
    run_dir, told, trainer = train(load_in_4bit=True, precision=precision)
    assert [event.text for event in told if event.type == "sample"][-1]
    loaded = AutoModelForCausalLM.from_pretrained(run_dir / "model", dtype=torch.float32).eval()
    rounded = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    for module in rounded.modules():
        if type(module).__name__ == "Conv1D":
            packed, state = bitsandbytes.functional.quantize_nf4(module.weight.data, compress_statistics=True)
            module.weight.data = bitsandbytes.functional.dequantize_nf4(packed, state)
    by_peft: Any = PeftModel.from_pretrained(rounded, run_dir / "adapter").merge_and_unload().eval()
    tokens = torch.arange(20)[None]
    with torch.inference_mode():
        torch.testing.assert_close(loaded(tokens).logits, by_peft(tokens).logits, rtol=1e-4, atol=1e-4)
    assert 'bnb_4bit_quant_type="nf4"' in (run_dir / "adapter" / "README.md").read_text()
    assert loaded.num_parameters() == AutoModelForCausalLM.from_pretrained(base).num_parameters()
    (facts, *_) = [event for event in told if event.type == "status" and event.phase == "training"]
    added = sum(weight.numel() for weight in lora.trainable_state(trainer.model).values())
    assert facts.parameters == loaded.num_parameters() + added


def test_where_4_bits_do_not_run_a_run_is_refused_in_words(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_kernel(*_: Any, **__: Any) -> None:
        raise RuntimeError("no kernel\nfor this")

    monkeypatch.setattr(bitsandbytes.functional, "quantize_4bit", without_kernel)
    with pytest.raises(DeviceError, match=r"4 bits do not work on cpu here: bitsandbytes says no kernel$"):
        train(load_in_4bit=True)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setattr(bits, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="not installed") as caught:
        train("other", load_in_4bit=True)
    assert "pip install 'trainboard[bitsandbytes]'" in str(caught.value.hint)
    with pytest.raises(DeviceError, match="mps"):
        frozen.require_four_bits(torch.device("mps"), tried=False)


@pytest.mark.parametrize(
    ("config", "why"), [({"method": "full"}, "weights that are not trained"), ({"use_dora": True}, "DoRA")]
)
def test_4_bits_are_for_lora_alone(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(load_in_4bit=True, **config)
