"""The process that tries a run out before it starts, spoken to as the server does."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.worker import designs, runs
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.preflight.passes import _FORWARD, evaluations_of


def job_of(dataset: Path, model: ModelSource | None = None, **config: Any) -> Job:
    source = model or ModelSource(kind="built_in", location="tiny")
    return Job(run_id="", config=RunConfig(**config), model=source, dataset=DatasetSource(path=str(dataset)), device="cpu")


class Trial:
    """A trial process whose temporary files lie in ``folder``."""

    def __init__(self, folder: Path, before: Callable[[], None] | None = None) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker.preflight.trial"],
            cwd=runs.ROOT, env={**os.environ, "TMPDIR": str(folder)}, stdin=pipe, stdout=pipe, text=True, preexec_fn=before,
        )  # fmt: skip

    def send(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"id": 1, **message}) + "\n")
        self.process.stdin.flush()

    def replies(self) -> Iterator[dict[str, Any]]:
        """Up to the last one."""
        assert self.process.stdout
        for line in self.process.stdout:
            reply = json.loads(line)
            yield reply
            if reply["event"] in ("done", "error"):
                return


@contextmanager
def trial(folder: Path, job: Job, before: Callable[[], None] | None = None) -> Iterator[Trial]:
    """A trial that has been asked about ``job``, and ends with its input."""
    started = Trial(folder, before)
    started.send(op="measure", job=job.model_dump(mode="json"))
    yield started
    if started.process.poll() is None:
        assert started.process.stdin
        started.process.stdin.close()
        assert started.process.wait(timeout=60) == 0


def test_a_trial_takes_what_the_run_takes_and_leaves_nothing(finished_run: Path, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "trainboard-trial-killed").mkdir()
    job = job_of(dataset, max_steps=24)
    with trial(tmp_path, job.model_copy(update={"evaluation": {"again": job.dataset}})) as started:
        *progress, done = started.replies()
    end = runs.events(finished_run, "status")[-1]
    found = done["data"]
    assert found["peak_memory_bytes"] == pytest.approx(end.peak_memory_bytes, rel=0.1)
    assert end.step_seconds / 8 < found["step_seconds"] < end.step_seconds * 8  # others use this machine too
    assert found["total_seconds"] == pytest.approx(24 * found["step_seconds"] + found["evaluation_seconds"])
    evaluated, learned, evaluations = 20 + 200, 16, evaluations_of(job.config, 12, 24)  # examples; 200 are in the file
    shares = evaluated / learned * _FORWARD * evaluations  # of an update's time
    assert found["evaluation_seconds"] == pytest.approx(shares * found["step_seconds"], rel=0.1)
    tokens = [event.tokens for event in runs.events(finished_run, "step")][-1]
    assert found["tokens_per_s"] * found["step_seconds"] == pytest.approx(tokens / 24, rel=0.02)
    texts = [reply["data"]["text"] for reply in progress]
    assert {reply["event"] for reply in progress} == {"progress"}
    assert texts[0].startswith("Read 200 examples")
    assert texts[-1].startswith("Update 8 of 8 took")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system gives more memory than it has")
def test_a_run_that_does_not_fit_is_an_answer_with_advice(tmp_path: Path) -> None:
    text = tmp_path / "long.txt"
    text.write_text("\n".join(f"{number} " + "one two three four five " * 60 for number in range(300)))
    job = job_of(text, batch_size=256, gradient_accumulation_steps=1, validation_split=0.0, max_length=256)
    folder = tmp_path / "temporary"
    folder.mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1_500_000_000, 1_500_000_000))

    with trial(folder, job, limit) as started:
        *_, last = started.replies()
    assert (last["event"], last["data"]["code"]) == ("error", "out_of_memory")
    assert "full at batch size 256" in last["data"]["message"]
    assert "Set Batch size to 128 and Gradient accumulation to 2" in last["data"]["hint"]
    assert list(folder.iterdir()) == []


def test_a_trial_that_cannot_be_made_or_is_left_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    source = ModelSource(kind="folder", location=str(tmp_path / "nowhere"))
    long = job_of(dataset, ModelSource(kind="built_in", location="mini"), batch_size=16).model_dump(mode="json")
    folder = tmp_path / "temporary"
    folder.mkdir()
    with trial(folder, job_of(dataset, source)) as started:
        *_, last = started.replies()
        assert last["data"]["code"] == "model_unavailable"
        assert last["data"]["hint"] == "Pick another model."
        assert list(folder.iterdir()) == []

        started.send(op="measure", job=long)
        replies = started.replies()
        assert next(replies)["event"] == "progress"
        assert list(folder.iterdir()) != []
        started.send(op="cancel")
        *_, last = replies
        assert last["data"]["code"] == "cancelled"
        assert list(folder.iterdir()) == []

        started.send(op="measure", job=long)
        next(started.replies())
        assert list(folder.iterdir()) != []
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(timeout=60) == 1
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_lora_on_few_examples_is_tried_without_touching_the_model(dataset: Path, fragments: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.txt"
    few.write_text("\n".join(fragments.read_text().splitlines()[:9]))  # fewer than an update wants
    source = designs.save_small_gpt2(tmp_path / "model", dataset)
    digests = digests_of(tmp_path / "model")
    config = {"method": "lora", "model_name": "local:model", "num_epochs": 5, "max_length": 32}
    folder = tmp_path / "temporary"
    folder.mkdir()
    with trial(folder, job_of(few, source, **config)) as started:
        *_, done = started.replies()
    assert done["event"] == "done", done
    updates = done["data"]["total_seconds"] - done["data"]["evaluation_seconds"]
    assert updates == pytest.approx(5 * done["data"]["step_seconds"])
    assert digests_of(tmp_path / "model") == digests
    assert list(folder.iterdir()) == []


def digests_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
