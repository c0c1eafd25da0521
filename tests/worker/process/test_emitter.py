from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from worker.contract import MessageEvent, StatusEvent, decode
from worker.process.emitter import Emitter


def message(text: str) -> MessageEvent:
    return MessageEvent(level="info", text=text)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_events_are_numbered_from_one_and_dated(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path)
    for text in ("one", "two\nlines", "三"):
        emitter.emit(message(text))
    emitter.close()
    events = [decode(line) for line in lines(path)]
    assert [(event.seq, event.text) for event in events] == [(1, "one"), (2, "two\nlines"), (3, "三")]
    assert all(event.time.endswith("Z") for event in events)


def test_a_log_cut_at_any_byte_goes_on_without_gap(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path)
    for text in ("first", "second", "ünïcode"):
        emitter.emit(message(text))
    emitter.close()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        emitter = Emitter(path)
        assert (emitter.last.seq if emitter.last else 0) == kept
        emitter.emit(message("after"))
        emitter.close()
        events = [decode(line) for line in lines(path)]
        assert [event.seq for event in events] == list(range(1, kept + 2))
        assert path.read_bytes().startswith(b"".join(lines(path)[:kept]))
        assert events[-1].text == "after"


def test_a_tail_of_zeros_after_a_power_cut_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path)
    emitter.emit(message("kept"))
    emitter.close()
    path.write_bytes(path.read_bytes() + b"\0" * 64 + b"\n" + b"\0" * 8)
    emitter = Emitter(path)
    emitter.emit(message("next"))
    emitter.close()
    assert [decode(line).text for line in lines(path)] == ["kept", "next"]


def test_a_log_at_its_limit_holds_no_half_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path)
    emitter.emit(message("fits"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            emitter.emit(message("does not fit"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    emitter.emit(StatusEvent(phase="failed", reason="The disk was full."))
    emitter.close()
    assert [decode(line).seq for line in lines(path)] == [1, 2]


class FullDisk:
    """Takes ``room`` bytes of the log, and of the reserve when that is wanted again; what is deleted makes room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, error: int = errno.ENOSPC, partly: bool = False) -> None:
        self.room, self.waits, self.error, self.partly = room, 0, error, partly
        self.stop_asked, self.freed_after = False, 3
        self._truncate = os.ftruncate
        self._write, self._unlink, self._keep = os.write, Path.unlink, Path.write_bytes
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.truncate)
        monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: self.unlink(path, missing_ok))
        monkeypatch.setattr(Path, "write_bytes", lambda path, data: self.keep(path, data))

    def write(self, fd: int, data: bytes) -> int:
        if len(data) > self.room:
            if self.partly and self.room:
                data, self.room = data[: self.room], 0
                return self._write(fd, data)
            raise OSError(self.error, os.strerror(self.error))
        self.room -= len(data)
        return self._write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        self.room += os.fstat(fd).st_size - size
        self._truncate(fd, size)

    def unlink(self, path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            self.room += path.stat().st_size
        self._unlink(path, missing_ok=missing_ok)

    def keep(self, path: Path, data: bytes) -> int:
        if len(data) > self.room:
            raise OSError(self.error, os.strerror(self.error))
        self.room -= len(data)
        return self._keep(path, data)

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        if self.waits == self.freed_after:
            self.room += 1 << 20
        return self.stop_asked


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("reserved", [True, False], ids=["with reserve", "without"])
def test_a_full_disk_is_waited_out_and_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, partly: bool, reserved: bool
) -> None:
    """Wherever the disk gets full. The disk is made up: a real one is in test_full_disk."""
    for room in range(0, 300, 7):
        path = tmp_path / str(room) / "events.jsonl"
        path.parent.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            disk = FullDisk(patch, room + (1 << 16) if reserved else room, error, partly)
            emitter = Emitter(path, disk.wait)
            assert (path.parent / "events.reserve").exists() == reserved
            waited = [emitter.emit(message(f"event {number}")) for number in range(4)]
            emitter.close()
        events = [decode(line) for line in lines(path)]
        assert [event.seq for event in events] == list(range(1, 7))
        assert waited.count(True) == 1
        full = waited.index(True)
        told = [f"event {number}" for number in range(4)]
        assert [event.text for event in events if event.text in told] == told
        assert events[full + 1].level == "warning"
        assert "The disk is full" in events[full + 1].text
        assert "There is space again" in events[full + 2].text
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert disk.waits == disk.freed_after
        assert list(path.parent.iterdir()) == [path]


def test_the_reserve_lets_the_log_say_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    disk = FullDisk(monkeypatch, 1 << 16)
    seen: list[list[str]] = []

    def wait(seconds: float) -> bool:
        seen.append([decode(line).text for line in lines(path)])
        return disk.wait(seconds)

    Emitter(path, wait).emit(message("the last straw"))
    assert seen[0][0] == "the last straw"
    assert seen[0][1].startswith("The disk is full")


def test_a_stop_ends_the_wait_when_all_is_told_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch, 0)
    disk.stop_asked = True
    emitter = Emitter(tmp_path / "events.jsonl", disk.wait)  # no room for a reserve
    emitter.emit(message("one"))
    assert disk.waits == disk.freed_after, "what has happened is not dropped for a stop"
    (tmp_path / "on").mkdir()
    disk.room, disk.waits, disk.freed_after = 1 << 16, 0, 1000
    emitter = Emitter(tmp_path / "on" / "events.jsonl", disk.wait)
    emitter.emit(message("two"))
    assert disk.waits == 1
    assert len(lines(tmp_path / "on" / "events.jsonl")) == 2


def test_a_disk_that_fails_otherwise_is_no_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch, 1 << 20)
    emitter = Emitter(tmp_path / "events.jsonl", disk.wait)
    disk.room, disk.error = 0, errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        emitter.emit(message("lost"))
    disk.room = 1 << 20
    emitter.emit(message("kept"))
    assert [(decode(line).seq, decode(line).text) for line in lines(tmp_path / "events.jsonl")] == [(1, "kept")]
