"""What is asked of a worker while it works."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.worker.runs import ask
from worker.errors import StopRequested
from worker.process.control import StopSwitch


def test_nothing_asked_is_nothing_done(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    switch.check()
    assert not switch.pause_wanted()
    switch.wait_out_pause()


def test_a_stop_is_never_taken_back(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    ask(tmp_path, "stop")
    for _ in range(2):
        with pytest.raises(StopRequested):
            switch.check()
        ask(tmp_path, "resume")


def test_a_resume_ends_a_pause_before_and_while_it_is_waited_for(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    ask(tmp_path, "pause")
    assert switch.pause_wanted()
    switch.check()
    threading.Timer(0.2, ask, (tmp_path, "resume")).start()
    switch.wait_out_pause()
    assert not switch.pause_wanted()


def test_a_stop_ends_a_pause(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    ask(tmp_path, "pause")
    threading.Timer(0.2, ask, (tmp_path, "stop")).start()
    with pytest.raises(StopRequested):
        switch.wait_out_pause()


def test_a_signal_ends_a_pause(tmp_path: Path) -> None:
    switch = StopSwitch(tmp_path)
    ask(tmp_path, "pause")
    threading.Timer(0.2, switch._on_signal, (15, None)).start()
    with pytest.raises(StopRequested):
        switch.wait_out_pause()


def test_a_mangled_command_is_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    switch = StopSwitch(tmp_path)
    (tmp_path / "control.json").write_text('{"command": "explode"}')
    switch.check()
    assert "not a command" in capsys.readouterr().err
