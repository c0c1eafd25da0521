"""Evaluations within a server: who waits for whom, and what a run that needs the GPU does to them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.datasets.store import Datasets
from backend.errors import BusyError
from backend.evaluations import patience, queue
from backend.evaluations.queue import Evaluations
from backend.evaluations.sources import Sources
from backend.models.catalog import Catalog
from backend.schemas.evaluations import Evaluation
from tests.backend.records import Records
from tests.worker.designs import save_small_gpt2

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def evaluations(records: Records, tmp_path: Path) -> Evaluations:
    texts = tmp_path / "texts.txt"
    texts.write_text("The little fox went home.\nThe old owl saw a hen.\n")
    settings = records.settings
    settings.models_dir.mkdir(parents=True)
    save_small_gpt2(settings.models_dir / "small", texts)
    datasets = Datasets(settings.datasets_dir)
    datasets.prepare()
    sources = Sources(Catalog(settings.models_dir, settings.runs_dir), datasets, records.database, settings.runs_dir)
    return Evaluations(settings.data_dir, sources, lambda: set())


async def until(evaluations: Evaluations, evaluation_id: str, wanted: Callable[[Evaluation], Any]) -> Evaluation:
    async for _ in evaluations.watch(evaluation_id):
        if wanted(found := evaluations.get(evaluation_id)):
            return found
    raise AssertionError("it ended before")


@pytest.mark.slow
def test_a_model_that_has_to_leave_the_gpu_begins_anew_on_the_processor(
    evaluations: Evaluations, run_async: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests' machine has no GPU: what is taken for one here is its processor, by another name."""
    devices: list[str] = []
    ask = evaluations._helper.ask

    def asked(order: dict[str, Any]) -> Any:
        devices.append(order["device"])
        return ask(order)

    monkeypatch.setattr(evaluations._helper, "ask", asked)

    async def work() -> None:
        await evaluations.start()
        try:
            made = await evaluations.create(["local:small"], ["sample"], 60)
            await until(evaluations, made.id, lambda found: found.progress and found.progress.dataset)
            await evaluations.leave_gpu()
            found = await until(evaluations, made.id, lambda found: found.status == "completed")
            assert [cell.error for cell in found.cells] == [None]
            assert devices == ["auto", "cpu"]
            await evaluations.leave_gpu()  # nothing is there any more
            other = await evaluations.create(["local:small"], ["sample"], 10)
            await until(evaluations, other.id, lambda found: found.status == "completed")
            assert devices == ["auto", "cpu", "auto"]
        finally:
            await evaluations.stop()

    run_async(work())


@pytest.mark.slow
def test_a_cell_of_which_nothing_is_heard_is_given_up_and_the_others_go_on(
    evaluations: Evaluations, run_async: Run, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = records.settings.models_dir
    shutil.copytree(models / "small", models / "other")

    async def work() -> None:
        await evaluations.start()
        try:
            with monkeypatch.context() as patch:
                patch.setattr(patience, "SILENT_S", 2.0)
                made = await evaluations.create(["local:small", "local:other"], ["sample"], 60)
                await until(evaluations, made.id, lambda found: found.progress and found.progress.dataset)
                process = evaluations._helper._process
                assert process
                psutil.Process(process.pid).suspend()
                await until(evaluations, made.id, lambda found: found.cells)
            found = await until(evaluations, made.id, lambda found: found.status == "completed")
            stuck, done = found.cells
            assert stuck.error
            assert stuck.error.message == "Nothing was heard of it for 2 seconds, so it was given up."
            assert (done.model, done.error) == ("local:other", None)
            assert not psutil.pid_exists(process.pid)
        finally:
            await evaluations.stop()

    run_async(work())


def test_whoever_waits_is_counted_and_can_be_taken_out(
    evaluations: Evaluations, run_async: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_UNFINISHED", 2)

    async def work() -> None:
        await evaluations.start()
        try:
            first = await evaluations.create(["local:small"], ["sample"], None)
            second = await evaluations.create(["local:small"], ["sample"], None)
            with pytest.raises(BusyError):
                await evaluations.create(["local:small"], ["sample"], None)
            await until(evaluations, first.id, lambda found: found.status == "running")
            assert evaluations.get(second.id).status == "queued"
            await evaluations.remove(second.id)
            await evaluations.cancel(first.id)
            await asyncio.wait_for(until(evaluations, first.id, lambda found: found.status == "stopped"), 10)
            assert [each.id for each in evaluations.all()] == [first.id]
        finally:
            await evaluations.stop()

    run_async(work())


def test_a_file_that_is_none_is_passed_over(evaluations: Evaluations, run_async: Run, records: Records) -> None:
    folder = records.settings.data_dir / "evaluations"
    folder.mkdir()
    (folder / "20200101-000000-abcd.json").write_text("{}")

    async def work() -> None:
        await evaluations.start()
        assert evaluations.all() == []
        await evaluations.stop()

    run_async(work())
