"""A right .gguf file is proven, and one that is wrong in any of many ways is not, with a sentence that tells what."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from tests.worker.export.damages import DAMAGES, inflict
from tests.worker.export.subjects import SHAPES, prove, prove_model
from worker.contract import ModelSource
from worker.export.gguf_export import load_base

QUICK = ("a weight is 2% too large", "the base of positions is another", "text is split otherwise")


@pytest.mark.process
@pytest.mark.parametrize(
    ("shape", "number_format"),
    [
        ("gpt2", "q8_0"),
        ("smollm2", "fp16"),
        ("gemma2", "fp16"),
        ("wide", "q4_k_m"),
        *(pytest.param(shape, kind, marks=pytest.mark.slow) for shape in SHAPES for kind in ("fp16", "q8_0", "q4_k_m")),
    ],
)
def test_a_right_file_is_proven(shape: str, number_format: str, tmp_path: Path) -> None:
    seen = prove(shape, tmp_path, number_format)
    print(f"{shape} {number_format}: KL {seen.alone.kl:.2e}, noise {seen.alone.noise:.2e}, limit {seen.alone.limit:.2e}")
    assert seen.together.problems == []
    assert seen.together.passed
    assert seen.alone.same_choice is not None
    assert seen.alone.same_choice > (0.6 if number_format == "q4_k_m" else 0.9)
    assert seen.alone.kl == pytest.approx(seen.alone.noise, rel=0.3, abs=1e-6), "rounding was foretold wrongly"


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number_format", ["fp16", "q8_0", "q4_k_m"])
def test_a_right_file_of_a_real_model_is_proven(number_format: str, smollm2_gguf: Path, tmp_path: Path) -> None:
    """Its 30 layers add up more than those of small ones do."""
    seen = prove_model(load_base(ModelSource(kind="gguf", location=str(smollm2_gguf))), tmp_path, number_format)
    print(f"{number_format}: KL {seen.alone.kl:.2e}, noise {seen.alone.noise:.2e}, limit {seen.alone.limit:.2e}")
    assert seen.together.problems == []


@pytest.mark.process
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in DAMAGES])
def test_a_damaged_file_is_not(name: str, tmp_path: Path) -> None:
    damage = DAMAGES[name]
    seen = prove(damage.shape, tmp_path, damage=partial(inflict, damage))
    print(f"{name}: {seen.together.problems}")
    assert not seen.together.passed
    assert any(re.search(damage.says, problem) for problem in seen.together.problems), seen.together.problems
    assert seen.alone.passed != damage.engine, seen.alone


@pytest.mark.slow
@pytest.mark.process
def test_a_damaged_file_of_4_bits_is_not(tmp_path: Path) -> None:
    """Rounding to 4 bits makes more of a difference than this, and may not hide it."""
    damage = DAMAGES["two rows of the vocabulary are swapped"]
    seen = prove("wide", tmp_path, "q4_k_m", partial(inflict, damage))
    assert seen.alone.kl is not None
    assert seen.alone.limit is not None
    assert seen.alone.kl < seen.alone.limit
    assert not seen.alone.passed
    assert "from the model rounded in the same way" in seen.alone.problems[0]
    assert any(re.search(damage.says, problem) for problem in seen.together.problems), seen.together.problems
