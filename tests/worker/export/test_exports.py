"""Exports of whole runs, full and LoRA, as the process makes them; and folders that have been damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file, save_file

from tests.worker import runs
from tests.worker.export.subjects import subject, tried
from worker.contract import ExportOrder, ModelSource, Proof
from worker.errors import ModelError
from worker.export import gguf_export, proof
from worker.export.__main__ import _Export
from worker.export.gguf_layout import layout_of
from worker.export.gguf_rounding import FileRounding, packed, type_for
from worker.export.plain_folder import faults_of_folder

Make = Callable[..., tuple[Proof, Path]]


@pytest.fixture
def make(tmp_path: Path, dataset: Path) -> Make:
    """Trains a model of a shape for a few updates, and exports what came of it."""

    def made(shape: str, method: str, kind: Any, number_format: Any) -> tuple[Proof, Path]:
        base, run_dir = tmp_path / "my-base", tmp_path / "run"
        if not base.exists():
            model = subject(shape)
            model.model.save_pretrained(base)
            model.tokenizer.save_pretrained(base)
            source = ModelSource(kind="folder", location=str(base))
            settings = {"max_steps": 4, "max_length": 48, "sample_prompts": [], "learning_rate": 3e-3}
            runs.make_run(run_dir, dataset, source, method=method, model_name="local:my-base", **settings)
            assert runs.run(run_dir) == 0, runs.log(run_dir)
        folder = tmp_path / f"{kind}-{number_format}"
        folder.mkdir()
        order = ExportOrder(
            run_dir=str(run_dir), checkpoint=None, format=kind, number_format=number_format, folder=str(folder)
        )
        shares: list[float] = []
        found = _Export(order, lambda text, share: shares.append(share)).make()
        assert shares == sorted(shares)
        assert not [file for file in folder.iterdir() if file.name.startswith(".")]
        return found, folder

    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen3", "smollm2", "mistral", "gemma3"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_was_trained_is_proven_in_every_format(make: Make, shape: str, method: str) -> None:
    formats = [("gguf", "fp16"), ("gguf", "q8_0"), ("gguf", "q4_k_m"), ("safetensors", "bf16")]
    for kind, number_format in [*formats, *([("adapter", "kept")] if method == "lora" else [])]:
        found, folder = make(shape, method, kind, number_format)
        print(f"{shape} {method} {kind} {number_format}: KL {found.kl:.2e}, noise {found.noise:.2e}, base {found.base_kl}")
        assert found.problems == []
        assert found.passed
        assert (found.base_kl is not None) == (kind == "gguf")
        assert "Proven" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_an_adapter_names_no_folder_of_this_machine(make: Make, tmp_path: Path) -> None:
    found, folder = make("gpt2", "lora", "adapter", "kept")
    assert found.passed, found
    assert found.notes == [
        "Its base, local:my-base, is no model of the hub: write into adapter_config.json where it is, in place of my-base."
    ]
    written = [file.read_bytes() for file in folder.iterdir()]
    assert str(tmp_path).encode() not in b"".join(written)
    assert not [file.name for file in folder.iterdir() if "training" in file.name or "manifest" in file.name]
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(
        json.dumps(settings | {"base_model_name_or_path": str(tmp_path / "my-base")})
    )
    assert AutoPeftModelForCausalLM.from_pretrained(folder).active_adapters == ["default"]


def damaged(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> list[str]:
    """What is wrong in a folder whose weights have been changed."""
    model = subject("llama").model
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return list(faults_of_folder(folder, model, torch.float32))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda weights: weights["lm_head.weight"].mul_(1.02), "lm_head.weight differs from the model's by up to"),
        (lambda weights: weights.pop("model.layers.1.mlp.up_proj.weight"), "up_proj.weight is missing"),
        (lambda weights: weights.update(extra=torch.ones(2)), "extra is in the folder, and not in the model"),
        (
            lambda weights: weights.update({"model.norm.weight": torch.ones(5)}),
            r"norm.weight has the shape (5,), and (32,) in the model",
        ),
    ],
)
def test_a_damaged_folder_is_seen(change: Any, says: str, tmp_path: Path) -> None:
    (fault,) = damaged(tmp_path, change)
    assert says in fault


def test_a_right_folder_is_right(tmp_path: Path) -> None:
    assert damaged(tmp_path, lambda weights: None) == []


def test_a_weight_too_large_for_fp16_is_refused() -> None:
    weight, layout = torch.full((2, 32), 70000.0), layout_of(subject("llama").model)
    kind = type_for("blk.0.ffn_up.weight", weight.shape, "fp16", layout)
    with pytest.raises(ModelError, match=r"blk\.0\.ffn_up\.weight holds numbers up to 7e\+04, and fp16 ends at 65,504"):
        packed("blk.0.ffn_up.weight", weight, kind)


@pytest.mark.parametrize(
    ("shape", "change", "says"),
    [
        ("gpt2", {"activation_function": "relu"}, "activation_function is 'relu'"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act"),
        ("llama", {"model_type": "mamba"}, "of the type mamba"),
        ("gemma", {"hidden_act": "gelu"}, "hidden_act"),
        ("gemma2", {"query_pre_attn_scalar": 16}, "query_pre_attn_scalar is 16"),
        ("gemma2", {"layer_types": ["full_attention"] * 2}, "layer_types"),
        ("gemma3", {"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
    ],
)
def test_a_design_that_llama_cpp_computes_otherwise_is_refused(
    shape: str, change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    model = subject(shape)
    model.model.config.__dict__.update(change)
    with pytest.raises(ModelError, match=says):
        gguf_export.export_gguf(model, None, "fp16", tmp_path / "x.gguf", lambda _: None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_llama_cpp_lacks_is_the_longest_text_and_that_is_said() -> None:
    layout = layout_of(subject("mistral").model)
    assert layout.context == 32
    assert layout.note
    assert "reads 32 tokens, which is the window, and not 64" in layout.note
    model = subject("mistral").model
    model.config.sliding_window = None
    assert (layout_of(model).context, layout_of(model).note) == (64, None)


def test_a_base_that_is_converted_wrongly_is_no_measure() -> None:
    """Its export is as far off as the model's, which must not make both look right."""
    model = subject("llama")
    expected = proof.expected_of(model, tried(model.tokenizer), FileRounding(layout_of(model.model), "fp16"))
    noise = torch.randn(expected.log_probabilities.shape, generator=torch.Generator().manual_seed(0))
    wrong = (expected.log_probabilities + noise).log_softmax(-1).sort(-1, descending=True)
    answers = proof.Answers({}, wrong.indices.numpy(), wrong.values.numpy())
    kl, fault = proof.base_noise(expected, answers)
    assert kl is None
    assert fault
    assert "is not converted rightly" in fault


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_real_model_is_proven(smollm2_gguf: Path, dataset: Path, tmp_path: Path) -> None:
    run_dir, folder = tmp_path / "run", tmp_path / "export"
    settings = {"max_steps": 2, "max_length": 64, "batch_size": 2, "gradient_accumulation_steps": 1, "sample_prompts": []}
    source = ModelSource(kind="gguf", location=str(smollm2_gguf))
    runs.make_run(run_dir, dataset, source, method="lora", model_name="local:smollm2", **settings)
    assert runs.start(run_dir).wait(timeout=1000) == 0, runs.log(run_dir)
    folder.mkdir()
    order = ExportOrder(run_dir=str(run_dir), checkpoint=None, format="gguf", number_format="q8_0", folder=str(folder))
    found = _Export(order, lambda text, share: None).make()
    print(f"SmolLM2 135M: KL {found.kl}, noise {found.noise}, base {found.base_kl}")
    assert found.problems == []
    assert found.passed
    assert "You are a helpful AI assistant named SmolLM" in (folder / "Modelfile").read_text()
