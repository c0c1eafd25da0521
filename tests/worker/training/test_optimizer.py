from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from worker.devices.device import choose_device
from worker.devices.precision import choose_precision
from worker.errors import DeviceError
from worker.training.optimizer import learning_rate_share, make_optimizer


def shares(schedule: str, total: int = 100, warmup: float = 0.1) -> list[float]:
    return [learning_rate_share(schedule, step, total, warmup) for step in range(1, total + 1)]


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


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 7])
def test_no_update_is_wasted_however_short_the_run(schedule: str, warmup: float, total: int) -> None:
    assert all(0 < share <= 1 for share in shares(schedule, total, warmup))


def test_biases_and_norms_are_not_decayed() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2))
    decayed, spared = make_optimizer(model, 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert all(names[id(w)].endswith("bias") or ".ln_" in names[id(w)] for w in spared["params"])
    assert not any(names[id(w)].endswith("bias") or ".ln_" in names[id(w)] for w in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_the_cpu_computes_in_fp32_and_refuses_fp16() -> None:
    cpu = torch.device("cpu")
    assert [choose_precision(wanted, cpu) for wanted in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]
    with pytest.raises(DeviceError, match="fp16 needs a CUDA GPU"):
        choose_precision("fp16", cpu)


@pytest.mark.parametrize(("native_bf16", "chosen"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_computes_in_the_16_bit_it_has(monkeypatch: pytest.MonkeyPatch, native_bf16: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native_bf16)
    assert choose_precision("auto", torch.device("cuda")) == chosen


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="no cuda:9 here"):
        choose_device("cuda:9")
    assert choose_device("cpu").type == "cpu"
