from __future__ import annotations

from pathlib import Path

import pytest
from transformers import GPT2Tokenizer

from worker.data import read_lines, split_texts, tokenize
from worker.errors import DataError
from worker.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    return train_tokenizer(corpus, vocab_size=400, context=256)


def test_lines_are_stripped_and_empty_ones_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\n  two \n\t\nthree".encode())
    assert read_lines(path) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("content", "told"), [(b"good\nb\xffd\n", "Line 2"), (b"", "no text"), (b" \n\n", "no text"), (None, "gone")]
)
def test_unreadable_data_is_told_in_a_sentence(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        read_lines(path)
    assert caught.value.hint


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


def test_examples_end_with_end_of_text_and_come_back(tokenizer: GPT2Tokenizer) -> None:
    texts = ["Once upon a time.", "Hëllo 🐢!", "x"]
    examples = tokenize(texts, tokenizer, max_length=64)
    assert len(examples) == 3
    for index, text in enumerate(texts):
        ids = examples[index].tolist()
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[:-1]) == text
    assert examples.trained.tolist() == [len(examples[index]) - 1 for index in range(3)]


def test_long_examples_are_cut_and_counted(tokenizer: GPT2Tokenizer, corpus: list[str]) -> None:
    examples = tokenize([*corpus[:5], "Hi"], tokenizer, max_length=8)
    assert examples.cut == 5
    assert [len(examples[index]) for index in range(5)] == [8] * 5
    assert tokenizer.eos_token_id not in examples[0]


def test_an_example_with_nothing_to_predict_is_dropped(tokenizer: GPT2Tokenizer) -> None:
    examples = tokenize(["", "some text"], tokenizer, max_length=64)
    assert (len(examples), examples.dropped) == (1, 1)


def test_tokens_do_not_depend_on_the_chunk(tokenizer: GPT2Tokenizer, corpus: list[str]) -> None:
    many = tokenize(corpus * 11, tokenizer, max_length=64)
    once = tokenize(corpus, tokenizer, max_length=64)
    assert many.tokens.tolist() == once.tokens.tolist() * 11


def test_any_text_survives_a_tokenizer_that_never_saw_it(tokenizer: GPT2Tokenizer) -> None:
    text = "日本語 \x00 \U0001f409 naïve\ttab"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_text_gives_the_same_tokenizer(corpus: list[str]) -> None:
    first, second = (train_tokenizer(corpus, 400, 256).get_vocab() for _ in range(2))
    assert first == second


def test_a_line_repeated_all_over_does_not_take_the_test_side() -> None:
    learn, test = split_texts(["good"] * 999 + ["bad"], 0.1)
    assert (set(learn), test) == ({"good"}, ["bad"])
