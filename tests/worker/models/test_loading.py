"""Models that load, and those that must not be trained from: damaged, incomplete, or reading in both directions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel
from transformers.activations import NewGELUActivation

from tests.worker import designs
from worker.contract import ModelSource
from worker.errors import ModelError
from worker.models.loading import load_model


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a good model, without the manifest that would tell of every change."""
    return Path(shutil.copytree(finished_run / "model", tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json")))


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        load_model(ModelSource(kind="folder", location=str(folder)))
    return error.value.reason


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_the_untouched_copy_loads(folder: Path) -> None:
    assert load_model(ModelSource(kind="folder", location=str(folder))).context


@torch.no_grad()
def test_gpt2_s_activation_is_computed_in_one_operation_and_saved_under_its_name(folder: Path, tmp_path: Path) -> None:
    plain = designs.make("gpt2").eval()
    plain.save_pretrained(folder)
    fused = load_model(ModelSource(kind="folder", location=str(folder))).model.eval()
    assert not any(isinstance(module, NewGELUActivation) for module in fused.modules())
    values = torch.linspace(-20, 20, 10_001)
    torch.testing.assert_close(fused.transformer.h[0].mlp.act(values), NewGELUActivation()(values), rtol=1e-5, atol=1e-6)
    ids = torch.arange(64)[None]
    torch.testing.assert_close(fused(ids).logits, plain(ids).logits, rtol=1e-5, atol=1e-6)
    fused.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved/config.json").read_text() == (folder / "config.json").read_text()
    again = GPT2LMHeadModel.from_pretrained(tmp_path / "saved")
    assert isinstance(again.transformer.h[0].mlp.act, NewGELUActivation)


@pytest.mark.parametrize("size", [0, 1000])
def test_torn_weights_are_told(folder: Path, size: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "Could not load the model" in refused(folder)


def test_a_configuration_of_another_width_is_told(folder: Path) -> None:
    edit(folder, n_embd=64)
    assert "Could not load the model" in refused(folder)


def test_a_configuration_that_is_a_list_is_told(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    assert "Could not load the model" in refused(folder)


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    edit(folder, n_layer=8)
    assert "lacks" in refused(folder)


def test_a_folder_without_tokenizer_is_told(folder: Path) -> None:
    for path in [*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("merges*"), *folder.glob("special*")]:
        path.unlink()
    refused(folder)


def test_a_model_that_sees_what_it_should_predict_is_refused(folder: Path) -> None:
    from transformers import BertConfig, BertLMHeadModel

    torch.manual_seed(0)
    for path in [folder / "config.json", folder / "generation_config.json", folder / "model.safetensors"]:
        path.unlink()
    BertLMHeadModel(
        BertConfig(vocab_size=2000, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    ).save_pretrained(folder)
    assert "both directions" in refused(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(folder: Path, number: float) -> None:
    model = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        model.transformer.wte.weight[700, 3] = number  # which no text of the trial meets
    model.save_pretrained(folder)
    assert "1 of" in refused(folder)
    assert "transformer.wte.weight" in refused(folder)
