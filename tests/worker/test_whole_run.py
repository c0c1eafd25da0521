"""Worker processes, from config.json to the last event."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.worker import runs
from worker.checkpoints import folder as checkpoint
from worker.contract import LOCK_FD_VARIABLE, TERMINAL_PHASES, LockInfo, ModelSource
from worker.devices.precision import best_on_cpu


def terminal(run_dir: Path) -> list[str]:
    return [event.phase for event in runs.events(run_dir, "status") if event.phase in TERMINAL_PHASES]


def test_a_run_tells_all_it_does_in_order(finished_run: Path) -> None:
    events = runs.events(finished_run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert (events[0].type, events[0].phase) == ("status", "preparing")
    assert (events[-1].type, events[-1].phase) == ("status", "completed")
    assert terminal(finished_run) == ["completed"]
    assert [event.step for event in events if event.type == "step"] == list(range(1, 25))


def test_the_training_status_tells_what_is_known(finished_run: Path) -> None:
    status = next(event for event in runs.events(finished_run, "status") if event.phase == "training")
    assert (status.total_steps, status.device, status.max_length) == (24, "cpu", 256)
    assert status.precision == best_on_cpu()
    assert status.train_examples + status.validation_examples == 200
    assert status.parameters > 500_000


def test_the_model_learns(finished_run: Path) -> None:
    evaluations = runs.events(finished_run, "evaluation")
    assert evaluations[0].step == 0
    assert evaluations[-1].step == 24
    assert evaluations[-1].loss < 0.8 * evaluations[0].loss
    assert evaluations[0].train_loss is None
    assert evaluations[-1].train_loss > 0


def test_samples_come_with_every_check(finished_run: Path) -> None:
    checks = [event.step for event in runs.events(finished_run, "evaluation")]
    assert [event.step for event in runs.events(finished_run, "sample")] == checks


def test_the_lock_tells_who_trained(finished_run: Path) -> None:
    info = LockInfo.model_validate_json((finished_run / "worker.lock").read_bytes())
    assert not psutil.pid_exists(info.pid) or psutil.Process(info.pid).create_time() != info.started


def test_what_a_run_leaves_is_whole(finished_run: Path) -> None:
    for event in runs.events(finished_run, "checkpoint"):
        folder = finished_run / event.path
        if folder.exists():  # a later checkpoint may have taken its place
            checkpoint.verify(folder)
            sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != "manifest.json"}
            assert event.bytes == sum(sizes.values())
            assert set(runs.manifest(folder)) == set(sizes) - {"README.md"}, "the card may be edited"
    files = {path.name for path in (finished_run / "model").iterdir()}
    assert {"config.json", "model.safetensors", "generation_config.json", "README.md", "tokenizer.json"} <= files
    assert not [path for path in finished_run.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert not (finished_run / "tokens").exists()


def test_the_card_tells_what_was_done_and_nothing_of_the_machine(finished_run: Path) -> None:
    card = (finished_run / "model" / "README.md").read_text()
    assert "Export, on the run's page" in card, "llama.cpp's converter does not know a tokenizer that was just made"
    loss = runs.events(finished_run, "evaluation")[-1].loss
    for expected in ("tiny", "24 of 24", f"{loss:.4f}", "| learning_rate |", "AutoModelForCausalLM"):
        assert expected in card
    assert str(finished_run.parent) not in card


STEP_4_OF_THE_GUIDE = """
from transformers import GPT2LMHeadModel, GPT2Tokenizer

# Load your trained model
model = GPT2LMHeadModel.from_pretrained("./trained_model")
tokenizer = GPT2Tokenizer.from_pretrained("./trained_model")

# Generate text
prompt = "Machine learning is"
input_ids = tokenizer.encode(prompt, return_tensors="pt")
output = model.generate(input_ids, max_length=100)
text = tokenizer.decode(output[0], skip_special_tokens=True)

