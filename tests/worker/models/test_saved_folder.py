"""What docs/opens-everywhere.md says is in a run's folders, so that others can open them; that they do is a slow test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tests.worker import architectures
from tests.worker.data.test_chat_form import CHATML
from worker.contract import DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.data.tokenizer import train_tokenizer
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

ROPE = {"rope_type": "linear", "factor": 2.0}


@pytest.fixture(scope="module")
def run_dir(fragments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one update of LoRA leaves of a Llama shape, over a conversation."""
    folder = tmp_path_factory.mktemp("folders")
    base, data, run_dir = folder / "base", folder / "chats.jsonl", folder / "run"
    words = train_tokenizer(fragments.read_text().splitlines(), 300, architectures.CONTEXT).backend_tokenizer
    general = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|endoftext|>", chat_template=CHATML)
    general.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    general.save_pretrained(base)
    architectures.make("llama", len(general), rope_parameters={**ROPE, "rope_theta": 5e5}).save_pretrained(base)
    (base / "tokenizer.model").write_bytes(b"pieces")
    talk = [{"role": "user", "content": "Who is it?"}, {"role": "assistant", "content": "It is I."}]
    data.write_text(json.dumps({"messages": talk}) + "\n")
    run_dir.mkdir()
    job = Job(
        run_id="run",
        config=RunConfig(
            model_name="local:base",
            method="lora",
            lora_rank=2,
            max_steps=1,
            save_steps=1,
            validation_split=0,
            sample_prompts=[],
        ),
        model=ModelSource(kind="folder", location=str(base)),
        dataset=DatasetSource(path=str(data), format="jsonl", reading=Reading(kind="chat", messages="messages")),
        device="cpu",
    )
    prepare(job, run_dir, lambda event: None, StopSwitch(run_dir))[0].train()
    return run_dir


def said(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["model", "adapter", "checkpoints/step-000001"])
def test_every_folder_has_what_others_need_to_prompt_it(run_dir: Path, name: str) -> None:
    folder = run_dir / name
    tokenizer, marks = said(folder, "tokenizer_config.json"), ["<|im_start|>", "<|im_end|>"]
    assert (folder / "chat_template.jinja").read_text() == tokenizer["chat_template"] == CHATML
    assert (tokenizer["tokenizer_class"], tokenizer["additional_special_tokens"]) == ("PreTrainedTokenizerFast", marks)
    assert {token["content"] for token in tokenizer["added_tokens_decoder"].values()} == {"<|endoftext|>", *marks}
    assert (folder / "tokenizer.model").read_bytes() == b"pieces"
    ids = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>"])
    assert said(folder, "generation_config.json")["eos_token_id"] == ids


def test_positions_are_told_twice(run_dir: Path) -> None:
    config = said(run_dir / "model", "config.json")
    assert config["rope_parameters"] == {**ROPE, "rope_theta": 5e5}
    assert (config["rope_theta"], config["rope_scaling"]) == (5e5, ROPE)


def test_a_folder_holds_a_model_or_an_adapter(run_dir: Path) -> None:
    assert not (run_dir / "adapter" / "config.json").exists()
    names = load_file(run_dir / "adapter" / "adapter_model.safetensors").keys()
    assert all(name.startswith("base_model.model.model.layers.") for name in names)
    assert said(run_dir / "adapter", "adapter_config.json")["task_type"] == "CAUSAL_LM"
    assert "GenerationConfig.from_pretrained" in (run_dir / "adapter" / "README.md").read_text()
    assert "model.layers.0.self_attn.q_proj.weight" in load_file(run_dir / "model" / "model.safetensors")
