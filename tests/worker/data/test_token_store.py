from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, GPT2Tokenizer, PreTrainedTokenizerFast

from tests.worker import runs
from worker.contract import TOKENS_DIR, Control, DatasetSource, Job, ModelSource, Reading, RunConfig
from worker.data import token_store
from worker.data.corpus import Corpus, Examples
from worker.data.tokenizer import train_tokenizer
from worker.errors import DataError, StopRequested
from worker.process.control import StopSwitch
from worker.training import preparation


@pytest.fixture(scope="module")
def tokenizer(corpus: list[str]) -> GPT2Tokenizer:
    return train_tokenizer(corpus, vocab_size=400, context=256)


def job_for(dataset: Path) -> Job:
    """A run of the tiny model with all settings as they are by default."""
    source = ModelSource(kind="built_in", location="tiny")
    return Job(run_id="run", config=RunConfig(), model=source, dataset=DatasetSource(path=str(dataset)), device="cpu")


def corpus_of(path: Path, share: float, **reading: Any) -> Corpus:
    return Corpus.read(DatasetSource(path=str(path), reading=Reading(**reading)), share)


def save(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tokenize(tmp_path: Path, tokenizer: GPT2Tokenizer) -> Callable[..., tuple[Examples, Examples]]:
    """Tokenizes texts as a run does; returns the examples of both sides."""

    def make(
        texts: list[str], max_length: int = 64, share: float = 0.0, with_: Any = tokenizer, **reading: Any
    ) -> tuple[Examples, Examples]:
        corpus = corpus_of(save(tmp_path / "texts.txt", texts), share, **reading)
        token_store.ensure(tmp_path, corpus, share, with_, max_length, lambda _: None)
        return token_store.load_tokens(tmp_path)[0]

    return make


Tokenize = Callable[..., tuple[Examples, Examples]]


def test_examples_end_with_end_of_text_and_come_back(tokenize: Tokenize, tokenizer: GPT2Tokenizer) -> None:
    texts = ["Once upon a time.", "Hëllo 🐢!", "x"]
    examples, validation = tokenize(texts)
    assert (len(examples), len(validation)) == (3, 0)
    for index, text in enumerate(texts):
        ids = examples[index].tolist()
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[:-1]) == text
    assert examples.trained.tolist() == [len(examples[index]) - 1 for index in range(3)]


def test_long_examples_are_cut_and_counted(tokenize: Tokenize, tokenizer: GPT2Tokenizer, corpus: list[str]) -> None:
    examples, _ = tokenize([*corpus[:5], "Hi"], max_length=8)
    assert examples.cut == 5
    assert [len(examples[index]) for index in range(5)] == [8] * 5
    assert tokenizer.eos_token_id not in examples[0]
    length = len(tokenizer("Once upon a time")["input_ids"]) + 1  # and the end of the text
    cuts = [tokenize(["Once upon a time"], max_length=most)[0].cut for most in (length - 1, length, length + 1)]
    assert cuts == [1, 0, 0]


def test_an_example_with_nothing_to_predict_is_dropped(tokenize: Tokenize, tokenizer: GPT2Tokenizer) -> None:
    examples, _ = tokenize([tokenizer.eos_token, "some text"], special_tokens=True)
    assert (len(examples), examples.dropped) == (1, 1)


def test_each_text_is_on_its_side_in_the_order_of_the_file(
    tokenize: Tokenize, tokenizer: GPT2Tokenizer, corpus: list[str], tmp_path: Path
) -> None:
    many = [f"{text} {number}" for number in range(11) for text in corpus]  # more than are read at once
    sides = tokenize(many, max_length=256, share=0.2)
    split = corpus_of(tmp_path / "texts.txt", 0.2).split.is_test(many)
    for side, wanted in zip(sides, (False, True), strict=True):
        expected = [text for text, test in zip(many, split, strict=True) if test == wanted]
        assert [tokenizer.decode(side[index][:-1].tolist()) for index in range(len(side))] == expected


def test_each_example_knows_its_row(tokenize: Tokenize, tokenizer: GPT2Tokenizer, tmp_path: Path) -> None:
    texts = ["one", "", tokenizer.eos_token, "two two", " ", "three"]
    learned, tests = tokenize(texts, share=0.3, special_tokens=True)
    places = [(side, index) for side in (learned, tests) for index in range(len(side))]
    found = {int(side.rows[index]): tokenizer.decode(side[index][:-1]) for side, index in places}
    assert found == {1: "one", 4: "two two", 6: "three"}
    (whole, _) = tokenize(["a", "", "b b"])
    turned = whole.taken([1, 0])
    assert turned.rows.tolist() == [3, 1] == turned.in_memory().rows.tolist()


def test_windows_of_a_document_are_of_their_section(tokenize: Tokenize, tokenizer: GPT2Tokenizer, tmp_path: Path) -> None:
    examples, _ = tokenize(["word " * 6000], max_length=16, kind="document")
    rows = examples.rows.tolist()
    assert rows == sorted(rows)
    assert set(rows) == set(range(1, rows[-1] + 1))
    assert 1 < rows[-1] < len(rows)


def test_any_text_survives_a_tokenizer_that_never_saw_it(tokenizer: GPT2Tokenizer) -> None:
    text = "日本語 \x00 \U0001f409 naïve\ttab"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_text_gives_the_same_tokenizer(corpus: list[str]) -> None:
    first, second = (train_tokenizer(corpus, 400, 256).get_vocab() for _ in range(2))
    assert first == second


