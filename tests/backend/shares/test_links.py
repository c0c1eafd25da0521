"""Links are signed, end, and can be taken back; their tokens are counted whatever happens at once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from backend.errors import BusyError, ForbiddenError, GoneError, NotFoundError
from backend.schemas.shares import Share
from backend.shares import links
from backend.shares.links import Shares


@pytest.fixture
def shares(tmp_path: Path) -> Shares:
    return Shares(tmp_path / "shares")


def token_of(share: Share) -> str:
    return share.path.removeprefix("/share/")


def test_a_link_is_found_by_its_token_also_after_a_restart(shares: Shares, tmp_path: Path) -> None:
    share = shares.add("run", "20261129-101010-abcd", 3600, 100)
    assert Shares(tmp_path / "shares").find(token_of(share)) == share
    assert (share.kind, share.target, share.expired, share.used_tokens) == ("run", "20261129-101010-abcd", False, 0)
    assert shares.all() == [share]
    assert stat.S_IMODE((tmp_path / "shares" / "key").stat().st_mode) == 0o600


def test_no_other_token_is_taken(shares: Shares, tmp_path: Path) -> None:
    share = shares.add("run", "some", 3600, 100)
    share_id, expires, signature = token_of(share).split(".")
    elsewhere = Shares(tmp_path / "elsewhere")
    elsewhere.add("run", "some", 3600, 100)
    for wrong in (
        "",
        share_id,
        f"{share_id}.{int(expires) + 1}.{signature}",
        f"{share_id[:-1]}{'0' if share_id[-1] != '0' else '1'}.{expires}.{signature}",
        f"{share_id}.{expires}.{signature[:-2]}AA",
        f"{share_id}.{expires}.{signature}x",
        f"../key.{expires}.{signature}",
        f"{share_id}.٣.{signature}",
        "\0" * 70,
    ):
        with pytest.raises(NotFoundError):
            shares.find(wrong)
    with pytest.raises(NotFoundError):
        elsewhere.find(token_of(share))


def test_a_link_ends(shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    share = shares.add("model", "run:x", 60, 100)
    assert shares.find(token_of(share))
    later = links.time.time() + 61
    monkeypatch.setattr(links.time, "time", lambda: later)
    with pytest.raises(GoneError, match="expired"):
        shares.find(token_of(share))
    assert shares.all()[0].expired


def test_a_link_can_be_taken_back(shares: Shares) -> None:
    share, other = shares.add("model", "run:x", 60, 100), shares.add("model", "run:x", 60, 100)
    shares.remove(share.id)
    with pytest.raises(GoneError, match="taken back"):
        shares.find(token_of(share))
    assert shares.find(token_of(other))
    for unknown in (share.id, "../key", "key", ""):
        with pytest.raises(NotFoundError):
            shares.remove(unknown)


def test_tokens_are_counted_and_never_exceeded(shares: Shares, tmp_path: Path) -> None:
    share = shares.add("model", "run:x", 60, max_tokens=100)
    first = shares.begin(share, 80)
    second = shares.begin(share, 80)
    assert (first, second) == (80, 20)
    with pytest.raises(BusyError):
        shares.begin(share, 1)
    shares.end(share, first, 30)
    assert shares.all()[0].used_tokens == 30
    assert shares.begin(share, 80) == 50, "20 are kept for the one that is being written"
    shares.end(share, 50, 50)
    shares.end(share, second, 20)
    assert Shares(tmp_path / "shares").all()[0].used_tokens == 100
    with pytest.raises(ForbiddenError, match="used up"):
        shares.begin(share, 1)


def test_a_link_that_is_taken_back_while_its_model_writes_stays_so(shares: Shares) -> None:
    share = shares.add("model", "run:x", 60, 100)
    granted = shares.begin(share, 10)
    shares.remove(share.id)
    shares.end(share, granted, 10)
    assert shares.all() == []
