"""What is told while a large dataset is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.process.control import StopSwitch
from worker.training import preparation


@pytest.mark.parametrize(
    ("elapsed", "bytes_read", "told"),
    [
        (6, 500, "50%, about 6 s left."),
        (10, 101, "10%, about 89 s left."),
        (10, 100, "10%, about 2 min left."),
        (600, 101, "10%, about 89 min left."),
        (600, 100, "10%, about 1.5 h left."),
        (4, 500, None),
    ],
)
def test_a_long_pass_says_how_far_it_is_and_how_long_it_will_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elapsed: float, bytes_read: int, told: str | None
) -> None:
    """A quick one is over before it would say anything."""
    path, now, said = tmp_path / "data.txt", [100.0], []
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(preparation.time, "monotonic", lambda: now[0])
    progress = preparation._Progress("Reading the text", path, said.append, StopSwitch(tmp_path))
    now[0] += elapsed
    progress(bytes_read)
    assert said == ([f"Reading the text: {told}"] if told else [])
    progress(1)  # fewer than before: another pass begins
    assert len(said) == bool(told)


def test_a_download_says_how_many_bytes_have_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], []
    monkeypatch.setattr(preparation.time, "monotonic", lambda: now[0])
    progress = preparation._Progress("Downloading gpt2", tmp_path / "none", said.append, StopSwitch(tmp_path))
    for done in (0, 137_000_000):
        now[0] += 10
        progress(done, 548_000_000)
    now[0] += 20
    progress(1_500_000_000, 4_000_000_000)
    assert said == [
        "Downloading gpt2: 0 MB of 548 MB.",
        "Downloading gpt2: 137 MB of 548 MB, about 60 s left.",
        "Downloading gpt2: 1.5 GB of 4.0 GB, about 67 s left.",
    ]
