"""The number format of what a run leaves: its base's, or the one that is asked for, and a checkpoint's to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.worker.designs import save_small_gpt2
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.errors import CheckpointError, ModelError, WorkerError
from worker.models import saving
from worker.models.loading import LanguageModel, load_model
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

FORMATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Train = Callable[..., Path]


def job_of(folder: Path, dataset: Path = Path("none"), **config: Any) -> Job:
    return Job(
        run_id="run",
        config=RunConfig(**config),
        model=ModelSource(kind="folder", location=str(folder)),
        dataset=DatasetSource(path=str(dataset)),
        device="cpu",
    )


@pytest.fixture
def base(fragments: Path, tmp_path: Path) -> Path:
    """A small model whose weights are bf16, as those of most models are."""
    folder = Path(save_small_gpt2(tmp_path / "base", fragments).location)
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture
def train(base: Path, fragments: Path, tmp_path: Path) -> Train:
    """Trains a model for two updates, each saved as a checkpoint, and returns its run's directory."""

    def make(folder: Path = base, name: str = "run", **config: Any) -> Path:
        run_dir = tmp_path / name
        run_dir.mkdir()
        chosen = {"model_name": "local:base", "max_steps": 2, "save_steps": 1, "max_length": 24, "sample_prompts": []}
        job = job_of(folder, fragments, **{**chosen, **config})
        prepare(job, run_dir, lambda event: None, StopSwitch(run_dir))[0].train()
        return run_dir

    return make


def formats(folder: Path) -> tuple[str, set[torch.dtype]]:
    """What config.json says, and what is in the file."""
    told = json.loads((folder / "config.json").read_text())["dtype"]
    return told, {weight.dtype for weight in load_file(folder / "model.safetensors").values()}


def size(folder: Path) -> int:
    return sum(weight.nbytes for weight in load_file(folder / "model.safetensors").values())


def test_the_result_has_its_base_s_format_and_size(base: Path, train: Train) -> None:
    run_dir = train()
    assert size(run_dir / "model") == size(base)
    assert formats(run_dir / "model") == formats(base) == ("bfloat16", {torch.bfloat16})
    assert AutoModelForCausalLM.from_pretrained(run_dir / "model").dtype == torch.bfloat16
    assert "saved as bfloat16" in (run_dir / "model" / "README.md").read_text()


def test_all_that_a_run_leaves_can_be_read_by_transformers_4(base: Path, train: Train) -> None:
    tokenizer = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "tokenizer_class": "TokenizersBackend"}))
    assert "n_ctx" not in json.loads((base / "config.json").read_text())
    run_dir = train(method="lora", lora_rank=2)
    for folder in ("model", "adapter", "checkpoints/step-000002"):
        said = json.loads((run_dir / folder / "tokenizer_config.json").read_text())
        assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
    for folder in (run_dir / "model", train(name="full") / "checkpoints" / "step-000002"):
        assert json.loads((folder / "config.json").read_text())["n_ctx"] == 64


def test_a_checkpoint_keeps_all_bits_and_the_result_is_what_they_round_to(train: Train) -> None:
    run_dir = train()
    checkpoint = run_dir / "checkpoints" / "step-000002"
    assert formats(checkpoint) == ("bfloat16", {torch.float32})
    exact, rounded = (load_file(folder / "model.safetensors") for folder in (checkpoint, run_dir / "model"))
    assert "h.0.attn.c_attn.weight" in exact  # as GPT-2's authors call it
    assert exact.keys() == rounded.keys()
    assert all(torch.equal(weight.bfloat16(), rounded[name]) for name, weight in exact.items())
    assert not all(torch.equal(weight.bfloat16().float(), weight) for weight in exact.values())
    loaded = load_model(ModelSource(kind="folder", location=str(checkpoint)))
    assert all(torch.equal(loaded.model.transformer.state_dict()[name], weight) for name, weight in exact.items())
    assert loaded.dtype == torch.bfloat16
    assert formats(train(checkpoint, "next") / "model")[0] == "bfloat16"  # as it was meant


@pytest.mark.parametrize("name", FORMATS)
def test_another_format_may_be_chosen(name: str, train: Train) -> None:
    dtype = FORMATS[name]
    assert formats(train(save_dtype=name) / "model") == (str(dtype).removeprefix("torch."), {dtype})


