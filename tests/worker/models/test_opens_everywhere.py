"""docs/opens-everywhere.md, row by row: what a run leaves is opened by others, and answers as what was trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.worker.peers.peer import PEERS, TRANSFORMERS_4, differences
from worker.contract import DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.models.loading import LanguageModel
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

TALKS = [
    ("Say hi.", "Hello there, old friend."), ("Count.", "One, two and three."), ("Name a colour.", "Green is a colour."),
    ("Bye.", "See you soon."),
]  # fmt: skip
PRE = {"GPT-2": "gpt-2", "Llama 3": "llama-bpe", "Qwen3": "qwen2", "SmolLM2": "gpt-2"}
SHAPES = {
    "GPT-2": "gpt2", "Llama 2": "llama2", "Llama 3": "llama", "Qwen3": "qwen3", "SmolLM2": "smollm2", "Gemma 3": "gemma3",
}  # fmt: skip
"""Opened by every peer, after a full run and one of LoRA, over conversations."""
FURTHER = {
    "Gemma": "gemma", "Gemma 2": "gemma2", "Mistral, a sliding window": "mistral", "Qwen2, YaRN": "qwen2_yarn",
    "Llama 2, linear scaling": "llama_linear", "Qwen3, experts": "qwen3_moe", "Mixtral": "mixtral", "Phi": "phi",
}  # fmt: skip
"""After a short full run over plain text."""
READ_PAST_THEIR_WINDOWS = ("Gemma 2", "Mistral, a sliding window")
FOLDERS = {"full": ["model", "checkpoints/step-000060"], "lora": ["model"]}
ADAPTERS = ["adapter", "checkpoints/step-000060"]

Trained = Callable[..., tuple[Path, LanguageModel]]


@pytest.fixture(scope="module")
def bases(corpus: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bases as transformers 4.57 writes them."""
    folder = tmp_path_factory.mktemp("bases")
    texts = folder / "texts.txt"
    texts.write_text("\n".join([*corpus, "user", "assistant", "system", "model"]), encoding="utf-8")
    TRANSFORMERS_4.run("bases.py", str(folder), str(texts))
    return folder


@pytest.fixture(scope="module")
def trained(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trains the base of a name, each kind once: the run's directory, and the model as it was in the end."""

    @cache
    def train(name: str, method: str, chat: bool, steps: int = 60) -> tuple[Path, LanguageModel]:
        run_dir = tmp_path_factory.mktemp(f"{name}-{method}")
        source = write_data(run_dir, chat)
        rate: dict[str, Any] = {"learning_rate": 4e-3} if method == "full" else {"lora_rank": 16, "learning_rate": 1e-2}
        job = Job(
            run_id="run",
            config=RunConfig(
                model_name="local:base",
                method=method,
                max_steps=steps,
                save_steps=steps,
                batch_size=4,
                max_length=64,
                gradient_accumulation_steps=1,
                sample_prompts=[],
                validation_split=0,
                **rate,
            ),
            model=ModelSource(kind="folder", location=str(bases / name)),
            dataset=source,
            device="cpu",
        )
        trainer, _ = prepare(job, run_dir, lambda event: None, StopSwitch(run_dir))
        trainer.train()
        return run_dir, trainer.setup.language_model

    return train


def write_data(folder: Path, chat: bool) -> DatasetSource:
    """The talks as conversations, or each as a text."""
    if not chat:
        (folder / "talks.txt").write_text("\n".join(" ".join(talk) for talk in TALKS))
        return DatasetSource(path=str(folder / "talks.txt"))
    rows = [{"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": say}]} for ask, say in TALKS]
    (folder / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)))
    reading = Reading(kind="chat", messages="messages")
    return DatasetSource(path=str(folder / "talks.jsonl"), format="jsonl", reading=reading)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_run_over_conversations_leaves_answers_as_what_was_trained(shape: str, peer: str, trained: Trained) -> None:
    asked = PEERS[peer]
    more = {"pre": PRE.get(shape, "")} if peer == "llama.cpp" else {}
    for method, names in FOLDERS.items():
        run_dir, model = trained(SHAPES[shape], method, chat=True)
        folders = [run_dir / name for name in names + (ADAPTERS if method == "lora" and asked.adapters else [])]
        for folder, found in zip(folders, asked.open(folders, chat=True, **more), strict=True):
            assert differences(model, asked, found, chat=True) == [], folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("peer", [name for name in PEERS if name != "llama.cpp"])
@pytest.mark.parametrize("shape", FURTHER)
def test_further_designs_answer_as_what_was_trained(shape: str, peer: str, trained: Trained) -> None:
    if peer == "mlx-lm" and shape in READ_PAST_THEIR_WINDOWS:
        pytest.skip("mlx-lm has no windows for it")
    more = {"attention": "eager"} if (shape, peer) == ("Gemma 2", "transformers 4.57") else {}  # SDPA has no cap there
    run_dir, model = trained(FURTHER[shape], "full", chat=False, steps=3)
    (found,) = PEERS[peer].open([run_dir / "model"], chat=False, **more)
    assert differences(model, PEERS[peer], found, chat=False) == []
