"""Datasets learned together: each has its share of the tokens, in its own reading, and nothing that is tested is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import GPT2Tokenizer

from worker.contract import DatasetSource, Job, MixedDataset, ModelSource, Reading, RunConfig
from worker.data import token_store
from worker.data.corpus import Corpus, Examples
from worker.data.mixture import Mixture, mix
from worker.data.tokenizer import train_tokenizer
from worker.errors import DataError

MAX_LENGTH = 64


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    return train_tokenizer(corpus, vocab_size=400, context=256)


def written(path: Path, count: int, words: str, seed: int) -> DatasetSource:
    """A file of ``count`` lines of one to forty words."""
    draw = np.random.default_rng(seed)
    lines = [f"{words} {line} " + " ".join(draw.choice(list("abcdefgh"), draw.integers(1, 40))) for line in range(count)]
    path.write_text("\n".join(lines))
    return DatasetSource(path=str(path))


def asked(path: Path, count: int) -> DatasetSource:
    """Questions and answers, of which only the answers are learned."""
    rows = [f"What is {number} and {number}?\t{'It is ' * (1 + number % 7)}{2 * number}." for number in range(count)]
    path.write_text("\n".join(["prompt\tcompletion", *rows]))
    reading = Reading(kind="completion", prompt="prompt", completion="completion")
    return DatasetSource(path=str(path), format="tsv", reading=reading)


class Made:
    """What a run would make of a mixture."""

    def __init__(
        self, folder: Path, tokenizer: GPT2Tokenizer, dataset: DatasetSource, split: float = 0, **mixed: tuple[Any, float]
    ) -> None:
        self.job = Job(
            run_id="run",
            config=RunConfig(validation_split=split),
            model=ModelSource(kind="built_in", location="tiny"),
            dataset=dataset,
            mixture={name: MixedDataset(source=source, share=share) for name, (source, share) in mixed.items()},
        )
        corpus, *others = (Corpus.read(source, split) for source in self.job.sources)
        corpus = Corpus(**{**vars(corpus), "mixed": tuple(others)})
        token_store.ensure(folder, corpus, split, tokenizer, MAX_LENGTH, lambda _: None)
        self.parts = token_store.load_tokens(folder)

    def mix(self) -> Mixture:
        return mix(self.job, self.parts)


def texts(examples: Examples, tokenizer: GPT2Tokenizer) -> list[str]:
    return [tokenizer.decode(examples[number], skip_special_tokens=True) for number in range(len(examples))]


@pytest.mark.parametrize("shares", [(0.2, 0.3), (0.01, 0.9), (0.5, 0.02)])
def test_each_dataset_has_its_share_of_the_trained_tokens(
    tmp_path: Path, tokenizer: GPT2Tokenizer, shares: tuple[float, float]
) -> None:
    dataset, lines, pairs = (
        written(tmp_path / "a", 400, "Once", 0),
        written(tmp_path / "b", 150, "Then", 1),
        asked(tmp_path / "c", 90),
    )
    made = Made(tmp_path, tokenizer, dataset, b=(lines, shares[0]), c=(pairs, shares[1]))
    found = made.mix()
    trained = int(found.train.trained.sum())
    for part, share in zip(found.taken, (1 - sum(shares), *shares), strict=True):
        assert abs(part.tokens - share * trained) <= MAX_LENGTH / 2  # to the nearest example
    assert sum(part.tokens for part in found.taken) == trained
    assert texts(found.train, tokenizer)[:400] == texts(made.parts[0][0], tokenizer)
    learned = sum(int(found.train.learned(number).sum()) for number in range(len(found.train)))
    assert learned == trained


def test_a_small_one_is_gone_through_as_evenly_as_can_be(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    made = Made(
        tmp_path, tokenizer, written(tmp_path / "a", 300, "Once", 0), b=(written(tmp_path / "b", 20, "Then", 1), 0.5)
    )
    found = made.mix()
    _, counts = np.unique(found.train.starts[300:], return_counts=True)
    assert len(counts) == 20
    assert counts.max() - counts.min() <= 1
    assert counts.min() == int(found.taken[1].passes)


def test_each_is_learned_in_its_own_reading(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    lines, pairs = written(tmp_path / "a", 30, "Once", 0), asked(tmp_path / "c", 30)
    (tmp_path / "mixed").mkdir(), (tmp_path / "alone").mkdir()
    made = Made(tmp_path / "mixed", tokenizer, lines, c=(pairs, 0.4))
    alone = Made(tmp_path / "alone", tokenizer, pairs).parts[0][0]
    ours = made.parts[1][0]
    assert len(ours) == len(alone) == 30
    for number in range(30):
        assert ours[number].tolist() == alone[number].tolist()
        assert ours.learned(number).tolist() == alone.learned(number).tolist()
    assert not ours.learned(0).all()
    assert all(made.parts[0][0].learned(number).all() for number in range(30))


def test_what_is_tested_on_is_learned_from_none(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    dataset = written(tmp_path / "a", 200, "Once", 0)
    copied = tmp_path / "b"
    copied.write_text(Path(dataset.path).read_text() + "\n" + "\n".join(f"And {line} more." for line in range(50)))
    found = Made(tmp_path, tokenizer, dataset, split=0.2, b=(DatasetSource(path=str(copied)), 0.4)).mix()
    learned = set(texts(found.train, tokenizer))
    for test in (found.validation, found.tests["b"]):
        assert len(test)
        assert not learned & set(texts(test, tokenizer))


def test_the_same_seed_takes_the_same_and_another_one_others(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    made = Made(
        tmp_path, tokenizer, written(tmp_path / "a", 30, "Once", 0), b=(written(tmp_path / "b", 200, "Then", 1), 0.5)
    )
    first, again = made.mix().train, made.mix().train
    assert first.starts.tolist() == again.starts.tolist()
    made.job = made.job.model_copy(update={"config": RunConfig(seed=7)})
    assert first.starts.tolist() != made.mix().train.starts.tolist()


def test_of_a_dataset_with_nothing_to_learn_nothing_is_made(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    reading = Reading(kind="completion", prompt="prompt", completion="completion")
    (tmp_path / "a").write_text("prompt\tcompletion\n" + "A long question. " * 90 + "\tNo.\n")
    cut = DatasetSource(path=str(tmp_path / "a"), format="tsv", reading=reading)
    found = Made(tmp_path, tokenizer, cut, b=(written(tmp_path / "b", 30, "Then", 1), 0.5)).mix()
    with pytest.raises(DataError, match="All answers begin beyond"):
        found.train.require_some(MAX_LENGTH)


def test_one_with_nothing_to_learn_is_named(tmp_path: Path, tokenizer: GPT2Tokenizer) -> None:
    (tmp_path / "b").write_text("prompt\tcompletion\n" + "A long question. " * 90 + "\tNo.\n")
    reading = Reading(kind="completion", prompt="prompt", completion="completion")
    cut = DatasetSource(path=str(tmp_path / "b"), format="tsv", reading=reading)
    with pytest.raises(DataError, match="b: no example"):
        Made(tmp_path, tokenizer, written(tmp_path / "a", 30, "Once", 0), b=(cut, 0.5)).mix()
