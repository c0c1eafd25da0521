"""What a model's folder says to transformers 4: numbers under the names that 4.57 wrote, and to version 5 the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from tests.worker.designs import save_small_gpt2
from worker.data.tokenizer import train_tokenizer
from worker.models.transformers4 import make_readable

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
WORDS = train_tokenizer(["once upon a time"], 300, 64)
WRITTEN_BY_VERSION_4: dict[str, dict[str, Any]] = {
    "gpt2": {"n_ctx": 256, "n_positions": 256},
    "qwen2": {"rope_theta": 1e6},
    "llama": {"rope_theta": 5e5, "rope_scaling": LLAMA3},
    "phi": {"rope_theta": 2e4, "partial_rotary_factor": 0.25},
    "gpt_neox": {"rotary_emb_base": 20000, "rotary_pct": 0.5},
    "gemma3_text": {"rope_theta": 2e6, "rope_local_base_freq": 3e4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "qwen3_moe": {"rope_theta": 1e6, "num_experts": 24},
}


@pytest.mark.parametrize("model_type", WRITTEN_BY_VERSION_4)
def test_a_design_s_numbers_stay_under_the_names_that_they_had(model_type: str, tmp_path: Path) -> None:
    said = WRITTEN_BY_VERSION_4[model_type]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, **said}))
    read = AutoConfig.from_pretrained(tmp_path)
    read.save_pretrained(tmp_path)
    make_readable(tmp_path, WORDS)
    found = json.loads((tmp_path / "config.json").read_text())
    assert {name: found.get(name) for name in said} == said
    assert AutoConfig.from_pretrained(tmp_path).to_dict() == read.to_dict()


def test_a_model_of_several_parts_has_them_in_the_one_for_words(tmp_path: Path) -> None:
    said = {"rope_theta": 2e6, "rope_local_base_freq": 3e4}
    described = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", **said}}
    (tmp_path / "config.json").write_text(json.dumps(described))
    AutoConfig.from_pretrained(tmp_path).save_pretrained(tmp_path)
    make_readable(tmp_path, WORDS)
    found = json.loads((tmp_path / "config.json").read_text())["text_config"]
    assert {name: found.get(name) for name in said} == said


def test_a_tokenizer_has_a_class_and_special_tokens_that_version_4_knows(fragments: Path, tmp_path: Path) -> None:
    save_small_gpt2(tmp_path, fragments)
    before = AutoTokenizer.from_pretrained(tmp_path)
    general = PreTrainedTokenizerFast(tokenizer_object=before.backend_tokenizer, eos_token=before.eos_token)
    general.add_special_tokens({"extra_special_tokens": ["<|user|>", "<|end|>"]})
    general.save_pretrained(tmp_path)
    make_readable(tmp_path, general)
    said = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert (said["tokenizer_class"], said["additional_special_tokens"]) == (
        "PreTrainedTokenizerFast", ["<|user|>", "<|end|>"]
    )  # fmt: skip
    assert "extra_special_tokens" not in said
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "once <|user|> upon <|end|>"
    assert again(text)["input_ids"] == general(text)["input_ids"]
    assert again.all_special_tokens == general.all_special_tokens
    marks = {token["content"] for token in said["added_tokens_decoder"].values() if token["special"]}
    assert marks == set(general.all_special_tokens)


def test_a_chat_template_stands_in_a_file_and_in_the_tokenizer_s_settings(tmp_path: Path) -> None:
    chat = copy.deepcopy(WORDS)
    for template in ("{{ messages }}", {"default": "{{ messages }}", "tool_use": "{{ tools }}"}):
        chat.chat_template = template
        chat.save_pretrained(tmp_path)
        make_readable(tmp_path, chat)
        said = json.loads((tmp_path / "tokenizer_config.json").read_text())["chat_template"]
        assert (said if isinstance(said, str) else {each["name"]: each["template"] for each in said}) == template
        assert (tmp_path / "chat_template.jinja").read_text() == "{{ messages }}"
        assert AutoTokenizer.from_pretrained(tmp_path).chat_template == template


def test_a_sentencepiece_model_stays_beside_the_tokenizer_made_of_it(tmp_path: Path) -> None:
    base, saved, chat = tmp_path / "base", tmp_path / "saved", copy.deepcopy(WORDS)
    for folder in (base, saved):
        chat.save_pretrained(folder)
    (base / "tokenizer.model").write_bytes(b"pieces")
    make_readable(saved, AutoTokenizer.from_pretrained(base))
    assert (saved / "tokenizer.model").read_bytes() == b"pieces"
