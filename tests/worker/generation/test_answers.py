"""The process that answers prompts, spoken to as the server does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback_hub import LoopbackHub
from tests.worker.runs import ROOT


class Prompter:
    """Sends requests to a generation process and reads its replies."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "worker.generation"]
        pipe, environment = subprocess.PIPE, {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.states: list[dict[str, Any]] = []
        """What it told of itself."""

    def send(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def reply(self) -> dict[str, Any]:
        while not (reply := self._next()):
            pass
        return reply

    def state(self) -> dict[str, Any]:
        """What it tells of itself next."""
        known = len(self.states)
        while len(self.states) == known:
            self._next()
        return self.states[-1]

    def _next(self) -> dict[str, Any] | None:
        """The next reply to a request; None for a state."""
        assert self.process.stdout
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        if reply["event"] != "state":
            return reply
        self.states.append(reply["data"])
        return None

    def replies(self) -> list[dict[str, Any]]:
        """All replies up to the one that ends a request."""
        replies = [self.reply()]
        while replies[-1]["event"] not in ("done", "error"):
            replies.append(self.reply())
        return replies

    def generate(self, request_id: int, folder: Path, **request: Any) -> list[dict[str, Any]]:
        model = {"kind": "folder", "location": str(folder)}
        self.send(id=request_id, op="generate", model=model, **{"prompt": "Once upon a time", **request})
        replies = self.replies()
        assert {reply["id"] for reply in replies} == {request_id}
        return replies

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def prompter() -> Iterator[Prompter]:
    prompter = Prompter()
    yield prompter
    prompter.close()


@pytest.fixture(scope="module")
def folder(finished_run: Path) -> Path:
    return finished_run / "model"


def test_tokens_come_one_by_one_and_add_up(prompter: Prompter, folder: Path) -> None:
    replies = prompter.generate(1, folder, max_new_tokens=12, seed=1, logprobs=True)
    assert replies[0] == {"id": 1, "event": "loading", "data": {}}
    tokens = [reply["data"] for reply in replies if reply["event"] == "token"]
    done = replies[-1]["data"]
    assert "".join(token["text"] for token in tokens) == done["text"]
    assert len(tokens) == done["completion_tokens"] <= 12
    assert all(token["logprob"] <= 0 for token in tokens)
    assert done["prompt_tokens"] > 0
    assert done["tokens_per_s"] > 0
    assert done["finish_reason"] in ("stop", "length")


def test_a_model_in_memory_is_not_loaded_again(prompter: Prompter, folder: Path) -> None:
    prompter.generate(2, folder, max_new_tokens=1)
    replies = prompter.generate(3, folder, max_new_tokens=1)
    assert [reply["event"] for reply in replies] == ["token", "done"]
    assert "logprob" not in replies[0]["data"]


def test_a_model_that_changed_on_disk_is_loaded_again(prompter: Prompter, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    prompter.generate(4, copy, max_new_tokens=1)
    os.utime(copy / "model.safetensors", ns=(1, 1))
    assert prompter.generate(5, copy, max_new_tokens=1)[0]["event"] == "loading"


def test_a_cancelled_request_ends_early(prompter: Prompter, folder: Path) -> None:
    model = {"kind": "folder", "location": str(folder)}
    # A stop string that never comes and a seed whose text is long: without the cancellation this takes 200 tokens.
    prompter.send(id=6, op="generate", model=model, prompt="Once", max_new_tokens=200, temperature=5.0, top_p=1.0, seed=1)
    while prompter.reply()["event"] != "token":
        pass
    prompter.send(op="cancel", id=6)
    done = prompter.replies()[-1]["data"]
    assert done["finish_reason"] == "cancelled"
    assert done["completion_tokens"] < 200


def test_a_model_is_loaded_while_others_write(prompter: Prompter, folder: Path, tmp_path: Path) -> None:
    """What is written meanwhile goes on, and the process tells what it loads, holds and writes."""
    model = {"kind": "folder", "location": str(folder)}
    prompter.generate(70, folder, max_new_tokens=1)
    copy = shutil.copytree(folder, tmp_path / "model")
    prompter.send(id=71, op="generate", model=model, prompt="Once", max_new_tokens=120, temperature=5.0, top_p=1.0, seed=1)
    other = {"kind": "folder", "location": str(copy)}
    prompter.send(id=72, op="generate", model=other, name="another", prompt="Once", max_new_tokens=2)
    replies = [prompter.reply()]
    while sum(reply["event"] == "done" for reply in replies) < 2:
        replies.append(prompter.reply())
    order = [(reply["id"], reply["event"]) for reply in replies]
    loading = order.index((72, "loading"))
    assert (71, "token") in order[loading : order.index((72, "token"))], "texts went on while it was loaded"
    assert any(state["loading"] == [{"name": "another", "bytes": 0, "total": 0}] for state in prompter.states)
    held = prompter.states[-1]["models"]
    assert held[-1] == {"name": "another", "device": "cpu", "bytes": held[0]["bytes"], "texts": 0}
    assert held[-1]["bytes"] > 100_000


def test_a_download_is_told_holds_up_nobody_and_ends_when_nobody_waits(folder: Path, tmp_path: Path) -> None:
    with LoopbackHub({"someone/slow": folder}) as hub:
        hub.hangs = "model.safetensors"
        prompter = Prompter(hub.environment(tmp_path))
        slow = {"kind": "hub", "location": "someone/slow"}
        prompter.send(id=1, op="generate", model=slow, name="slow", prompt="Once")
        size = (folder / "model.safetensors").stat().st_size
        while not (told := prompter.state()["loading"]) or told[0]["total"] < size:
            pass
        assert told[0]["name"] == "slow"
        assert prompter.generate(2, folder, max_new_tokens=1)[-1]["event"] == "done", "another is loaded meanwhile"
        prompter.send(op="cancel", id=1)
        while prompter.state()["loading"]:
            pass
        prompter.close()


def test_models_that_write_nothing_are_freed(prompter: Prompter, folder: Path) -> None:
    prompter.generate(80, folder, max_new_tokens=1)
    prompter.send(id=81, op="free")
    assert prompter.replies()[-1]["event"] == "done"
    assert prompter.states[-1]["models"] == []
    assert [r["event"] for r in prompter.generate(82, folder, max_new_tokens=1)] == ["loading", "token", "done"]


ASKED: list[dict[str, Any]] = [
    {"prompt": "Once upon a time", "temperature": 0, "max_new_tokens": 40},
    {"prompt": "The little owl went to the river, and there", "temperature": 0, "max_new_tokens": 15},
    {"prompt": "A", "temperature": 0.9, "seed": 5, "max_new_tokens": 30},
    {"prompt": "One day the fox and the hen and the old dog met at the gate of the farm.", "seed": 2, "max_new_tokens": 25},
    {"prompt": "", "temperature": 2.0, "top_k": 9, "seed": 3, "max_new_tokens": 35},
]


def test_texts_are_written_side_by_side_and_are_what_each_would_be_alone(prompter: Prompter, folder: Path) -> None:
    alone = [prompter.generate(number, folder, **each)[-1]["data"]["text"] for number, each in enumerate(ASKED, 20)]
    model = {"kind": "folder", "location": str(folder)}
    for number, each in enumerate(ASKED[:3], 30):
        prompter.send(id=number, op="generate", model=model, **each)
    replies = [prompter.reply() for _ in range(12)]
    for number, each in enumerate(ASKED[3:], 33):  # the others have begun
        prompter.send(id=number, op="generate", model=model, **each)
    while sum(reply["event"] == "done" for reply in replies) < len(ASKED):
        replies.append(prompter.reply())
    done = {reply["id"]: reply["data"]["text"] for reply in replies if reply["event"] == "done"}
    assert [done[30 + number] for number in range(len(ASKED))] == alone
    for number, text in done.items():
        assert "".join(r["data"]["text"] for r in replies if (r["id"], r["event"]) == (number, "token")) == text
    turns = [reply["id"] for reply in replies if reply["event"] == "token"]
    assert turns.index(33) < len(turns) - 1 - turns[::-1].index(30), "none waits for another's end"


def test_a_text_that_nobody_waits_for_makes_room_and_leaves_the_others_alone(prompter: Prompter, folder: Path) -> None:
    model = {"kind": "folder", "location": str(folder)}
    (expected,) = [prompter.generate(40, folder, **ASKED[0])[-1]["data"]["text"]]
    prompter.send(id=41, op="generate", model=model, prompt="Once", max_new_tokens=200, temperature=5.0, top_p=1.0, seed=1)
    prompter.send(id=42, op="generate", model=model, **ASKED[0])
    while prompter.reply()["id"] != 42:
        pass
    prompter.send(op="cancel", id=41)
    ends = {reply["id"]: reply["data"] for reply in (prompter.replies()[-1], prompter.replies()[-1])}
    assert ends[41]["finish_reason"] == "cancelled"
    assert ends[42]["text"] == expected


def test_several_models_are_in_memory(prompter: Prompter, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    assert [len([r for r in prompter.generate(50 + n, each, max_new_tokens=1) if r["event"] == "loading"]) for n, each in
            enumerate((folder, copy, folder, copy))] == [0, 1, 0, 0]  # fmt: skip


def test_a_prompt_longer_than_the_context_tells_what_was_left_out(prompter: Prompter, folder: Path) -> None:
    done = prompter.generate(60, folder, prompt="old " * 400, max_new_tokens=1)[-1]["data"]
    assert done["truncated_tokens"] > 0
    assert done["prompt_tokens"] <= 128


@pytest.mark.parametrize(
    ("request_", "code", "told"),
    [
        ({"prompt": 3}, "bad_request", "prompt"),
        ({"prompt": "x", "top_p": 7}, "bad_request", "top_p"),
        ({"prompt": "x", "device": "cuda:9"}, "device_unavailable", "cuda:9"),
    ],
)
def test_a_bad_request_is_answered_and_the_process_lives(
    prompter: Prompter, folder: Path, request_: dict[str, Any], code: str, told: str
) -> None:
    error = prompter.generate(10, folder, **request_)[-1]
    assert (error["event"], error["data"]["code"]) == ("error", code)
    assert told in error["data"]["message"]
    assert prompter.generate(11, folder, max_new_tokens=1)[-1]["event"] == "done"


def test_a_model_that_is_gone_or_damaged_is_told(prompter: Prompter, folder: Path, tmp_path: Path) -> None:
    error = prompter.generate(12, tmp_path / "nothing")[-1]["data"]
    assert (error["code"], "gone" in error["message"]) == ("model_unavailable", True)
    copy = shutil.copytree(folder, tmp_path / "model")
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    error = prompter.generate(13, copy)[-1]["data"]
    assert "model.safetensors was damaged" in error["message"]


def test_a_folder_without_a_model_is_told(prompter: Prompter, tmp_path: Path) -> None:
    error = prompter.generate(14, tmp_path)[-1]["data"]
    assert error["code"] == "model_unavailable"
    assert error["hint"]
