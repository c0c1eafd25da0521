from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.runs import manifest
from worker import checkpoint
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


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"files": {"file0": {}}}', '{"files": 3}'])
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
