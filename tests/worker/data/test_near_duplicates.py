"""Near-duplicates: planted ones are found, no others are, and they stay on one side of a split by group."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planted import Planted, changed, planted, words
from worker.contract import DatasetSource, Reading
from worker.data import group_store, near_duplicates
from worker.data.corpus import Corpus
from worker.data.formats import Chat, Completion, Message, silent
from worker.data.near_duplicates import IN_COMMON, find, words_in_order, words_of
from worker.data.split import places_of
from worker.errors import StopRequested


def as_file(folder: Path, texts: list[str]) -> DatasetSource:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return DatasetSource(path=str(path), format="jsonl", reading=Reading(text="text"))


@pytest.mark.parametrize(("shortest", "longest"), [(20, 90), (6, 20), (300, 400)])
def test_planted_near_duplicates_are_found_and_no_others(tmp_path: Path, shortest: int, longest: int) -> None:
    made = planted(2000, 400, shortest=shortest, longest=longest)
    found = find(as_file(tmp_path, made.texts), None)
    pairs = {tuple(pair) for pair in found.pairs.tolist()}
    wanted = {(min(pair), max(pair)) for pair in made.pairs}
    precision, recall = len(pairs & wanted) / len(pairs), len(pairs & wanted) / len(wanted)
    print(f"\n{shortest} to {longest} words: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.98
    assert recall >= 0.95


def test_forms_filled_in_are_alike_and_not_the_same(tmp_path: Path) -> None:
    """Any two have 70% of their words in common: MinHash names them, and their words decide."""
    draw = random.Random(0)
    form = [f"form{number}" for number in range(40)]
    texts = []
    for first in range(3):
        filled = list(form)
        filled[first::7] = [f"filled{draw.random()}" for _ in filled[first::7]]
        texts.append(" ".join(filled))
    assert len(find(as_file(tmp_path, texts), None).pairs) == 0
    assert words_in_order(texts[0].split(), texts[1].split()) / 40 == pytest.approx(0.7, abs=0.05)


def groups_by_comparing_all(texts: list[str]) -> set[frozenset[int]]:
    """The plain way: every pair, by the table that textbooks fill for the longest common subsequence."""
    group = [{number} for number in range(len(texts))]
    for one, two in combinations(range(len(texts)), 2):
        first, second = texts[one].split(), texts[two].split()
        if common_by_table(first, second) >= IN_COMMON * max(len(first), len(second)):
            joined = group[one] | group[two]
            for member in joined:
                group[member] = joined
    return {frozenset(members) for members in group if len(members) > 1}


def common_by_table(first: list[str], second: list[str]) -> int:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for row, word in enumerate(first, 1):
        for column, other in enumerate(second, 1):
            longest = max(table[row - 1][column], table[row][column - 1])
            table[row][column] = table[row - 1][column - 1] + 1 if word == other else longest
    return table[-1][-1]


def test_groups_are_those_of_comparing_every_pair(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = [" ".join(words(draw, draw.randint(20, 40))) for _ in range(40)]
    for _ in range(3):  # chains: what is like a text that is like a third one
        texts += [changed(text, draw.uniform(0.02, 0.15), draw) for text in texts[:30]]
    texts = list(dict.fromkeys(texts))
    found = find(as_file(tmp_path, texts), None)
    shared = found.groups.of(places_of(texts))
    grouped = np.flatnonzero(shared != places_of(texts))
    ours = {frozenset(np.flatnonzero(shared == shared[row]).tolist()) for row in grouped}
    assert ours == groups_by_comparing_all(texts)
    assert max(map(len, ours)) > 2


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcde")))
def test_words_in_order_are_the_longest_common_subsequence(first: list[str], second: list[str]) -> None:
    assert words_in_order(first, second) == common_by_table(first, second)


def test_what_is_compared() -> None:
    assert words_of("One TWO,  (three) self.name -- don't!") == ["one", "two", "three", "self.name", "don't"]
    assert words_of("今日は good 天気") == ["今", "日", "は", "good", "天", "気"]
    assert words_of(" ?! ") == ["?!"]
    assert words_of(Completion("What?", "That.")) == ["what", "that"]
    chat = Chat((Message("system", "You are kind."), Message("user", "Hi"), Message("assistant", "Hello")))
    assert words_of(chat) == ["user", "hi", "assistant", "hello"]


def test_one_row_one_text_and_texts_without_words(tmp_path: Path) -> None:
    for texts in (["alone"], ["same"] * 5, ["?", "!", "..."]):
        found = find(as_file(tmp_path, texts), None)
        assert (len(found.pairs), found.groups.of(places_of(texts)).tolist()) == (0, places_of(texts).tolist())


@pytest.fixture
def leaky(tmp_path: Path) -> tuple[DatasetSource, Planted]:
    made = planted(600, 200)
    return as_file(tmp_path, made.texts), made


def leaks(corpus: Corpus, made: Planted) -> int:
    is_test = corpus.split.is_test(made.texts)
    return sum(is_test[one] != is_test[two] for one, two in made.pairs)


def test_planted_leaks_are_gone_after_the_split_by_group(leaky: tuple[DatasetSource, Planted]) -> None:
    source, made = leaky
    groups = find(source, None).groups
    alone, together = Corpus.read(source, 0.2), Corpus.read(source, 0.2, groups=groups)
    assert leaks(alone, made) > 40
    assert leaks(together, made) <= 2  # of pairs that were not found
    assert together.split.test_texts == pytest.approx(120, abs=35)
    members = groups.of(places_of(made.texts)) != places_of(made.texts)
    lone = [text for text, member in zip(made.texts, members, strict=True) if not member]
    assert (alone.split.is_test(lone) == together.split.is_test(lone)).all()


def test_a_group_of_more_than_half_of_all_texts_is_learned_from(tmp_path: Path) -> None:
    draw = random.Random(0)
    form = words(draw, 40)
    texts = [" ".join([*form, *words(draw, 3)]) for _ in range(80)] + [" ".join(words(draw, 40)) for _ in range(20)]
    source = as_file(tmp_path, texts)
    corpus = Corpus.read(source, 0.5, groups=find(source, None).groups)
    assert not corpus.split.is_test(texts[:80]).any()
    assert corpus.split.is_test(texts[80:]).any()


def test_a_worker_that_goes_on_has_the_groups_of_the_one_before(
    leaky: tuple[DatasetSource, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = leaky
    before = group_store.ensure(tmp_path, 0, source, None, silent)
    monkeypatch.setattr(group_store, "find", lambda *_: pytest.fail("they were looked for again"))
    again = group_store.ensure(tmp_path, 0, source, None, silent)
    assert (again.places.tolist(), again.shared.tolist()) == (before.places.tolist(), before.shared.tolist())
    monkeypatch.undo()
    Path(source.path).write_text(Path(source.path).read_text() + '{"text": "one more"}\n')
    (tmp_path / "groups" / "groups.npz").write_bytes(b"damaged")
    assert group_store.ensure(tmp_path, 0, source, None, silent).shared.tolist() == before.shared.tolist()
    group_store.discard(tmp_path)
    assert not (tmp_path / "groups").exists()


def test_looking_can_be_stopped(leaky: tuple[DatasetSource, Planted]) -> None:
    source, _ = leaky
    size, calls = Path(source.path).stat().st_size, 0

    def progress(bytes_read: int) -> None:
        nonlocal calls
        calls += bytes_read == size
        if calls > 3:
            raise StopRequested

    with pytest.raises(StopRequested):
        near_duplicates.find(source, None, progress)


MEASURE = """
import sys, time
from pathlib import Path
from worker.contract import DatasetSource, Reading
from worker.data.near_duplicates import find
start = time.monotonic()
find(DatasetSource(path=sys.argv[1], format="jsonl", reading=Reading(text="text")), None)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(time.monotonic() - start, int(peak.split()[1]) / 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak of memory")
def test_a_hundred_thousand_rows_take_seconds_and_little_memory(tmp_path: Path) -> None:
    figures = {}
    for rows in (10_000, 100_000):
        source = as_file(tmp_path, planted(rows, rows // 10).texts)
        done = subprocess.run([sys.executable, "-c", MEASURE, source.path], check=True, capture_output=True, text=True)
        figures[rows] = tuple(map(float, done.stdout.split()))
        print(f"\n{rows:,} rows: {figures[rows][0]:.1f} s, peak {figures[rows][1]:.0f} MB")
    assert figures[100_000][0] < 20
    assert figures[100_000][1] - figures[10_000][1] < 60
