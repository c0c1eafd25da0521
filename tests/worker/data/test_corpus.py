from __future__ import annotations

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.worker.texts import split_texts
from worker.contract import DatasetSource, Job, ModelSource, RunConfig
from worker.data import split as data
from worker.data.corpus import Corpus
from worker.data.split import find_split
from worker.errors import DataError


def source(path: Path) -> DatasetSource:
    return DatasetSource(path=str(path))


@pytest.mark.parametrize(
    ("content", "told"), [(b"good\nb\xffd\n", "Line 2"), (b"", "no text"), (b" \n\n", "no text"), (None, "gone")]
)
def test_unreadable_data_is_told_in_a_sentence(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        Corpus.read(source(path), 0.1)
    assert caught.value.hint


def test_a_part_of_a_corpus_knows_which_part_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"line {number:095}" for number in range(20_000)))
    part = Corpus.read(source(path), 0.1, most_characters=500_000)
    assert sum(len(chunk.rows) for chunk, _ in part.chunks()) == part.split.texts
    assert part.split.texts == pytest.approx(5000, rel=0.25)
    assert part.share == pytest.approx(part.split.texts / 20_000, rel=0.1)


def test_a_corpus_knows_its_digest_and_gives_the_texts_of_each_side(corpus: list[str], dataset: Path) -> None:
    found = Corpus.read(source(dataset), 0.2)
    learn, test = split_texts(corpus, 0.2)
    assert found.sha256 == hashlib.sha256(dataset.read_bytes()).hexdigest()
    assert (found.share, found.split.texts, found.split.test_texts) == (1.0, len(corpus), len(test))
    assert list(found.learn_texts()) == learn


def test_split_is_about_the_share_and_loses_nothing(corpus: list[str]) -> None:
    train, test = split_texts(corpus, 0.2)
    assert sorted(train + test) == sorted(corpus)
    assert 20 <= len(test) <= 60


def test_duplicates_fall_on_one_side() -> None:
    texts = [f"text {n % 50}" for n in range(500)]
    train, test = split_texts(texts, 0.3)
    assert test
    assert not set(train) & set(test)


def test_added_lines_move_nothing_across(corpus: list[str]) -> None:
    _, test = split_texts(corpus, 0.2)
    _, test_of_half = split_texts(corpus[:100], 0.2)
    assert set(test_of_half) == set(test) & set(corpus[:100])


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_neither_side_is_empty_with_two_texts(count: int, share: float) -> None:
    for start in range(30):
        train, test = split_texts([f"{start} {n}" for n in range(count)], share)
        assert train
        assert test


def test_no_test_side_without_a_share_or_a_second_text() -> None:
    assert split_texts(["a", "b"], 0) == (["a", "b"], [])
    assert split_texts(["a", "a"], 0.5) == (["a", "a"], [])


def test_a_line_repeated_all_over_does_not_take_the_test_side() -> None:
    learn, test = split_texts(["good"] * 999 + ["bad"], 0.1)
    assert (set(learn), test) == ({"good"}, ["bad"])


def _place(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def split_with_all_texts_at_hand(texts: list[str], share: float) -> set[str]:
    """The same rule the plain way: texts in the order of their places, each taken while it is below the share and fits."""
    unique = sorted(set(texts), key=_place)
    lines, room, test = Counter(texts), len(texts) / 2, set[str]()
    if share == 0 or len(unique) < 2:
        return test
    for text in unique:
        if test and _place(text) >= share:
            break
        if lines[text] <= room:
            test.add(text)
            room -= lines[text]
    return test


def test_the_split_of_a_stream_is_that_of_all_texts_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_COUNT_AT_ONCE", 7)
    draw = random.Random(0)
    for number in range(1500):
        different = draw.choice([1, 2, 3, 10, 60])
        favour = draw.choice([0.0, 0.0, 0.5, 0.9])  # how often one text stands in place of another
        texts = [
            f"{number} {0 if draw.random() < favour else draw.randrange(different)}" for _ in range(draw.randrange(1, 120))
        ]
        share = draw.choice([0, 0.001, 0.1, 0.3, 0.5, 0.5])
        size = draw.choice([1, 5, 1000])
        split = find_split(lambda: (texts[start : start + size] for start in range(0, len(texts), size)), share)  # noqa: B023
        expected = split_with_all_texts_at_hand(texts, share)
        assert {text for text, test in zip(texts, split.is_test(texts), strict=True) if test} == expected, (texts, share)
        assert (split.texts, split.test_texts) == (len(texts), sum(text in expected for text in texts))


def test_rows_that_are_excluded_are_nowhere_and_the_others_keep_side_and_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("".join(f"row number {number}\n" for number in range(1, 201)))

    def seen(**config: Any) -> dict[int, tuple[str, bool]]:
        job = Job(
            run_id="run", config=RunConfig(**config), model=ModelSource(kind="built_in", location="tiny"),
            dataset=DatasetSource(path=str(path)),
        )  # fmt: skip
        corpus = Corpus.read(job.dataset, 0.2)
        return {
            number: (text, bool(test))
            for chunk, is_test in corpus.chunks()
            for number, text, test in zip(chunk.numbers, chunk.rows, is_test, strict=True)
        }

    whole, part = seen(), seen(exclude_rows=[3, 7, 200, 3, 5000])
    assert len(whole) == 200
    assert part == {number: row for number, row in whole.items() if number not in (3, 7, 200)}
