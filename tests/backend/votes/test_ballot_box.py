"""Votes are kept in a file that survives what files go through."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from backend.errors import NotFoundError
from backend.schemas.generation import NewVote, RatedAnswer
from backend.votes.ballot_box import Votes


def a_vote(better: str = "yes", worse: str = "no") -> NewVote:
    return NewVote(prompt="Is it?", chosen=RatedAnswer(model="a", text=better), rejected=RatedAnswer(model="b", text=worse))


def test_votes_are_there_again_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    assert Votes(path).all() == []
    kept = [Votes(path).add(a_vote(text)) for text in ("one", "two\nlines", "drei \u2028 é")]
    assert Votes(path).all() == kept
    Votes(path).remove(kept[1].id)
    assert Votes(path).all() == [kept[0], kept[2]]
    with pytest.raises(NotFoundError):
        Votes(path).remove(kept[1].id)


def test_a_line_cut_short_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    kept = [Votes(path).add(a_vote(text)) for text in ("one", "two")]
    path.write_bytes(path.read_bytes()[:-20])
    kept[1:] = [Votes(path).add(a_vote("three"))]
    assert Votes(path).all() == kept


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "votes.jsonl"
    kept = Votes(path).add(a_vote())
    before = path.read_bytes()

    def full(_: int) -> None:  # no disk of ours can be filled in a test
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        Votes(path).add(a_vote("another"))
    assert (path.read_bytes(), Votes(path).all()) == (before, [kept])
