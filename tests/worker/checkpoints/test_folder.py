from __future__ import annotations

import errno
import io
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.worker.runs import manifest
from worker.checkpoints import folder as checkpoint
from worker.checkpoints.saver import Saver, latest_whole
from worker.errors import CheckpointError


def write_files(*contents: str) -> object:
    def write(folder: Path) -> None:
        for number, content in enumerate(contents):
            (folder / f"file{number}").write_text(content)

    return write


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    target = tmp_path / "checkpoints" / "step-000001"
    assert checkpoint.write_folder(target, write_files("weights", "tokens")) == len("weightstokens")
    return target


def test_a_saved_folder_is_whole_and_alone(saved: Path) -> None:
    checkpoint.verify(saved)
    assert sorted(manifest(saved)) == ["file0", "file1"]
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_any_flipped_bit_is_found(saved: Path) -> None:
    for path in (saved / "file0", saved / "file1"):
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(CheckpointError, match=path.name):
                checkpoint.verify(saved)
        path.write_bytes(content)
    checkpoint.verify(saved)


def test_a_missing_or_shortened_file_is_found(saved: Path) -> None:
    (saved / "file1").write_text("token")
    with pytest.raises(CheckpointError, match="file1 was damaged"):
        checkpoint.verify(saved)
    (saved / "file1").unlink()
    with pytest.raises(CheckpointError, match="file1 is missing"):
        checkpoint.verify(saved)


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"files": {}}', '{"files": {"file0": {}}}', '{"files": 3}'])
def test_a_folder_without_a_good_manifest_is_not_trusted(saved: Path, content: str | None) -> None:
    (saved / "manifest.json").unlink()
    if content is not None:
        (saved / "manifest.json").write_text(content)
    with pytest.raises(CheckpointError, match="cannot be trusted"):
        checkpoint.verify(saved)


def test_a_write_that_fails_keeps_the_folder_there_was(saved: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "file0").write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        checkpoint.write_folder(saved, fail)
    checkpoint.verify(saved)
    assert (saved / "file0").read_text() == "weights"
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_new_folder_replaces_the_old_one(saved: Path) -> None:
    checkpoint.write_folder(saved, write_files("new"))
    checkpoint.verify(saved)
    assert list(manifest(saved)) == ["file0"]
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_sweeping_removes_only_what_a_kill_left(saved: Path, tmp_path: Path) -> None:
    for stale in (tmp_path / ".tmp-model", saved.parent / ".tmp-step-000002", saved.parent / ".tmp-old-step-000000"):
        stale.mkdir()
        (stale / "half").write_text("x")
    checkpoint.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_pruning_keeps_the_latest_and_the_best(tmp_path: Path) -> None:
    folders = [tmp_path / "checkpoints" / f"step-{step:06d}" for step in (5, 10, 90, 999_999, 1_000_000)]
    for folder in folders:
        checkpoint.write_folder(folder, write_files("weights"))
    checkpoint.prune(folders, keep=2, best=folders[1])
    assert sorted(path for path in folders if path.exists()) == sorted([folders[1], folders[3], folders[4]])


def test_checkpoints_of_an_earlier_attempt_are_not_counted(tmp_path: Path) -> None:
    folders = [tmp_path / "checkpoints" / f"step-{step:06d}" for step in (400, 500, 1, 2, 3)]
    for folder in folders:
        checkpoint.write_folder(folder, write_files("weights"))
    checkpoint.prune(folders[2:], keep=2, best=None)
    assert [path.name for path in folders if path.exists()] == ["step-000400", "step-000500", "step-000002", "step-000003"]