def test_where_config_json_is_silent_the_weights_tell(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    del config["dtype"]
    (base / "config.json").write_text(json.dumps(config))
    assert load_model(ModelSource(kind="folder", location=str(base))).dtype == torch.bfloat16


LORA: dict[str, Any] = {"method": "lora", "lora_rank": 4, "learning_rate": 0.02}


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=torch.arange(40)[None]).logits.clone()


def folder_source(folder: Path) -> ModelSource:
    return ModelSource(kind="folder", location=str(folder))


def test_a_checkpoint_of_lora_is_an_adapter_that_is_loaded_with_its_base(base: Path, train: Train) -> None:
    run_dir = train(**LORA)
    checkpoint = run_dir / "checkpoints" / "step-000002"
    assert not list(checkpoint.glob("model*"))
    assert not (checkpoint / "config.json").exists()  # transformers would take it for the base's
    loaded = load_model(folder_source(checkpoint))
    expected = logits(loaded.model)
    assert type(loaded.model) is type(load_model(folder_source(base)).model)
    assert (loaded.dtype, loaded.context) == (torch.bfloat16, 64)
    assert (logits(load_model(folder_source(base)).model) - expected).abs().max() > 0.01 * expected.abs().max()
    for others in (
        AutoPeftModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32),
        AutoPeftModelForCausalLM.from_pretrained(run_dir / "adapter", dtype=torch.float32),
        AutoModelForCausalLM.from_pretrained(run_dir / "adapter", dtype=torch.float32),
    ):
        torch.testing.assert_close(logits(others), expected, rtol=1e-4, atol=1e-4)
    plain = AutoModelForCausalLM.from_pretrained(run_dir / "model", dtype=torch.float32)
    assert (logits(plain) - expected).abs().max() < 0.02 * expected.abs().max()  # rounded to bf16
    assert (formats(run_dir / "model"), size(run_dir / "model")) == (formats(base), size(base))
    assert "`local:base`" in (run_dir / "adapter" / "README.md").read_text()


def test_a_run_begins_from_a_checkpoint_of_lora(train: Train) -> None:
    checkpoint = train(**LORA) / "checkpoints" / "step-000001"
    whole = load_file(train(checkpoint, "full", learning_rate=1e-9) / "model" / "model.safetensors")
    expected = load_model(folder_source(checkpoint)).model.transformer.state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(weight.float(), expected[name], rtol=0.01, atol=1e-6)  # rounded to bf16
    run_dir = train(checkpoint, "upon", **LORA)
    assert "Use the merged model" in (run_dir / "adapter" / "README.md").read_text()
    upon = load_model(folder_source(run_dir / "checkpoints" / "step-000002"))
    assert upon.tokenizer.encode("the story")


def test_an_adapter_whose_base_is_gone_or_another_is_told(base: Path, train: Train) -> None:
    checkpoint = train(**LORA) / "checkpoints" / "step-000001"

    def refused(kind: type[WorkerError] = ModelError) -> str:
        with pytest.raises(kind) as caught:
            load_model(folder_source(checkpoint))
        return caught.value.reason

    moved = base.rename(base.with_name("moved"))
    assert f"{base}, which is gone" in refused()
    moved.rename(base)
    (checkpoint / "adapter_model.safetensors").write_bytes(b"")
    assert "damaged" in refused(CheckpointError)
    (checkpoint / "manifest.json").unlink()
    (checkpoint / "adapter_model.safetensors").unlink()
    assert "no adapter_model.safetensors" in refused()
    config = json.loads((checkpoint / "adapter_config.json").read_text())
    (checkpoint / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "local:base"}))
    assert "local:base, is no id of the hub" in refused()


def test_weights_that_are_tied_stay_so_and_what_must_be_fp32_does(base: Path, tmp_path: Path) -> None:
    loaded = load_model(ModelSource(kind="folder", location=str(base)))
    loaded.model._keep_in_fp32_modules_strict = {"ln_f"}
    saving.write_model(loaded, job_of(base), None, tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in written
    assert {name for name, weight in written.items() if weight.dtype == torch.float32} == {
        "ln_f.weight", "ln_f.bias",
    }  # fmt: skip


def test_a_weight_that_fp16_cannot_hold_is_named(base: Path, tmp_path: Path) -> None:
    loaded = load_model(ModelSource(kind="folder", location=str(base)))
    with torch.no_grad():
        loaded.model.transformer.ln_f.weight[0] = 70_000
    fp16 = LanguageModel(loaded.model, loaded.tokenizer, loaded.context, torch.float16)
    with pytest.raises(CheckpointError, match="holds numbers up to 7e"):
        saving.write_model(fp16, job_of(base), None, tmp_path)