def test_tokens_are_as_small_as_the_vocabulary_allows(tokenize: Tokenize) -> None:
    assert tokenize(["one two"])[0].tokens.dtype == np.uint16
    vocabulary = {f"w{number}": number for number in range(70_000)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    many = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w1")
    examples, _ = tokenize(["w69999 w65536"], with_=many)
    assert (examples.tokens.dtype, examples[0].tolist()) == (np.int32, [69999, 65536, 1])


def test_what_an_earlier_worker_made_is_used_again_and_only_if_it_still_fits(
    tmp_path: Path, corpus: list[str], tokenizer: GPT2Tokenizer
) -> None:
    path = save(tmp_path / "texts.txt", corpus)
    tokenizer.save_pretrained(tmp_path / "saved")
    other = train_tokenizer(corpus, 300, 256)

    def is_made_anew(share: float = 0.2, with_: Any = tokenizer, max_length: int = 64) -> bool:
        passes: list[int] = []
        token_store.ensure(tmp_path, corpus_of(path, share), share, with_, max_length, passes.append)
        return bool(passes)

    save(path, corpus * 11)  # more than are read at once, so that progress is told
    assert is_made_anew()
    assert not is_made_anew()
    assert not is_made_anew(with_=AutoTokenizer.from_pretrained(tmp_path / "saved"))
    assert is_made_anew(with_=other)
    assert is_made_anew(max_length=32, with_=other)
    assert is_made_anew(share=0.3, max_length=32, with_=other)
    save(path, corpus * 12)
    assert is_made_anew(share=0.3, max_length=32, with_=other)
    assert not is_made_anew(share=0.3, max_length=32, with_=other)
    data = tmp_path / TOKENS_DIR / "train.tokens"
    data.write_bytes(data.read_bytes()[:-2] + b"\xff\xff")
    assert is_made_anew(share=0.3, max_length=32, with_=other)
    token_store.discard(tmp_path)
    assert not (tmp_path / TOKENS_DIR).exists()


def test_a_stop_while_tokenizing_leaves_nothing(tmp_path: Path, corpus: list[str], tokenizer: GPT2Tokenizer) -> None:
    def stop(_: int) -> None:
        raise StopRequested

    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with pytest.raises(StopRequested):
        token_store.ensure(run_dir, corpus_of(save(tmp_path / "a.txt", corpus * 6), 0.1), 0.1, tokenizer, 64, stop)
    assert not list(run_dir.iterdir())


def test_a_run_can_be_stopped_while_it_tokenizes(tmp_path: Path, corpus: list[str]) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()

    def stop_before_tokens(event: Any) -> None:
        if event.type == "message" and event.text.startswith("Turning"):
            (run_dir / "control.json").write_text(Control(command="stop").model_dump_json())

    job = job_for(save(tmp_path / "texts.txt", corpus * 6))
    with pytest.raises(StopRequested):
        preparation.prepare(job, run_dir, stop_before_tokens, StopSwitch(run_dir))
    assert not (run_dir / TOKENS_DIR).exists()


def test_a_full_disk_is_told_with_advice_and_leaves_nothing(
    tmp_path: Path, corpus: list[str], tokenizer: GPT2Tokenizer
) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    found = corpus_of(save(tmp_path / "a.txt", corpus), 0.1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # what is written beyond fails; Python ignores SIGXFSZ
    try:
        with pytest.raises(DataError, match="could not be written") as caught:
            token_store.ensure(run_dir, found, 0.1, tokenizer, 64, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Free some space" in (caught.value.hint or "")
    assert not list(run_dir.iterdir())


def test_a_long_preparation_tells_how_far_it_is(tmp_path: Path, corpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def told(lines: list[str]) -> list[str]:
        reported: list[Any] = []
        job = job_for(save(tmp_path / "texts.txt", lines))
        preparation.prepare(job, tmp_path, reported.append, StopSwitch(tmp_path))
        return [event.text for event in reported if event.type == "message" and "%" in event.text]

    many = [f"{text} {number}" for number in range(10) for text in corpus]
    assert not told(many)
    monkeypatch.setattr(preparation, "_SECONDS_BEFORE_PROGRESS", 0.0)
    texts = told([*many, "another"])
    assert {text.split(":")[0] for text in texts} == {"Reading the text", "Turning the text into tokens"}
    assert all(text.endswith(" s left.") for text in texts)


_PEAK = """
import re, sys, pathlib
from worker.data import token_store as tokens
from worker.contract import DatasetSource
from worker.data.corpus import Corpus
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

def own_megabytes():  # memory of this process's own; what is mapped from files can be taken back at any time
    return int(re.search(r"RssAnon:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1e3

words = Tokenizer(models.WordLevel({"unknown": 0, "end": 1}, unk_token="unknown"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="end")  # so simple that it is quick
run_dir = pathlib.Path(sys.argv[1])

def grown(path):
    before = peak = own_megabytes()

    def look(_):
        nonlocal peak
        peak = max(peak, own_megabytes())

    corpus = Corpus.read(DatasetSource(path=str(path)), 0.1, None, look)
    tokens.ensure(run_dir, corpus, 0.1, tokenizer, 64, look)
    ((train, validation),) = tokens.load_tokens(run_dir)
    assert len(train) + len(validation) == corpus.split.texts
    look(0)
    return peak - before

print(*(grown(pathlib.Path(path)) for path in sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    paths = [tmp_path / "small.txt", tmp_path / "large.txt"]
    for path, lines in zip(paths, (5_000, 100_000), strict=True):
        with path.open("w") as file:
            file.writelines(f"{number:0400} some words\n" for number in range(lines))
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(tmp_path), *map(str, paths)], cwd=runs.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    small, large = map(float, done.stdout.split())
    assert large < small + 15, f"{small} and {large} MB, for 2 and 41 MB of text"
