"""Designs and settings that would trip a run, put right as the model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.models.gemma2.modeling_gemma2 import Gemma2PreTrainedModel

from tests.worker import architectures
from worker.contract import ModelSource
from worker.models.loading import load_model

IDS = torch.randint(250, (2, 20), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model.eval()(input_ids=IDS, use_cache=False).logits
    return found


def test_a_cap_on_attention_is_never_left_out(fragments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = architectures.save("gemma2", tmp_path, fragments)
    eager = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    monkeypatch.setattr(Gemma2PreTrainedModel, "_supports_sdpa", True)  # as transformers 5.20 has it
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
    assert torch.equal(logits(load_model(source).model), logits(eager))


def test_evaluating_rwkv_leaves_its_weights_as_they_are(fragments: Path, tmp_path: Path) -> None:
    source = architectures.save("rwkv", tmp_path, fragments)
    model = load_model(source).model
    logits(model)
    before = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    ("told", "saved"),
    [
        ({"temperature": 0.6, "top_p": 0.9}, {"temperature": 0.6, "top_p": 0.9, "do_sample": True}),
        ({"num_beams": 1, "length_penalty": 0.5, "eos_token_id": [0, 7]}, {"eos_token_id": [0, 7], "length_penalty": None}),
        ({"eos_token_id": [0, 7]}, {"eos_token_id": [0, 7]}),
    ],
)
def test_settings_for_generation_that_could_not_be_saved_are_mended(
    told: dict[str, Any], saved: dict[str, Any], fragments: Path, tmp_path: Path
) -> None:
    source = architectures.save("llama", tmp_path / "base", fragments)
    (tmp_path / "base/generation_config.json").write_text(json.dumps({"eos_token_id": 0, **told}))
    load_model(source).model.save_pretrained(tmp_path / "saved")
    found = json.loads((tmp_path / "saved/generation_config.json").read_text())
    assert {name: found.get(name) for name in saved} == saved
    assert GenerationConfig.from_pretrained(tmp_path / "saved")
    assert load_model(ModelSource(kind="folder", location=str(tmp_path / "base")))
