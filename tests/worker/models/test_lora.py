from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, inject_adapter_in_model
from peft.tuners.lora.layer import Linear as LoraLinear
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from tests.worker import runs
from worker.contract import RunConfig
from worker.errors import CheckpointError, ModelError
from worker.models import lora

VOCABULARY = {"vocab_size": 100, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
GROUPED_HEADS = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


def gpt2(layers: int = 2) -> Any:
    return GPT2LMHeadModel(GPT2Config(n_positions=64, n_embd=32, n_layer=layers, n_head=2, **VOCABULARY))


def llama() -> Any:
    return LlamaForCausalLM(LlamaConfig(**GROUPED_HEADS, **VOCABULARY))


def qwen2() -> Any:
    return Qwen2ForCausalLM(Qwen2Config(tie_word_embeddings=True, **GROUPED_HEADS, **VOCABULARY))


def qwen3_moe(**config: Any) -> Any:
    """Its experts' weights are one tensor, and no linear layers."""
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 8}
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(**experts, **GROUPED_HEADS, **VOCABULARY, **config))


Make = Callable[[], Any]
TOKENS = torch.randint(100, (8, 24), generator=torch.Generator().manual_seed(1))
CONFIG = RunConfig(model_name="some/model", method="lora", lora_rank=4, lora_alpha=16, lora_dropout=0.1)


