"""A run that needs the GPU gets it at once, whatever writes or evaluates there; and what does goes on without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import openai
import psutil
import pytest
from httpx_sse import connect_sse

from tests.serving import Server, pretend_gpus, worker_of
from tests.worker.designs import save

LINES = "The little fox went home.\nThe old owl saw a hen.\n"


@pytest.fixture
def server(start_server: Callable[..., Server], tmp_path: Path) -> Server:
    """One that takes this machine for one with a GPU. What is asked to compute where it likes takes the processor here."""
    texts = tmp_path / "texts.txt"
    texts.write_text(LINES)
    save("llama", tmp_path / "data" / "models" / "endless", texts, max_position_embeddings=50_000)
    return start_server(pretend_gpus(tmp_path, 1))


def helper_of(server: Server, module: str) -> psutil.Process:
    return next(each for each in psutil.Process(server.process.pid).children() if module in each.cmdline())


class Writing:
    """A text without an end, as OpenAI's client reads it."""

    def __init__(self, server: Server) -> None:
        self.begun = Event()
        self.tokens = 0
        self.text = ""
        self.asked: dict[str, Any] = {"model": "local:endless", "prompt": "The fox", "logit_bias": {"0": -100}, "seed": 3}
        self.client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120)

    def read(self) -> str:
        """What the client says once it breaks off."""
        try:
            for chunk in self.client.completions.create(**self.asked, max_tokens=40_000, stream=True):
                self.text += chunk.choices[0].text
                self.tokens += 1
                if self.tokens == 20:
                    self.begun.set()
        except openai.APIError as error:
            return error.message
        return "it ended"

    def read_again(self) -> str:
        """As many tokens, from the beginning."""
        return self.client.completions.create(**self.asked, max_tokens=self.tokens).choices[0].text


def follow(server: Server, evaluation_id: str, until: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The evaluation once ``until`` holds."""
    client = httpx.Client(base_url=server.url, timeout=120)
    with client, connect_sse(client, "GET", f"/api/evaluations/{evaluation_id}/stream") as source:
        return next(found for each in source.iter_sse() if until(found := each.json()))


def test_a_run_gets_the_gpu_at_once_and_nothing_is_lost(server: Server) -> None:
    evaluation = server.client.post("/api/evaluations", json={"models": ["local:endless"], "datasets": ["sample"]}).json()[
        "id"
    ]
    writing = Writing(server)
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(writing.read)
        assert writing.begun.wait(60)
        follow(server, evaluation, lambda found: found["progress"] and found["progress"]["dataset"])
        writer, evaluator = helper_of(server, "worker.generation"), helper_of(server, "worker.evaluations")

        asked = time.monotonic()
        run = server.create(device="cuda:0")["id"]
        worker = worker_of(server, run)
        took = time.monotonic() - asked
        worker.suspend()  # it would find that there is no GPU
        print(f"The run's worker was there {took:.2f} s after it was asked for.")
        assert took < 15, "5 s on a machine with nothing else to do"
        assert not writer.is_running()
        assert not evaluator.is_running()
        assert said.result(60).startswith("A run needs the GPU, so this broke off. Ask again")

    assert writing.tokens >= 20
    assert writing.read_again().startswith(writing.text), (
        "what had come was whole, and texts are written while the run has the GPU"
    )
    ended = follow(server, evaluation, lambda found: found["status"] == "completed")
    (cell,) = ended["cells"]
    assert cell["error"] is None
    assert cell["scores"]["tokens"] > 0
    assert server.run(run)["status"] == "starting"
