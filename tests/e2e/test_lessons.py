"""The lessons' runs, through the API as the page starts them: each ends as it says, and in time.

What a lesson does and how it is read stands in frontend/js/stores/learn/lessons.js alone; node is asked for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.node import asked
from tests.serving import Server

NAMES = ["learning_rate_too_high", "overfitting", "no_warmup", "accumulation", "more_data", "base_and_tuned"]
SEEDS = [42, 1, 2, 3, 4]
MOST_SECONDS = 90
"""On a machine of two cores that does nothing else; it is printed and not asserted, as a busy one takes longer."""
MODULES = {"lessons": "stores/learn/lessons.js", "texts": "stores/learn/lesson-texts.js"}
FIND = "lessons.LESSONS.find(({ name }) => name === given.name)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all lessons, with as many threads as the machine has: what a reader's own would use."""
    server = Server(tmp_path_factory.mktemp("lessons") / "data", {"OMP_NUM_THREADS": str(os.cpu_count())})
    yield server
    server.stop()
    server.kill_workers()


def test_every_lesson_is_tried() -> None:
    assert asked("lessons.LESSONS.map(({ name }) => name)", **MODULES) == NAMES


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_ends_as_predicted(server: Server, capsys: pytest.CaptureFixture[str], name: str, seed: int) -> None:
    began = time.monotonic()
    lesson = asked(FIND, {"name": name}, **MODULES)
    datasets = {text: uploaded(server, text) for text in asked(f"lessons.textsOf({FIND})", {"name": name}, **MODULES)}
    runs: list[str] = []
    results: list[dict[str, Any]] = []
    for number in range(len(lesson["runs"])):
        given = {"name": name, "number": number, "datasets": datasets, "runs": runs, "seed": seed}
        expression = f"lessons.configOf({FIND}.runs[given.number].config, given.datasets, given.runs, given.seed)"
        run = server.create(**asked(expression, given, **MODULES))
        assert server.end(run["id"])["status"] == "completed"
        runs.append(run["id"])
        results.append(result(server, run["id"]))
    answer, told = asked(
        f"(() => {{ const lesson = {FIND}; return [lesson.answer(given.results), lesson.tells(given.results)]; }})()",
        {"name": name, "results": results},
        **MODULES,
    )
    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\n{name}, seed {seed}: {answer}, {seconds:.0f} s{' (LONG)' if seconds > MOST_SECONDS else ''}. {told}")
    assert answer == lesson["expected"], told


def uploaded(server: Server, text: str) -> str:
    content = asked("texts.TEXTS[given]()", text, **MODULES)
    response = server.client.post("/api/datasets", files={"file": (f"lesson-{text}.txt", content.encode())})
    assert response.status_code in (200, 201), response.text
    return str(response.json()["id"])


def result(server: Server, run: str) -> dict[str, Any]:
    series = server.client.get(f"/api/series?runs={run}&keys=loss&px=500").json()["items"][0]
    evaluations = server.client.get(f"/api/runs/{run}/events?type=evaluation").json()["items"]
    return dict(
        asked("lessons.resultOf(given.series, given.evaluations)", {"series": series, "evaluations": evaluations}, **MODULES)
    )