def test_a_full_disk_is_an_oserror_even_where_safetensors_says_otherwise(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    def fail(folder: Path) -> None:
        raise SafetensorError("I/O error: No space left on device")

    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_folder(tmp_path / "model", fail)
    assert list(tmp_path.iterdir()) == []


CALLS = [(os, name) for name in ("rename", "mkdir", "rmdir", "unlink", "fsync", "open")] + [(io, "open")]


class Killed(BaseException):
    """The process is gone: whatever it would do next, it does not."""


@contextmanager
def disk_calls(before: Callable[[str, str], None], after: Callable[[str, str], None]) -> Iterator[None]:
    """Tells of each call that changes what is on the disk: its name, and the name of the file or folder."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in CALLS:
            real = getattr(module, name)

            def call(path: Any, *args: Any, real: Any = real, name: str = name, **kwargs: Any) -> Any:
                place = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else str(path)
                before(name, Path(place).name)
                result = real(path, *args, **kwargs)
                after(name, Path(place).name)
                return result

            patch.setattr(module, name, call)
        yield


def replace_and_prune(saver: Saver) -> None:
    """The step that is saved already is saved again, and then the next one, which costs the first its place."""
    saver.save_checkpoint(1, "periodic", write_files("again", "tokens"))  # type: ignore[arg-type]
    saver.save_checkpoint(2, "periodic", write_files("next", "tokens"))  # type: ignore[arg-type]


def saver_with_one_checkpoint(run_dir: Path) -> Saver:
    run_dir.mkdir()
    saver = Saver(run_dir, 1, lambda _: None)
    assert saver.save_checkpoint(1, "periodic", write_files("weights", "tokens"))  # type: ignore[arg-type]
    return saver


def strike(saver: Saver, number: int, fault: str, when: str) -> bool:
    """Lets the disk fail at its call ``number``, and tells whether there were that many."""
    calls, met = itertools.count(1), False

    def fail(name: str, path: str) -> None:
        nonlocal met
        if next(calls) == number or (met and fault != "error"):
            met = True
            raise Killed if fault == "kill" else OSError(errno.EIO if fault == "error" else errno.ENOSPC, f"{name} {path}")

    def go_on(name: str, path: str) -> None:
        pass

    with disk_calls(*((fail, go_on) if when == "before" else (go_on, fail))), suppress(Killed):
        replace_and_prune(saver)
    return met


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", ["kill", "error", "full"])
def test_there_is_a_whole_checkpoint_whatever_call_fails(tmp_path: Path, fault: str, when: str) -> None:
    """A kill ends all; EIO comes once; a full disk stays full, for whatever is asked of it."""
    for number in itertools.count(1):
        saver = saver_with_one_checkpoint(tmp_path / str(number))
        if not strike(saver, number, fault, when):
            break
        checkpoint.sweep(saver.run_dir)
        found = latest_whole(saver.run_dir, lambda _: None)
        assert found is not None, f"nothing is left after {fault} {when} call {number}"
        assert (found / "file0").read_text() in ("weights", "again", "next")
        assert not list(saver.run_dir.rglob(".tmp-*"))
    assert number > 40, "the calls were not seen"


def test_a_folder_gets_its_name_only_when_all_of_it_is_on_the_disk(tmp_path: Path) -> None:
    saver = saver_with_one_checkpoint(tmp_path / "run")
    calls: list[tuple[str, str]] = []
    with disk_calls(lambda *call: calls.append(call), lambda *_: None):
        saver.save_checkpoint(1, "periodic", write_files("again", "tokens"))  # type: ignore[arg-type]
    old, aside = (calls.index(("rename", name)) for name in ("step-000001", ".tmp-step-000001"))
    for path in ("file0", "file1", "manifest.json", ".tmp-step-000001"):
        assert calls.index(("fsync", path)) < old < aside, f"{path} may not be on the disk yet"
    assert aside < calls.index(("fsync", "checkpoints")) < calls.index(("rmdir", ".tmp-old-step-000001"))


@pytest.mark.parametrize("left", ["new", "old", "both"])
def test_what_was_left_whole_aside_is_put_back(saved: Path, tmp_path: Path, left: str) -> None:
    """As after a kill between the two renames, or while a checkpoint was taken away."""
    old, new = saved.with_name(".tmp-old-step-000001"), saved.with_name(".tmp-step-000001")
    checkpoint.write_folder(tmp_path / "made", write_files("again"))
    saved.rename(old)
    (tmp_path / "made").rename(new)
    if left != "both":
        (old / "file0" if left == "new" else new / "file0").unlink()
    checkpoint.sweep(tmp_path)
    assert (saved / "file0").read_text() == ("weights" if left == "old" else "again")
    checkpoint.verify(saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
