"""A model's scores on a set are those of training's evaluation, and what transformers' own losses make by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tests.worker import designs, runs
from tests.worker.generation.test_text_stream import KINDS
from worker.contract import DatasetSource, Job, ModelSource, Reading
from worker.data.tokenizer import train_tokenizer
from worker.errors import DataError
from worker.evaluations import measure
from worker.evaluations.measure import scores_of
from worker.evaluations.wanted import EvaluatedSet, Evaluation
from worker.models.loading import LanguageModel, load_model


def say(text: str, share: float | None) -> None:
    assert text
    assert share is None or 0 <= share <= 1


def evaluated(model: LanguageModel, wanted: EvaluatedSet, **changes: Any) -> dict[str, Any]:
    model.model.eval()
    source = ModelSource(kind="folder", location="here")
    settings = {"id": 1, "op": "evaluate", "model": source, "sets": [wanted], "max_length": 64, **changes}
    return scores_of(model, wanted, Evaluation(**settings), say)


def loaded(folder: Path) -> LanguageModel:
    return load_model(ModelSource(kind="folder", location=str(folder)))


def test_a_runs_model_on_its_validation_split_has_the_loss_of_its_last_evaluation(finished_run: Path) -> None:
    job = Job.model_validate_json((finished_run / "config.json").read_bytes())
    last = runs.events(finished_run, "evaluation")[-1]
    precision = next(event.precision for event in runs.events(finished_run, "status") if event.precision)
    found = evaluated(loaded(finished_run / "model"), EvaluatedSet(id="own", job=job, precision=precision))
    assert found["loss"] == pytest.approx(last.loss, abs=1e-4)
    assert found["perplexity"] == pytest.approx(last.perplexity, rel=1e-4)
    whole = evaluated(loaded(finished_run / "model"), EvaluatedSet(id="all", source=job.dataset), max_length=256)
    assert whole["loss"] != pytest.approx(last.loss, abs=1e-4)
    assert whole["examples"] > 5 * found["examples"]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [
        f"The little {animal} saw a {thing} by the river. “Hé!” it said."
        for animal in ("fox", "owl", "hen")
        for thing in ("boat", "stone")
    ]


def gpt2(tokenizer: Any) -> LanguageModel:
    model = designs.make("gpt2", vocab_size=len(tokenizer), n_positions=256)
    return LanguageModel(model.eval(), tokenizer, 256)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({"<end>": 0, **{sign: number for number, sign in enumerate(alphabet, 1)}}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")


def by_hand(model: LanguageModel, text: str) -> tuple[float, int]:
    """What lm-eval makes bits per byte of: the log-likelihood of the text in nats, and its bytes; both of what follows the
    first token, before which nothing stands."""
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    with torch.inference_mode():
        loss = model.model(input_ids=ids, labels=ids).loss
    return -float(loss) * (ids.shape[1] - 1), len(text.encode()) - len(model.tokenizer.decode(ids[0, :1]).encode())


@pytest.mark.parametrize("kind", ["bytes", "BPE"])
def test_bits_per_byte_are_lm_evals(kind: str, texts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    model = gpt2(byte_tokenizer() if kind == "bytes" else train_tokenizer(texts, 400, 256))
    found = evaluated(model, EvaluatedSet(id="texts", source=DatasetSource(path=str(path))), max_length=256)
    nats, sizes = zip(*(by_hand(model, text) for text in texts), strict=True)
    assert found["bytes"] == sum(sizes)
    assert found["bits_per_byte"] == pytest.approx(-sum(nats) / sum(sizes) / math.log(2), rel=1e-5)
    assert found["tokens"] == sum(len(model.tokenizer(text)["input_ids"]) for text in texts), "each one's end is scored too"
    if kind == "bytes":  # an untrained model finds all bytes about equally likely
        assert found["bits_per_byte"] == pytest.approx(8, abs=0.3)


def test_with_a_mark_of_the_beginning_the_whole_text_is_scored(tmp_path: Path) -> None:
    """Llama 2's tokenizer writes such a mark, and a blank after it that is not in the text."""
    tokenizer = KINDS["byte fallback, Llama 2"]()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    texts = ["the cat", "a tea 語", "日 cat"]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    found = evaluated(gpt2(tokenizer), EvaluatedSet(id="texts", source=DatasetSource(path=str(path))))
    assert found["bytes"] == sum(len(text.encode()) for text in texts)


