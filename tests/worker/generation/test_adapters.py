"""Adapters share one base: their texts stand side by side, and each is what peft makes of it alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from tests.worker import designs
from worker.contract import ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, ModelSource, RunConfig
from worker.errors import ModelError
from worker.generation.adapters import BASE, Shared, Voice, split, voice_of
from worker.generation.readers import Readers
from worker.models import lora
from worker.models.loading import LanguageModel, load_model

CONFIG = {"model_name": "some/model", "method": "lora", "lora_rank": 4}
PROMPTS = [[5, 9, 11], [8, 3, 4, 17, 20, 6], [30], [5, 9, 11]]


@pytest.fixture(params=["gpt2", "llama"])
def base(request: pytest.FixtureRequest, dataset: Path, tmp_path: Path) -> ModelSource:
    return designs.save(request.param, tmp_path / "base", dataset)


def save_adapter(base: ModelSource, folder: Path, seed: int, **config: Any) -> Path:
    """One whose matrices are large enough to change what the model says."""
    torch.manual_seed(seed)
    loaded = load_model(base)
    lora.add_adapters(loaded.model, RunConfig(**{**CONFIG, **config}))
    for weight in lora.trainable_state(loaded.model).values():
        torch.nn.init.normal_(weight, std=0.3)
    lora.save_adapter(loaded.model, folder, base.location)
    return folder


def written(language_models: list[LanguageModel], shared: Shared, count: int = 8) -> list[list[int]]:
    """Greedy texts side by side, each by its own model."""
    readers, texts = Readers(shared), []
    with torch.inference_mode():
        for prompt, model in zip(PROMPTS, language_models, strict=True):
            texts.append([int(readers.add(prompt, voice_of(model)).argmax())])
        for _ in range(count - 1):
            for text, logits in zip(texts, readers.read([text[-1] for text in texts]), strict=True):
                text.append(int(logits.argmax()))
    return texts


def alone(base: ModelSource, adapter: Path | None, prompt: list[int], count: int = 8) -> list[int]:
    """What transformers and peft write, with the adapter alone."""
    model: Any = load_model(base).model
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval().generation_config.eos_token_id = None
    text = model.generate(
        torch.tensor([prompt]), max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0
    )
    return text[0, len(prompt) :].tolist()


def test_each_text_is_what_its_adapter_writes_alone(base: ModelSource, tmp_path: Path) -> None:
    """Two adapters and the base, in one pass for each token."""
    first, second = save_adapter(base, tmp_path / "1", 1), save_adapter(base, tmp_path / "2", 2, lora_rank=8)
    shared = Shared(load_model(base))
    models = [shared.with_adapter(first, (), ()), shared.base, shared.with_adapter(second, (), ()), shared.base]
    found = written(models, shared)
    adapters = (first, None, second, None)
    assert found == [alone(base, adapter, prompt) for adapter, prompt in zip(adapters, PROMPTS, strict=True)]
    assert found[0] != found[3], "the adapter makes a difference"
    with torch.inference_mode():
        ids = torch.tensor([PROMPTS[1]])
        expected = PeftModel.from_pretrained(load_model(base).model, first).eval()(input_ids=ids).logits
        torch.testing.assert_close(models[0].model(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-4)


def test_adapters_come_and_go_and_those_in_use_stay(
    base: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.generation.adapters._MOST", 2)
    folders = [save_adapter(base, tmp_path / str(seed), seed) for seed in range(4)]
    shared = Shared(load_model(base))
    kept = shared.with_adapter(folders[0], (), ())
    again = [written([shared.with_adapter(folder, (), {voice_of(kept)})] * 4, shared)[0] for folder in folders]
    assert again == [alone(base, folder, PROMPTS[0]) for folder in folders]
    assert shared.with_adapter(folders[0], (), ()) is kept
    names = {name.rpartition("lora_A.")[2].partition(".")[0] for name, _ in shared.named_parameters() if "lora_A" in name}
    assert len(names) == 2
    changed = shared.with_adapter(folders[0], (("adapter_model.safetensors", 1, 1),), ())
    assert voice_of(changed) != voice_of(kept)


def test_only_what_peft_can_tell_apart_by_row_is_shared(base: ModelSource, tmp_path: Path) -> None:
    plain, dora = save_adapter(base, tmp_path / "plain", 1), save_adapter(base, tmp_path / "dora", 1, use_dora=True)
    sources = [ModelSource(kind="folder", location=str(folder)) for folder in (plain, dora)]
    assert split(sources[0]) == (base, plain)
    assert split(sources[1]) == (sources[1], None)
    assert split(base) == (base, None)
    for change in ({"modules_to_save": ["lm_head"]}, {"bias": "all"}, {"peft_type": "IA3"}, {"base_model_name_or_path": ""}):
        config = json.loads((plain / ADAPTER_CONFIG_FILE).read_text())
        other = tmp_path / "other"
        other.mkdir(exist_ok=True)
        (other / ADAPTER_CONFIG_FILE).write_text(json.dumps(config | change))
        source = ModelSource(kind="folder", location=str(other))
        assert split(source) == (source, None)


@pytest.mark.parametrize("damage", ["a weight is missing", "of another size", "NaN", "no weights"])
def test_a_broken_adapter_is_told_and_changes_nothing(base: ModelSource, tmp_path: Path, damage: str) -> None:
    good, bad = save_adapter(base, tmp_path / "good", 1), save_adapter(base, tmp_path / "bad", 2)
    weights = load_file(bad / ADAPTER_WEIGHTS_FILE)
    name = next(iter(weights))
    if damage == "a weight is missing":
        del weights[name]
    elif damage == "of another size":
        weights[name] = weights[name][:, :5].clone()
    else:
        weights[name][0] = float("nan")
    save_file(weights, bad / ADAPTER_WEIGHTS_FILE)
    if damage == "no weights":
        (bad / ADAPTER_WEIGHTS_FILE).unlink()
    shared = Shared(load_model(base))
    with pytest.raises(ModelError):
        shared.with_adapter(bad, (), ())
    assert written([shared.base] * 4, shared)[0] == alone(base, None, PROMPTS[0])
    voice = shared.with_adapter(good, (), ())
    with pytest.raises(ModelError):
        shared.with_adapter(bad, (), ())
    assert written([voice] * 4, shared)[0] == alone(base, good, PROMPTS[0])
    assert isinstance(voice.model, Voice)
    assert voice_of(shared.base) == BASE


def test_a_text_that_cannot_be_read_leaves_the_others_with_their_adapters(base: ModelSource, tmp_path: Path) -> None:
    shared = Shared(load_model(base))
    voice = shared.with_adapter(save_adapter(base, tmp_path / "1", 1), (), ())
    readers = Readers(shared)
    with torch.inference_mode():
        readers.add(PROMPTS[0], BASE)
        with pytest.raises(IndexError):
            readers.add([10**6], voice_of(voice))  # no such token, as where memory ran out
        second = int(readers.add(PROMPTS[1], voice_of(voice)).argmax())
        found = int(readers.read([0, second])[1].argmax())
    assert [second, found] == alone(base, tmp_path / "1", PROMPTS[1], count=2)
