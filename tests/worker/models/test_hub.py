"""Models by id, from a server on the loopback that speaks the hub's file API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_hub import LoopbackHub
from tests.worker import runs
from worker.contract import ModelSource


@pytest.fixture
def hub(finished_run: Path, tmp_path: Path) -> Iterator[LoopbackHub]:
    """A hub with a good model, one with a pickle for weights, and one that wants its own code to be run."""
    good = finished_run / "model"
    pickled = shutil.copytree(good, tmp_path / "pickled", ignore=shutil.ignore_patterns("*.safetensors"))
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    own_code = shutil.copytree(good, tmp_path / "own_code")
    (own_code / "config.json").write_text('{"model_type": "unheard_of", "auto_map": {"AutoConfig": "code.Config"}}')
    (own_code / "code.py").write_text("raise SystemExit('this code was run')")
    with LoopbackHub({"someone/good": good, "someone/pickled": pickled, "someone/own-code": own_code}) as hub:
        yield hub


def train(hub: LoopbackHub, tmp_path: Path, name: str, dataset: Path, attempt: str = "run") -> tuple[int, Any]:
    """Trains for one update; returns the exit code and the last event."""
    source = ModelSource(kind="hub", location=name)
    run_dir = runs.make_run(tmp_path / attempt, dataset, source, max_steps=1, sample_prompts=[], validation_split=0.0)
    code = runs.start(run_dir, **hub.environment(tmp_path / "home")).wait(timeout=240)
    return code, runs.events(run_dir)[-1]


def test_a_model_is_fetched_once_and_then_trains_without_the_hub(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    code, end = train(hub, tmp_path, "someone/good", dataset)
    assert (code, end.phase) == (0, "completed")
    assert any(request.startswith("GET") and request.endswith("model.safetensors") for request in hub.requests)
    hub.__exit__()
    code, end = train(hub, tmp_path, "someone/good", dataset, attempt="offline")
    assert (code, end.phase) == (0, "completed")
    code, end = train(hub, tmp_path, "someone/other", dataset, attempt="unknown-offline")
    assert code == 1
    assert "cannot be reached" in end.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("someone/nothing", "no model someone/nothing"),
        ("someone/pickled", "safetensors"),
        ("someone/own-code", "someone/own-code"),
    ],
)
def test_a_model_that_cannot_be_used_is_told(hub: LoopbackHub, tmp_path: Path, dataset: Path, name: str, told: str) -> None:
    code, end = train(hub, tmp_path, name, dataset)
    assert (code, end.phase) == (1, "failed")
    assert told in f"{end.reason} {end.hint}"
    assert not any(request.endswith((".bin", ".py")) for request in hub.requests)
    assert "this code was run" not in runs.log(tmp_path / "run")


def test_a_download_that_breaks_off_is_told(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    hub.break_off = True
    code, end = train(hub, tmp_path, "someone/good", dataset)
    assert (code, end.phase) == (1, "failed")
    assert "could not be downloaded" in end.reason
