from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import bitsandbytes
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM, get_scheduler

from worker.devices import precision
from worker.devices.device import choose_device
from worker.devices.precision import choose_precision
from worker.errors import DeviceError, ModelError
from worker.training.optimizer import make_optimizer, require_optimizer, state_bytes
from worker.training.schedule import learning_rate_share


def shares(schedule: str, total: int = 100, warmup: float = 0.1, **more: Any) -> list[float]:
    return [learning_rate_share(schedule, step, total, warmup, **more) for step in range(1, total + 1)]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_rate_climbs_evenly_through_the_warmup(schedule: str) -> None:
    assert shares(schedule)[:10] == pytest.approx([n / 10 for n in range(1, 11)])


def test_linear_falls_by_the_same_amount_at_each_step() -> None:
    falling = shares("linear")[9:]
    falls = [before - after for before, after in pairwise(falling)]
    assert falls == pytest.approx([1 / 91] * 90)
    assert falling[-1] == pytest.approx(1 / 91)


def test_cosine_is_half_way_in_the_middle_and_flat_at_both_ends() -> None:
    falling = shares("cosine", total=1000)[99:]
    assert falling[450] == pytest.approx(0.5, abs=0.01)
    assert 1 - falling[10] < 0.001
    assert 0 < falling[-1] < 0.001


def test_constant_stays() -> None:
    assert shares("constant")[9:] == [1.0] * 91


@pytest.mark.parametrize("schedule", ["linear", "cosine", "cosine_with_restarts", "warmup_stable_decay", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 7])
def test_no_update_is_wasted_however_short_the_run(schedule: str, warmup: float, total: int) -> None:
    assert all(0 < share <= 1 for share in shares(schedule, total, warmup, num_cycles=3, decay_ratio=0.9))


TOTAL, WARMUP = 100, 10
THEIRS = {
    "linear": ({"name": "linear"}, {}),
    "cosine": ({"name": "cosine"}, {}),
    "constant": ({"name": "constant_with_warmup"}, {}),
    "a lowest rate": (
        {"name": "cosine_with_min_lr", "scheduler_specific_kwargs": {"min_lr_rate": 0.1}},
        {"schedule": "cosine", "min_lr_ratio": 0.1},
    ),
    "restarts": (
        {"name": "cosine_with_restarts", "scheduler_specific_kwargs": {"num_cycles": 3}},
        {"schedule": "cosine_with_restarts", "num_cycles": 3},
    ),
    "stable": (
        {
            "name": "warmup_stable_decay",
            "scheduler_specific_kwargs": {"num_decay_steps": 30, "decay_type": "linear", "min_lr_ratio": 0.2},
        },
        {"schedule": "warmup_stable_decay", "decay_ratio": 0.3, "min_lr_ratio": 0.2},
    ),
}


@pytest.mark.parametrize("case", THEIRS)
def test_schedules_are_those_of_transformers(case: str) -> None:
    """Of a run one update longer, so that the last update is not made at the lowest rate. Its warmup before a stable rate
    begins at the lowest one, ours at zero as everywhere."""
    theirs, ours = THEIRS[case]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_scheduler(optimizer=optimizer, num_warmup_steps=WARMUP, num_training_steps=TOTAL + 1, **theirs)
    expected = []
    for _ in range(TOTAL):
        optimizer.step()
        scheduler.step()
        expected.append(scheduler.get_last_lr()[0])
    first = WARMUP if case == "stable" else 0
    found = shares(ours.get("schedule", case), TOTAL, WARMUP / TOTAL, **{k: v for k, v in ours.items() if k != "schedule"})
    assert found[first:] == pytest.approx(expected[first:])


def test_biases_and_norms_are_not_decayed() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2))
    decayed, spared = make_optimizer(model, 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert all(names[id(w)].endswith("bias") or ".ln_" in names[id(w)] for w in spared["params"])
    assert not any(names[id(w)].endswith("bias") or ".ln_" in names[id(w)] for w in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


INNER = ["attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"]


def small_gpt2(width: int = 32) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=width, n_layer=2, n_head=2))


def gradients(model: torch.nn.Module, number: int) -> None:
    """Gives each weight a gradient that depends on its name and ``number`` alone."""
    for name, weight in model.named_parameters():
        random = torch.Generator().manual_seed(number * 1000 + len(name))
        weight.grad = torch.randn(weight.shape, generator=random)


