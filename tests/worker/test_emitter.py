from __future__ import annotations

import resource
from pathlib import Path

import pytest

from worker.contract import MessageEvent, StatusEvent, decode
from worker.emitter import Emitter


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


def test_a_full_disk_leaves_no_half_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path)
    emitter.emit(message("fits"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="disk"):
            emitter.emit(message("does not fit"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    emitter.emit(StatusEvent(phase="failed", reason="The disk was full."))
    emitter.close()
    assert [decode(line).seq for line in lines(path)] == [1, 2]