def test_only_answers_are_scored(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n} + {n}?", "completion": f"It is {n + n}."} for n in range(9)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = gpt2(train_tokenizer([" ".join(row.values()) for row in rows], 300, 256))
    reading = Reading(kind="completion", prompt="prompt", completion="completion")
    source = DatasetSource(path=str(path), format="jsonl", reading=reading)
    found = evaluated(model, EvaluatedSet(id="pairs", source=source))
    total, size, tokens = 0.0, 0, 0
    for row in rows:
        ids = model.tokenizer(f"{row['prompt']} {row['completion']}")["input_ids"] + [model.tokenizer.eos_token_id]
        asked = len(model.tokenizer(row["prompt"])["input_ids"])
        with torch.inference_mode():
            logprobs = model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        nats = -logprobs[:-1].gather(1, torch.tensor(ids)[1:, None])[asked - 1 :, 0]
        total, size, tokens = total + float(nats[:-1].sum()), size + len(f" {row['completion']}"), tokens + len(nats)
    assert (found["bytes"], found["tokens"]) == (size, tokens)
    assert found["bits_per_byte"] == pytest.approx(total / size / math.log(2), rel=1e-5)


def test_a_chat_is_put_in_the_form_that_training_puts_it_in(tmp_path: Path) -> None:
    chats = [
        [{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": f"{word}, my friend."}]
        for word in ("one", "two", "three", "four")
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    model = gpt2(train_tokenizer([str(chat) for chat in chats], 300, 256))
    source = DatasetSource(path=str(path), format="jsonl", reading=Reading(kind="chat", messages="messages"))
    found = evaluated(model, EvaluatedSet(id="chats", source=source))
    assert evaluated(model, EvaluatedSet(id="chats", source=source)) == {**found, "seconds": ANY}
    assert found["bytes"] == sum(len(f" {chat[1]['content']}\n") for chat in chats)
    assert any("no chat format" in note for note in found["notes"])


def test_a_limit_takes_the_first_rows_and_what_is_cut_is_told(texts: list[str], tmp_path: Path) -> None:
    path, first = tmp_path / "texts.txt", tmp_path / "first.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    first.write_text("\n".join(texts[:2]), encoding="utf-8")
    model = gpt2(train_tokenizer(texts, 300, 256))
    whole = EvaluatedSet(id="texts", source=DatasetSource(path=str(path)))
    limited = evaluated(model, whole, limit=2)
    alone = evaluated(model, EvaluatedSet(id="texts", source=DatasetSource(path=str(first))))
    assert {**limited, "seconds": 0} == {**alone, "seconds": 0}
    cut = evaluated(model, whole, max_length=8)
    assert cut["tokens"] == 7 * len(texts)
    assert "6 of 6 rows are longer than 8 tokens" in cut["notes"][0]


def test_rows_come_in_parts_and_the_result_stays(texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts * 9), encoding="utf-8")
    model = gpt2(train_tokenizer(texts, 300, 256))
    wanted = EvaluatedSet(id="texts", source=DatasetSource(path=str(path)))
    once = evaluated(model, wanted)
    monkeypatch.setattr(measure, "_ROWS_AT_ONCE", 4)
    parts = evaluated(model, wanted)
    assert parts["loss"] == pytest.approx(once["loss"], rel=1e-6)
    assert parts["bytes"] == once["bytes"]
    assert np.isclose(parts["accuracy"], once["accuracy"])


def test_a_run_that_keeps_nothing_aside_is_told(tmp_path: Path, finished_run: Path) -> None:
    path = tmp_path / "same.txt"
    path.write_text("The same line.\n" * 20)
    job = Job.model_validate_json((finished_run / "config.json").read_bytes())
    job = job.model_copy(update={"dataset": DatasetSource(path=str(path))})
    with pytest.raises(DataError, match="nothing aside"):
        evaluated(loaded(finished_run / "model"), EvaluatedSet(id="own", job=job))