@pytest.mark.parametrize("optimizer", ["muon", "adamw_8bit"])
def test_matrices_are_changed_by_the_one_named_and_all_else_by_adamw(optimizer: Any) -> None:
    """As the libraries' own optimizers do, each called by itself."""
    ours, theirs = small_gpt2(), small_gpt2()
    inner = [weight for name, weight in theirs.named_parameters() if name.endswith(tuple(INNER)) and weight.numel() >= 4096]
    if optimizer == "muon":
        inner = [weight for name, weight in theirs.named_parameters() if name.endswith(tuple(INNER))]
        first: Any = torch.optim.Muon(inner, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    else:
        first = bitsandbytes.optim.AdamW8bit(inner, lr=0.01, weight_decay=0.1)
    others = [weight for weight in theirs.parameters() if not any(weight is matrix for matrix in inner)]
    groups = [
        {"params": [weight for weight in others if weight.ndim == 2], "weight_decay": 0.1},
        {"params": [weight for weight in others if weight.ndim == 1], "weight_decay": 0.0},
    ]
    second = torch.optim.AdamW(groups, lr=0.01, fused=True)
    joint = make_optimizer(ours, 0.01, 0.1, optimizer)
    for number in range(4):
        for model in (ours, theirs):
            gradients(model, number)
        for group in [*joint.param_groups, *first.param_groups, *second.param_groups]:
            group["lr"] = 0.01 / (number + 1)
        for each in (joint, first, second):
            each.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert not torch.equal(ours.transformer.h[0].mlp.c_fc.weight, small_gpt2().transformer.h[0].mlp.c_fc.weight)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "adamw_8bit"])
def test_what_an_optimizer_remembers_is_known_beforehand(optimizer: Any) -> None:
    model = small_gpt2(64)
    joint = make_optimizer(model, 0.01, 0.1, optimizer)
    gradients(model, 0)
    joint.step()
    small = ("step", "qmap1", "qmap2")
    kept = [value for state in joint.state.values() for name, value in state.items() if name not in small]
    assert state_bytes(model, optimizer) == sum(value.numel() * value.element_size() for value in kept)


def test_an_untied_output_layer_is_left_to_adamw_and_experts_too() -> None:
    model = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            num_local_experts=2,
            tie_word_embeddings=False,
        )
    )
    muon, decayed, _ = make_optimizer(model, 0.01, 0.1, "muon").param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert sorted(names[id(weight)] for weight in muon["params"]) == [
        f"model.layers.0.self_attn.{part}_proj.weight" for part in "koqv"
    ]
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= {names[id(weight)] for weight in decayed["params"]}


def test_a_model_without_matrices_is_refused() -> None:
    with pytest.raises(ModelError, match="no matrices that muon could change"):
        make_optimizer(torch.nn.LayerNorm(8), 0.01, 0.1, "muon")


def test_8_bits_are_refused_where_they_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    require_optimizer("adamw_8bit", torch.device("cpu"), tried=True)
    with pytest.raises(DeviceError, match="not been made to work on mps"):
        require_optimizer("adamw_8bit", torch.device("mps"), tried=False)
    monkeypatch.setattr(bitsandbytes.functional, "optimizer_update_8bit_blockwise", without_kernel)
    with pytest.raises(DeviceError, match="does not run on cpu here: bitsandbytes says no kernel"):
        require_optimizer("adamw_8bit", torch.device("cpu"), tried=True)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(DeviceError, match="not installed") as caught:
        require_optimizer("adamw_8bit", torch.device("cpu"), tried=False)
    assert "pip install 'trainboard[bitsandbytes]'" in str(caught.value.hint)


def without_kernel(*_: Any, **__: Any) -> None:
    raise RuntimeError("no kernel")


@pytest.mark.parametrize(("gain", "chosen"), [(2.1, "bf16"), (1.1, "fp32"), (0.3, "fp32")])
def test_the_cpu_computes_in_what_it_is_fast_in_and_refuses_fp16(
    monkeypatch: pytest.MonkeyPatch, gain: float, chosen: str
) -> None:
    monkeypatch.setattr(precision, "bf16_gain", lambda: gain)
    monkeypatch.setattr(precision, "best_on_cpu", precision.best_on_cpu.__wrapped__)  # which is kept
    cpu = torch.device("cpu")
    assert [choose_precision(wanted, cpu) for wanted in ("auto", "fp32", "bf16")] == [chosen, "fp32", "bf16"]
    with pytest.raises(DeviceError, match="fp16 needs a CUDA GPU"):
        choose_precision("fp16", cpu)


def test_the_gain_of_bf16_is_measured_alike_each_time() -> None:
    gains = [precision.bf16_gain() for _ in range(5)]
    assert min(gains) > 0
    # One that is out of the question is tried too shortly to be told alike.
    assert max(gains) < 0.25 if min(gains) < 0.25 else max(gains) < 2 * min(gains)


def test_a_cpu_without_bf16_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a product in bf16 takes 50 times as long, it is not done more often than it takes to see that."""
    done: list[bool] = []

    def seconds(left: torch.Tensor, right: torch.Tensor) -> float:
        done.append(left.dtype == torch.bfloat16)
        return 50.0 if done[-1] else 1.0

    monkeypatch.setattr(precision, "_seconds", seconds)
    assert precision.bf16_gain() == 1 / 50
    assert sum(done) <= 3


@pytest.mark.parametrize(("native_bf16", "chosen"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_computes_in_the_16_bit_it_has(monkeypatch: pytest.MonkeyPatch, native_bf16: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native_bf16)
    assert choose_precision("auto", torch.device("cuda")) == chosen


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="no cuda:9 here"):
        choose_device("cuda:9")
    assert choose_device("cpu").type == "cpu"
