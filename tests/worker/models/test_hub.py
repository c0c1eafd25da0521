"""Models by id, from a server on the loopback that speaks the hub's file API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, GPT2LMHeadModel

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


FETCH = """
import json, sys
from worker.errors import ModelError
from worker.models.hub import fetch_model
try:
    told = fetch_model(sys.argv[1])
except ModelError as error:
    told = f"{error.reason} {error.hint}"
print(told)
"""


def fetch(hub: LoopbackHub, tmp_path: Path, name: str) -> str:
    """The model's folder, or why it cannot be had, as a worker would have it; without what else a worker does."""
    environment = {**os.environ, **hub.environment(tmp_path / "home")}
    command = [sys.executable, "-c", FETCH, name]
    return subprocess.run(command, cwd=runs.ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_model_is_fetched_once_and_then_trains_without_the_hub(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    code, end = train(hub, tmp_path, "someone/good", dataset)
    assert (code, end.phase) == (0, "completed")
    assert any(request.startswith("GET") and request.endswith("model.safetensors") for request in hub.requests)
    hub.__exit__()
    code, end = train(hub, tmp_path, "someone/good", dataset, attempt="offline")
    assert (code, end.phase) == (0, "completed")
    assert "cannot be reached" in fetch(hub, tmp_path, "someone/other")


def test_a_model_of_code_is_refused_and_the_run_says_so(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    code, end = train(hub, tmp_path, "someone/own-code", dataset)
    assert (code, end.phase) == (1, "failed")
    assert "someone/own-code" in f"{end.reason} {end.hint}"
    assert not any(request.endswith(".py") for request in hub.requests)
    assert "this code was run" not in runs.log(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "told"), [("someone/nothing", "no model someone/nothing"), ("someone/pickled", "safetensors")]
)
def test_a_model_that_cannot_be_used_is_told(hub: LoopbackHub, tmp_path: Path, name: str, told: str) -> None:
    assert told in fetch(hub, tmp_path, name)
    assert not any(request.endswith(".bin") for request in hub.requests)


def test_only_the_files_that_transformers_reads_are_fetched(
    hub: LoopbackHub, finished_run: Path, tmp_path: Path, dataset: Path
) -> None:
    sharded = tmp_path / "sharded"
    model = GPT2LMHeadModel.from_pretrained(finished_run / "model")
    model.save_pretrained(sharded, max_shard_size="400KB")
    AutoTokenizer.from_pretrained(finished_run / "model").save_pretrained(sharded)
    shards = sorted(path.name for path in sharded.glob("model-*.safetensors"))
    assert len(shards) > 2
    for name in ("consolidated.safetensors", "model.fp16.safetensors", "training_log.txt", "pytorch_model.bin"):
        (sharded / name).write_bytes(b"x" * 100_000)
    hub.repositories["someone/sharded"] = sharded
    code, end = train(hub, tmp_path, "someone/sharded", dataset)
    assert (code, end.phase) == (0, "completed")
    fetched = {request.rpartition("/")[2] for request in hub.requests if request.startswith("GET") and "resolve" in request}
    assert set(shards) | {"config.json", "model.safetensors.index.json", "tokenizer.json"} <= fetched
    assert not fetched & {"consolidated.safetensors", "model.fp16.safetensors", "training_log.txt", "pytorch_model.bin"}
    (snapshot,) = (tmp_path / "home/hub/models--someone--sharded/snapshots").iterdir()
    (snapshot / shards[1]).unlink()
    hub.__exit__()
    assert "someone/sharded is only in part on this machine" in fetch(hub, tmp_path, "someone/sharded")


def test_weights_under_other_names_are_refused_before_any_is_fetched(hub: LoopbackHub, tmp_path: Path) -> None:
    good = hub.repositories["someone/good"]
    other = shutil.copytree(good, tmp_path / "other")
    (other / "model.safetensors").rename(other / "model.fp16.safetensors")
    torn = shutil.copytree(good, tmp_path / "torn")
    (torn / "model.safetensors").unlink()
    (torn / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    hub.repositories |= {"someone/other": other, "someone/torn": torn}
    assert "model.safetensors.index.json" in fetch(hub, tmp_path, "someone/other")
    assert "lacks model-00001-of-00002.safetensors" in fetch(hub, tmp_path, "someone/torn")
    assert not any(request.endswith(".safetensors") for request in hub.requests)


def test_a_stop_ends_a_download_that_hangs(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    hub.hangs = "model.safetensors"
    source = ModelSource(kind="hub", location="someone/good")
    run_dir = runs.make_run(tmp_path / "run", dataset, source, max_steps=1)
    worker = runs.start(run_dir, **hub.environment(tmp_path / "home"))
    runs.wait_for(run_dir, "Downloading")
    asked = time.monotonic()
    runs.ask(run_dir, "stop")
    assert worker.wait(timeout=60) == 0, runs.log(run_dir)
    assert time.monotonic() - asked < 2
    told = [event.text for event in runs.events(run_dir, "message") if "Downloading" in event.text]
    assert runs.events(run_dir)[-1].phase == "stopped"
    assert told


def test_from_scratch_no_weights_are_fetched(hub: LoopbackHub, tmp_path: Path, dataset: Path) -> None:
    source = ModelSource(kind="hub", location="someone/good")
    settings = {"max_steps": 1, "sample_prompts": [], "from_scratch": True, "validation_split": 0.0}
    run_dir = runs.make_run(tmp_path / "run", dataset, source, model_name="someone/good", **settings)
    assert runs.start(run_dir, **hub.environment(tmp_path / "home")).wait(timeout=240) == 0, runs.log(run_dir)
    assert not any(request.endswith(".safetensors") for request in hub.requests)


def test_a_download_that_breaks_off_is_told(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.break_off = True
    assert "could not be downloaded" in fetch(hub, tmp_path, "someone/good")