print(text)
"""


def test_the_snippet_of_the_training_guide_runs_unchanged(finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "trained_model").symlink_to(finished_run / "model")
    snippet = [sys.executable, "-c", STEP_4_OF_THE_GUIDE]
    done = subprocess.run(snippet, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Machine learning is")
    assert len(done.stdout.strip()) > len("Machine learning is")


def test_auto_classes_load_the_same_tokenizer(finished_run: Path) -> None:
    from transformers import AutoTokenizer, GPT2Tokenizer

    text = "Once upon a time, naïve 🐢 turtles."
    folder = finished_run / "model"
    auto, gpt2 = AutoTokenizer.from_pretrained(folder), GPT2Tokenizer.from_pretrained(folder)
    assert auto(text)["input_ids"] == gpt2(text)["input_ids"]
    assert gpt2.decode(gpt2(text)["input_ids"]) == text
    assert auto.eos_token == auto.pad_token == "<|endoftext|>"


def test_a_stop_in_control_json_ends_the_run_with_a_model(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset, max_steps=100_000)
    worker = runs.Forked(run_dir)
    runs.wait_for(run_dir, '"type":"step"')
    runs.ask(run_dir, "stop")
    assert worker.wait(timeout=60) == 0
    assert terminal(run_dir) == ["stopped"]
    checkpoint.verify(run_dir / "model")
    assert [event.kind for event in runs.events(run_dir, "checkpoint")][-2:] == ["periodic", "final"]


def test_sigterm_while_preparing_stops_without_a_model(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset)
    worker = runs.start(run_dir)  # not forked, or it could train before it is asked to stop
    runs.wait_for(run_dir, '"phase":"preparing"')
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert terminal(run_dir) == ["stopped"]
    assert not (run_dir / "model").exists()


def test_a_killed_worker_leaves_a_log_that_its_successor_continues(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset, max_steps=2, batch_size=1, sample_prompts=[])
    worker = runs.start(run_dir)
    runs.wait_for(run_dir, '"type":"message"')
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=60)
    before = runs.events(run_dir)
    assert terminal(run_dir) == []
    with (run_dir / "events.jsonl").open("ab") as log:
        log.write(b'{"seq":99,"ti')
    (run_dir / ".tmp-model").mkdir()
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    events = runs.events(run_dir)
    assert events[: len(before)] == before
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert terminal(run_dir) == ["completed"]
    assert not (run_dir / ".tmp-model").exists()


@pytest.mark.parametrize(
    ("config", "content", "told"),
    [
        ({}, None, "is gone"),
        ({}, b"one line\nb\xffd", "Line 2"),
        ({"precision": "fp16"}, b"one\ntwo\n", "fp16 needs"),
        ({"max_length": 300}, b"one\ntwo\n", "at most 256"),
    ],
)
def test_a_job_that_cannot_be_done_fails_with_a_reason(
    tmp_path: Path, config: dict[str, object], content: bytes | None, told: str
) -> None:
    data = tmp_path / "data.txt"
    if content:
        data.write_bytes(content)
    run_dir = runs.make_run(tmp_path / "run", data, **config)
    assert runs.run(run_dir) == 1
    last = runs.events(run_dir)[-1]
    assert last.phase == "failed"
    assert told in last.reason
    assert last.hint
    assert terminal(run_dir) == ["failed"]
    assert "Traceback" not in runs.log(run_dir)


def test_a_bug_is_told_and_its_traceback_kept(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset)
    job = json.loads((run_dir / "config.json").read_text())
    job["dataset"] |= {"format": "csv", "delimiter": "two"}  # which no server writes, and the csv module does not take
    (run_dir / "config.json").write_text(json.dumps(job))
    assert runs.run(run_dir) == 1
    assert "TypeError" in runs.events(run_dir)[-1].reason
    assert "Traceback" in runs.log(run_dir)


def test_a_run_that_has_ended_is_not_trained_again(finished_run: Path) -> None:
    before = (finished_run / "events.jsonl").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "worker", str(finished_run)], cwd=runs.ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "completed already" in done.stderr
    assert (finished_run / "events.jsonl").read_bytes() == before


def test_a_locked_run_is_refused(dataset: Path, tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", dataset)
    with (run_dir / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert runs.run(run_dir) == 1
    assert "Another worker" in runs.log(run_dir)
    assert not (run_dir / "events.jsonl").exists()


def test_an_inherited_lock_is_held_until_the_worker_ends(tmp_path: Path) -> None:
    run_dir = runs.make_run(tmp_path / "run", tmp_path / "missing.txt")
    fd = os.open(run_dir / "worker.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    worker = subprocess.Popen(
        [sys.executable, "-m", "worker", str(run_dir)],
        cwd=runs.ROOT,
        env={**os.environ, LOCK_FD_VARIABLE: str(fd)},
        pass_fds=[fd],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    os.close(fd)
    with (run_dir / "worker.lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)  # comes back when the worker lets go
        assert worker.wait(timeout=60) == 1
    assert json.loads((run_dir / "worker.lock").read_text())["pid"] == worker.pid
    assert terminal(run_dir) == ["failed"]


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_directory_that_is_no_run_is_refused(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "config.json").write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "worker", str(tmp_path)], cwd=runs.ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert not (tmp_path / "events.jsonl").exists()


def test_a_finished_model_can_be_trained_further(finished_run: Path, dataset: Path, tmp_path: Path) -> None:
    source = ModelSource(kind="folder", location=str(finished_run / "model"))
    run_dir = runs.make_run(tmp_path / "run", dataset, source, max_steps=2)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    ended = runs.events(finished_run, "evaluation")[-1].loss
    assert runs.events(run_dir, "evaluation")[0].loss == pytest.approx(ended, abs=0.01)


def test_from_scratch_keeps_the_design_and_drops_the_weights(finished_run: Path, dataset: Path, tmp_path: Path) -> None:
    source = ModelSource(kind="folder", location=str(finished_run / "model"))
    run_dir = runs.make_run(tmp_path / "run", dataset, source, max_steps=1, from_scratch=True)
    assert runs.run(run_dir) == 0, runs.log(run_dir)
    first = runs.events(finished_run, "evaluation")[0].loss
    assert runs.events(run_dir, "evaluation")[0].loss == pytest.approx(first, abs=0.3)