@pytest.fixture(params=[gpt2, llama, qwen2], ids=["GPT-2", "Llama", "Qwen2"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the same small base model each time."""

    def same() -> Any:
        torch.manual_seed(0)
        return request.param()

    return same


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=TOKENS).logits.clone()


def train(model: Any, updates: int, seed: int = 0) -> Any:
    """Updates what is trained in ``model``, with dropout."""
    torch.manual_seed(seed)
    model.train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.01)
    for _ in range(updates):
        model(input_ids=TOKENS, labels=TOKENS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def with_adapters(model: Any, config: RunConfig = CONFIG) -> Any:
    torch.manual_seed(config.seed)
    lora.add_adapters(model, config)
    return model


def test_only_the_adapters_of_the_inner_linear_layers_train(make: Make) -> None:
    base = make()
    model = with_adapters(make())
    assert type(model) is type(base)
    assert torch.equal(logits(model), logits(base))
    names = set(lora.trainable_state(model))
    assert all(".lora_A." in name or ".lora_B." in name for name in names)
    per_block = 4 if isinstance(base, GPT2LMHeadModel) else 7
    assert len(names) == 2 * 2 * per_block
    assert not any("lm_head" in name or "embed" in name or "wte" in name for name in names)

    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    assert sum(weight.numel() for weight in frozen.values()) == sum(weight.numel() for weight in base.parameters())
    before = {name: weight.clone() for name, weight in lora.trainable_state(model).items()}
    train(model, updates=2)
    now = dict(model.named_parameters())
    assert all(torch.equal(weight, now[name]) for name, weight in frozen.items())
    assert all(not torch.equal(weight, now[name]) for name, weight in before.items())


def test_the_seed_decides_how_adapters_begin(make: Make) -> None:
    first, second, other = (
        lora.trainable_state(with_adapters(make(), CONFIG.model_copy(update={"seed": seed}))) for seed in (1, 1, 2)
    )
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
    assert not all(torch.equal(weight, other[name]) for name, weight in first.items())


def test_the_merged_model_is_a_plain_one_that_computes_the_same(make: Make) -> None:
    model = train(with_adapters(make()), updates=5)
    expected = logits(model)
    agreement = lora.merge(model)
    plain = make()
    plain.load_state_dict(lora.plain_state(model))
    assert (logits(plain) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (logits(make()) - expected).abs().max() > 0.05 * expected.abs().max()  # there was something to merge
    assert agreement.difference < 1e-4 * agreement.largest_logit
    assert agreement.largest_logit == pytest.approx(float(expected.abs().max()), rel=0.5)


KINDS: dict[str, dict[str, Any]] = {
    "LoRA": {},
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "one layer": {"lora_target_modules": ["c_attn", "v_proj"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_s_folder_is_merged_to_what_peft_makes_of_it(kind: str, make: Make, tmp_path: Path) -> None:
    if "lora_target_modules" in (choice := KINDS[kind]):
        choice = {"lora_target_modules": [name for name in choice["lora_target_modules"] if name in str(make())]}
    model = train(with_adapters(make(), CONFIG.model_copy(update=choice)), updates=5)
    lora.save_adapter(model, tmp_path, "some/model")
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (told["use_dora"], told["use_rslora"]) == (kind == "DoRA", kind == "rsLoRA")
    merged = lora.merge_adapter(make(), tmp_path).state_dict()
    lora.merge(model)
    own = lora.plain_state(model)
    assert merged.keys() == own.keys()
    assert all(torch.equal(weight, own[name]) for name, weight in merged.items())


def test_a_wrong_merge_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = train(with_adapters(make()), updates=5)
    merge = LoraLinear.merge
    wrong: list[Any] = []

    def merge_one_wrong(layer: Any) -> None:
        merge(layer)
        if not wrong:
            wrong.append(layer)
            layer.get_base_layer().weight.data[0, 0] += 0.1

    monkeypatch.setattr(LoraLinear, "merge", merge_one_wrong)
    with pytest.raises(CheckpointError, match="off by"):
        lora.merge(model)


def test_a_model_that_makes_much_of_each_rounding_is_merged() -> None:
    """As one that was trained at too high a rate is: its logits say nothing of the merge."""
    torch.manual_seed(0)
    model = with_adapters(gpt2(layers=40))
    for weight in lora.trainable_state(model).values():
        weight.normal_(std=0.85)
    agreement = lora.merge(model)
    assert agreement.difference > 1e-4 * agreement.largest_logit


def test_peft_loads_the_adapter_onto_the_base_model(make: Make, tmp_path: Path) -> None:
    model = train(with_adapters(make()), updates=5)
    lora.save_adapter(model, tmp_path, "some/model")
    loaded = PeftModel.from_pretrained(make(), str(tmp_path))
    assert torch.equal(logits(loaded), logits(model))
    assert {path.name for path in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    text = (tmp_path / "adapter_config.json").read_text()
    told = json.loads(text)
    assert (told["base_model_name_or_path"], told["task_type"]) == ("some/model", "CAUSAL_LM")
    assert (told["r"], told["lora_alpha"], told["lora_dropout"]) == (4, 16, 0.1)
    assert str(tmp_path) not in text


def test_what_is_trained_goes_into_a_fresh_model_to_the_bit(make: Make) -> None:
    model = train(with_adapters(make()), updates=3)
    state = {name: weight.clone() for name, weight in lora.trainable_state(model).items()}
    fresh = with_adapters(make())
    lora.load_trainable_state(fresh, state)
    assert torch.equal(logits(fresh), logits(model))
    assert all(torch.equal(weight, state[name]) for name, weight in lora.trainable_state(fresh).items())
    with pytest.raises(CheckpointError, match="does not fit"):
        lora.load_trainable_state(with_adapters(make(), CONFIG.model_copy(update={"lora_rank": 8})), state)


def test_a_model_that_reads_short_texts_only_can_be_merged() -> None:
    model = GPT2LMHeadModel(GPT2Config(n_positions=8, n_embd=32, n_layer=1, n_head=2, **VOCABULARY))
    assert lora.merge(with_adapters(model)).difference == 0


def test_experts_whose_weights_are_one_tensor_are_merged() -> None:
    torch.manual_seed(0)
    model, plain = qwen3_moe(), qwen3_moe()
    experts = LoraConfig(r=4, target_modules=["q_proj"], target_parameters=["experts.gate_up_proj", "experts.down_proj"])
    inject_adapter_in_model(experts, model)
    model = train(model, updates=5)
    expected = logits(model)
    lora.merge(model)
    plain.load_state_dict(lora.plain_state(model))
    assert (logits(plain) - expected).abs().max() < 1e-4 * expected.abs().max()


def test_in_a_mixture_the_dense_layers_are_adapted_and_the_experts_left_alone() -> None:
    plain = CONFIG.model_copy(update={"lora_dropout": 0.0})
    model = qwen3_moe(mlp_only_layers=[0])
    lora.add_adapters(model, plain)
    names = {name.rpartition(".lora_")[0] for name in lora.trainable_state(model)}
    attention = {f"model.layers.{layer}.self_attn.{name}_proj" for layer in (0, 1) for name in "qkvo"}
    assert names == attention | {f"model.layers.0.mlp.{name}_proj" for name in ("gate", "up", "down")}
    with pytest.raises(ModelError, match="lora_dropout") as caught:  # peft names these by their weight, and has none for it
        lora.add_adapters(qwen3_moe(mlp_only_layers=[0]), CONFIG)
    assert "LoRA dropout to 0" in (caught.value.hint or "")
    lora.add_adapters(qwen3_moe(), CONFIG)


def test_layers_are_chosen_by_how_their_names_end() -> None:
    def adapted(*names: str) -> set[str]:
        model = with_adapters(llama(), CONFIG.model_copy(update={"lora_target_modules": list(names)}))
        return {name.rpartition(".lora_")[0] for name in lora.trainable_state(model)}

    assert adapted("q_proj", "mlp.up_proj") == {
        f"model.layers.{layer}.{name}" for layer in (0, 1) for name in ("self_attn.q_proj", "mlp.up_proj")
    }
    assert adapted("layers.1.self_attn.q_proj") == {"model.layers.1.self_attn.q_proj"}
    assert adapted("q_proj", "all-linear") == adapted("all-linear")
    with pytest.raises(ModelError, match=r"called c_attn. It has down_proj, gate_proj, k_proj, o_proj, q_proj,") as caught:
        adapted("q_proj", "c_attn")
    assert "LoRA layers" in (caught.value.hint or "")
    with pytest.raises(ModelError, match=r"called j_proj"):
        adapted("j_proj")
    with pytest.raises(ModelError, match=r"no weight for all experts called experts.down_proj. It has none"):
        lora.add_adapters(llama(), CONFIG.model_copy(update={"lora_target_parameters": ["experts.down_proj"]}))


@pytest.mark.parametrize("dense", [[], [0]], ids=["experts everywhere", "a dense layer too"])
def test_experts_are_adapted_on_request_and_others_load_that(dense: list[int], tmp_path: Path) -> None:
    choice = {"lora_dropout": 0.0, "lora_target_parameters": ["experts.gate_up_proj", "experts.down_proj"]}
    torch.manual_seed(0)
    base, model, other = (qwen3_moe(mlp_only_layers=dense) for _ in range(3))
    for same in (model, other):
        same.load_state_dict(base.state_dict())
    model = train(with_adapters(model, CONFIG.model_copy(update=choice)), updates=5)
    assert any(".experts." in name for name in lora.trainable_state(model))
    expected = logits(model)
    lora.save_adapter(model, tmp_path, "some/model")
    assert torch.equal(logits(PeftModel.from_pretrained(base, tmp_path)), expected)
    lora.merge(model)
    merged = lora.merge_adapter(other, tmp_path).state_dict()
    own = lora.plain_state(model)
    assert merged.keys() == own.keys()
    assert all(torch.equal(weight, own[name]) for name, weight in merged.items())
    with pytest.raises(ModelError, match="use_dora"):
        lora.add_adapters(qwen3_moe(), CONFIG.model_copy(update={**choice, "use_dora": True}))


def test_a_model_without_linear_layers_is_refused_with_advice() -> None:
    with pytest.raises(ModelError, match="no linear layers") as caught:
        lora.add_adapters(gpt2(layers=0), CONFIG)
    assert "Method" in (caught.value.hint or "")


def test_nobody_waits_for_peft_who_does_not_use_it() -> None:
    modules = ("training.trainer", "training.preparation", "generation.__main__", "models.loading", "data.token_store")
    command = f"import sys, {', '.join(f'worker.{module}' for module in modules)}; sys.exit('peft' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=runs.ROOT).returncode == 0
