"""One real run through a real server, and what can be done with it; the same on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from backend.datasets.sample_corpus import sample_lines
from tests.serving import ROOT, Server

SMALL = {"max_steps": 4, "eval_steps": 2, "save_steps": 2, "sample_prompts": ["Once upon a time"], "batch_size": 2}


def small_text(folder: Path) -> Path:
    path = folder / "small.txt"
    path.write_text("\n".join(sample_lines(seed=3)[:60]), encoding="utf-8")
    return path


def answers(server: Server, **request: object) -> list[tuple[str, dict]]:
    """The events of POST /api/generate."""
    return server.generate(**{"prompt": "Once upon a time", "max_new_tokens": 8, "seed": 1, **request})


def test_from_upload_to_generated_text(server: Server, tmp_path: Path) -> None:
    with small_text(tmp_path).open("rb") as file:
        dataset = server.client.post("/api/datasets", files={"file": file}).json()["id"]
    created = server.create(dataset=dataset, **SMALL)
    assert (created["name"], created["status"]) == (f"tiny on {dataset}", "queued")
    run_id = created["id"]
    events = list(server.events(run_id))
    run = server.run(run_id)
    assert run["status"] == "completed", run
    assert [event["step"] for event in events if event["type"] == "step"] == [1, 2, 3, 4]
    assert (run["step"], run["total_steps"], run["phase"], run["eta_s"]) == (4, 4, "completed", None)
    assert run["validation_loss"] < 7.5
    assert run["loss"] == run["sparkline"][-1] or abs(run["loss"] - run["sparkline"][-1]) < 1e-3

    assert server.client.get(f"/api/runs/{run_id}/series").json()["x"] == [0, 1, 2, 3, 4]
    assert {item["step"] for item in server.client.get(f"/api/runs/{run_id}/samples").json()["items"]} >= {0, 4}
    checkpoints = server.client.get(f"/api/runs/{run_id}/checkpoints").json()["items"]
    assert [item["step"] for item in checkpoints] == sorted(item["step"] for item in checkpoints)
    assert (checkpoints[-1]["kind"], checkpoints[-1]["model"]) == ("final", f"run:{run_id}")
    assert all(Path(item["path"], "model.safetensors").is_file() for item in checkpoints)
    models = {model["id"] for model in server.client.get("/api/models").json()["items"]}
    assert {item["model"] for item in checkpoints} <= models

    first = answers(server, model=f"run:{run_id}")
    again = answers(server, model=f"run:{run_id}")
    assert first[0] == ("loading", {"model": f"run:{run_id}"})
    assert [kind for kind, _ in again] == ["token"] * (len(again) - 1) + ["done"], "it stays in memory"
    assert first[-1][1]["text"] == again[-1][1]["text"] == "".join(data["text"] for _, data in again[:-1])
    assert again[-1][1]["completion_tokens"] <= 8
    assert answers(server, model=checkpoints[0]["model"])[-1][0] == "done"

    together = Barrier(40)

    def ask(_: int) -> int:
        together.wait()
        body = {"model": f"run:{run_id}", "prompt": "Once", "max_new_tokens": 200, "temperature": 5}  # so that few end early
        return server.client.post("/api/generate", json=body).status_code

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(ask, range(40)))
    assert set(statuses) == {200, 429}, "a few wait, the rest are sent away"

    follow_up = server.create(dataset=dataset, model_name=f"run:{run_id}", max_steps=1)
    assert server.client.delete(f"/api/runs/{run_id}").status_code == 409, "the next run builds on it"
    assert follow_up["config"]["learning_rate"] == 5e-5
    assert server.end(follow_up["id"])["status"] == "completed"
    assert server.client.delete(f"/api/runs/{run_id}").status_code == 204


def test_a_model_that_learned_from_chats_is_asked_as_in_its_samples(server: Server) -> None:
    question = "What is 2+2?"
    rows = [(f"What is {n}+{n}?", f"It is {n + n}, my friend.") for n in range(20)]
    chats = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]} for asked, said in rows
    ]
    content = "".join(json.dumps(chat) + "\n" for chat in chats).encode()
    dataset = server.client.post("/api/datasets", files={"file": ("friend.jsonl", content)}).json()
    assert dataset["reading"]["kind"] == "chat"
    run_id = server.create(dataset=dataset["id"], **{**SMALL, "sample_prompts": [question], "learning_rate": 1e-2})["id"]
    assert server.end(run_id)["status"] == "completed"
    sample = server.client.get(f"/api/runs/{run_id}/samples").json()["items"][-1]
    assert sample["prompt"] == question
    as_samples = {"prompt": question, "max_new_tokens": 60, "temperature": 0.8, "top_p": 0.95, "seed": 0}
    told = {
        chat: answers(server, model=f"run:{run_id}", **as_samples, **({} if chat is None else {"chat": chat}))[-1][1]
        for chat in (None, True, False)
    }
    assert told[None]["text"] == told[True]["text"] == sample["text"]
    assert told[None]["prompt_tokens"] > told[False]["prompt_tokens"]
    models = {model["id"]: model for model in server.client.get("/api/models").json()["items"]}
    assert models[f"run:{run_id}"]["chat"] is True
    refused = server.client.post("/api/generate", json={"model": "tiny", "prompt": question, "chat": True})
    assert refused.status_code in (404, 422)


def command(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRAINBOARD_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [sys.executable, "-m", "backend", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250
    )


def test_train_in_the_terminal(tmp_path: Path) -> None:
    flags = ("--model-name", "tiny", "--dataset", str(small_text(tmp_path)), "--max-steps", "2", "--no-packing")
    done = command("train", *flags, data_dir=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    (directory,) = (tmp_path / "data" / "runs").iterdir()
    assert f"The model is in {directory / 'model'}" in done.stdout
    job = json.loads((directory / "config.json").read_text())
    assert (job["config"]["packing"], job["config"]["learning_rate"], job["config"]["max_length"]) == (False, 3e-3, 256)
    assert (directory / "model" / "model.safetensors").is_file()


def test_the_command_refuses_as_the_server_does(tmp_path: Path) -> None:
    for flags, sentence in (
        (("--batch-size", "0"), "Batch size must be at least 1; you gave 0."),
        (("--dataset", "missing.txt"), "There is no file missing.txt."),
        (("--dataset", "missing"), "There is no dataset 'missing'."),
        (("--max-length", "999"), "Max length must be at most 256 for tiny; you gave 999."),
        (("--device", "cuda:9"), "This machine has no device 'cuda:9'."),
    ):
        done = command("train", *flags, data_dir=tmp_path)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"trainboard: {sentence}")
        assert not (tmp_path / "runs").exists()
    done = command("models", "add", str(tmp_path / "nothing"), data_dir=tmp_path)
    assert (done.returncode, done.stderr.startswith("trainboard: There is nothing at")) == (2, True)


def test_the_command_reads_a_file_as_it_is_told_to(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("cat,miaow,x\n" + "".join(f"beast {n},noise {n},x\n" for n in range(9)))
    flags = ("--dataset", str(table), "--max-steps", "1", "--sample-prompts", "--no-header", "--reading")
    reading = {"kind": "completion", "template": "What says the {column 1}?", "completion": "column 2"}
    done = command("train", *flags, json.dumps(reading), data_dir=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "pairs.csv: Not used: “column 3”." in done.stderr
    assert "Read 10 examples" in done.stdout, "the first row too"
    (directory,) = (tmp_path / "data" / "runs").iterdir()
    dataset = json.loads((directory / "config.json").read_text())["dataset"]
    assert (dataset["header"], dataset["delimiter"]) == (False, ",")
    assert {name: dataset["reading"][name] for name in reading} == reading

    for wrong, sentence in (
        ('{"kind"', "Reading is not valid JSON"),
        ('{"kind": "poem"}', "Reading must be 'text', 'document', 'completion' or 'chat'"),
        ('{"kind": "text", "text": "column 7"}', "Row 1 has no column 'column 7'"),
        ('{"kind": "completion", "template": "{animal}", "completion": "column 2"}', "The file has no column 'animal'"),
    ):
        done = command("train", *flags, wrong, data_dir=tmp_path / "other")
        assert done.returncode == 2
        assert done.stderr.startswith(f"trainboard: {sentence}")
        assert not (tmp_path / "other" / "runs").exists()
