"""That the training benchmark works: every job and arm at toy size. Its figures are taken by ``make bench-training``."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import document
from tests.benchmarks.training_arms import Result
from tests.benchmarks.training_report import Comparison, Outcome, table
from tests.benchmarks.training_task import Task

ROOT = Path(__file__).parents[2]
TASK = Task("Job", "lines", 32, 2, 2, 1024, 128, 4, 4, updates=4, eval_every=2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_every_arm_of_every_job_can_be_measured(profile: str) -> None:
    pytest.importorskip("trl", reason="make test-slow installs it")
    command = [sys.executable, "-m", "tests.benchmarks.training", "--quick", "--profile", profile]
    bench = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bench.returncode == 0, bench.stdout + bench.stderr
    assert "failed" not in bench.stdout
    for arm in ("guide", "trainer-padded", "trainer-grouped", "sft-packing", "ours"):
        assert f"\n| {arm} |" in bench.stdout


def test_the_time_to_a_loss_lies_on_the_line_between_two_evaluations() -> None:
    run = result(losses=[(0.0, 6.0), (10.0, 4.0), (20.0, 3.0)])
    assert run.seconds_to(6.5) == 0.0
    assert run.seconds_to(5.0) == 5.0
    assert run.seconds_to(3.5) == 15.0
    assert run.seconds_to(3.0) == 20.0
    assert run.seconds_to(2.9) is None


def test_arms_are_compared_within_a_round_at_the_loss_that_all_reached() -> None:
    outcome = Outcome(Comparison(TASK, ("trainer-padded", "ours"), ("4",), rounds=2), variants={"trainer-padded": "4"})
    outcome.results = {
        "trainer-padded": [result([(0.0, 6.0), (30.0, 3.0)]), result([(0.0, 6.0), (60.0, 3.0)])],
        "ours": [result([(0.0, 6.0), (20.0, 2.0)]), result([(0.0, 6.0), (20.0, 2.0)])],
    }
    text = table(outcome)
    assert "time to validation loss 3.00" in text
    assert "| trainer-padded | 45.0 s | 3.00× (2.00 to 4.00) |" in text
    assert "| ours | 15.0 s |" in text


def test_each_arm_is_told_what_of_the_product_rate_of_its_format_it_reaches() -> None:
    outcome = Outcome(Comparison(TASK, ("trainer-padded", "ours"), ("4",), rounds=1), rates={"fp32": 30e6, "bf16": 60e6})
    outcome.results = {
        "trainer-padded": [result([(0.0, 6.0), (30.0, 3.0)])],
        "ours": [replace(result([(0.0, 6.0), (30.0, 3.0)]), precision="bf16")],
    }
    text = table(outcome)
    # 6 * (1024 * 32 + 2 * (12 * 32**2 + 13 * 32) + 64) + 12 * 2 * 32 * 15.6 = 361 thousand a token, at 50 tokens a second
    assert "| fp32 | 60% |" in text
    assert "| bf16 | 30% |" in text
    assert "the machine multiplies 0 GFLOP/s in fp32 and 0 GFLOP/s in bf16" in text


def test_an_arm_that_failed_leaves_the_others_their_figures() -> None:
    outcome = Outcome(Comparison(TASK, ("guide", "trainer-padded", "ours"), ("4",), rounds=1), variants={})
    outcome.results = {arm: [result([(0.0, 6.0), (30.0, 3.0)])] for arm in ("guide", "trainer-padded")}
    outcome.errors = {"ours": "no room"}
    text = table(outcome)
    assert "| ours | failed: no room |" in text
    assert "| guide | 30.0 s |" in text


def test_a_benchmark_replaces_its_own_section_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "benchmarks.md"
    target.write_text("# A\n<!-- one: begin -->\nold\n<!-- one: end -->\n<!-- two: begin -->\nkept\n<!-- two: end -->\n")
    monkeypatch.setattr(document, "TARGET", target)
    document.write_section("one", "new \\1 text")
    expected = "# A\n<!-- one: begin -->\nnew \\1 text\n<!-- one: end -->\n<!-- two: begin -->\nkept\n<!-- two: end -->\n"
    assert target.read_text() == expected
    with pytest.raises(ValueError, match="has no comments"):
        document.write_section("three", "text")


def result(losses: list[tuple[float, float]]) -> Result:
    return Result(60.0, 4, 1000, 50.0, losses, bytes_before=100, bytes_peak=300, step_share=1.0)
