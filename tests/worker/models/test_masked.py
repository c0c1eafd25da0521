"""Data of which only a part is learned: the loss counts that part and nothing else, in every layout and in a whole run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import AutoTokenizer

from tests.worker import designs
from tests.worker.texts import random_examples
from worker.contract import DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.data.batching import Layout, lay_out
from worker.data.corpus import Examples
from worker.data.encoding import PLAIN_CHAT_TEMPLATE
from worker.models.forward import Forward
from worker.models.packing import choose_layout
from worker.process.control import StopSwitch
from worker.training.preparation import prepare

CPU = torch.device("cpu")


def masked_examples(lengths: Sequence[int]) -> Examples:
    """Random texts of which a random part is learned, of one only the last token, of another all."""
    plain = random_examples(lengths, designs.VOCABULARY)
    targets = np.random.default_rng(1).random(len(plain.tokens)) < 0.4
    targets[: plain.ends[0]] = False
    targets[plain.ends[0] - 1] = True
    targets[plain.starts[1] : plain.ends[1]] = True
    targets[plain.starts] = False
    trained = np.array([targets[start:end].sum() for start, end in zip(plain.starts, plain.ends, strict=True)])
    return replace(plain, trained=trained.astype(np.int64), targets=targets)


EXAMPLES = masked_examples([9, 30, 7, 64, 15, 30, 33])


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("design", designs.ALL)
def test_only_learned_tokens_count_in_the_loss_and_the_gradients(layout: Layout, design: str) -> None:
    model: Any = designs.make(design).eval()
    parts = []
    for index in range(len(EXAMPLES)):
        ids = torch.from_numpy(EXAMPLES[index]).long()
        losses = F.cross_entropy(model(ids[None, :-1], use_cache=False).logits[0], ids[1:], reduction="none")
        parts.append(losses[torch.from_numpy(EXAMPLES.learned(index))].sum())
    expected = torch.stack(parts).sum()
    expected_grads = torch.autograd.grad(expected, list(model.parameters()))

    if layout == "packed":
        assert choose_layout(designs.language_model(model), True, "fp32", CPU) == ("packed", None)
    forward = Forward(designs.language_model(model), "fp32")
    batches = lay_out(EXAMPLES, range(len(EXAMPLES)), layout, batch_size=2, max_length=64)
    assert sum(batch.tokens for batch in batches) == EXAMPLES.trained.sum() < EXAMPLES.lengths.sum()
    found = torch.stack([forward(batch) for batch in batches]).sum()

    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for grad, wanted in zip(torch.autograd.grad(found, list(model.parameters())), expected_grads, strict=True):
        assert (grad - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1)


def prepared(path: Path, kind: str, run_dir: Path, **config: Any) -> tuple[Any, list[Any]]:
    """A Trainer of the tiny model on a .jsonl file, and the list its events go to."""
    reading = Reading(kind=kind, text="text", prompt="prompt", completion="completion", messages="messages")
    job = Job(
        run_id="run",
        config=RunConfig(**{"max_length": 64, "max_steps": 3, "eval_steps": 2, **config}),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(path), format="jsonl", reading=reading),
        device="cpu",
    )
    run_dir.mkdir()
    reported: list[Any] = []
    return prepare(job, run_dir, reported.append, StopSwitch(run_dir))[0], reported


def save(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def turns(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def test_a_model_of_conversations_is_asked_and_saved_in_its_form(tmp_path: Path, corpus: list[str]) -> None:
    path = save(tmp_path / "chats.jsonl", [turns(story[:40], story[40:90]) for story in corpus[:40]])
    trainer, reported = prepared(path, "chat", tmp_path / "run", sample_prompts=["Hello"])
    asked: list[str] = []
    embed = trainer.model.get_input_embeddings()
    tokenizer = trainer.setup.language_model.tokenizer
    embed.register_forward_pre_hook(lambda _, inputs: asked.append(tokenizer.decode(inputs[0][0].tolist())))

    assert trainer.train().phase == "completed"

    assert "User: Hello\nAssistant:" in asked
    assert len([event for event in reported if event.type == "sample"]) == 3
    saved = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert saved.chat_template == PLAIN_CHAT_TEMPLATE
    assert saved.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == "User: Hi\n"


def test_rows_with_nothing_to_learn_are_left_out_and_named(tmp_path: Path, corpus: list[str]) -> None:
    records = [{"prompt": story[:20], "completion": story[20:60]} for story in corpus[:20]]
    records[4]["prompt"] = records[11]["prompt"] = " ".join(corpus[:5])  # which leaves no room for an answer
    path = save(tmp_path / "pairs.jsonl", records)
    trainer, reported = prepared(path, "completion", tmp_path / "run", max_length=48)
    assert len(trainer.setup.train) + len(trainer.setup.validation) == 18
    warnings = [event.text for event in reported if getattr(event, "level", "") == "warning"]
    assert any("2 examples were left out" in text and "rows 5, 12." in text for text in warnings), warnings


def test_the_loss_of_a_prompted_run_is_that_of_its_completions(tmp_path: Path, corpus: list[str]) -> None:
    """What the run reports of its untrained model, measured here from the rows by themselves."""
    records = [{"prompt": story[:30], "completion": story[30:70]} for story in corpus[:30]]
    exact = {"max_length": 128, "precision": "fp32"}
    trainer, reported = prepared(save(tmp_path / "a.jsonl", records), "completion", tmp_path / "run", **exact)
    setup = trainer.setup
    trainer._evaluate()
    sums, count = 0.0, 0
    for index in range(len(setup.validation)):
        ids = torch.from_numpy(setup.validation[index].astype(np.int64))
        with torch.no_grad():
            losses = F.cross_entropy(trainer.model(ids[None, :-1]).logits[0], ids[1:], reduction="none")
        learned = torch.from_numpy(setup.validation.learned(index).copy())
        text = setup.language_model.tokenizer.decode(ids[1:][learned])
        assert any(record["completion"] in text for record in records)
        sums, count = sums + float(losses[learned].sum()), count + int(learned.sum())
    loss = next(event.loss for event in reported if event.type == "evaluation")
    assert loss == pytest.approx(sums / count, rel=1e-5)


def test_a_document_is_learned_in_windows_on_both_sides(tmp_path: Path, corpus: list[str]) -> None:
    text = "\n".join(corpus)
    path = tmp_path / "book.txt"
    path.write_text(text)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    job = Job(
        run_id="run",
        config=RunConfig(max_length=32, validation_split=0.2),
        model=ModelSource(kind="built_in", location="tiny"),
        dataset=DatasetSource(path=str(path), reading=Reading(kind="document")),
        device="cpu",
    )
    setup = prepare(job, run_dir, lambda event: None, StopSwitch(run_dir))[0].setup
    assert len(setup.validation) > 3
    assert int(setup.train.lengths.max()) == 31
    assert setup.train.cut == setup.train.dropped == 0
    tokenizer = setup.language_model.tokenizer
    whole = len(tokenizer(text)["input_ids"])
    assert setup.train.trained.sum() + setup.validation.trained.sum() == pytest.approx(whole, rel=0.02)
