"""The check of the GPU paths, in the small form that it has on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import gpu, gpu_checks


def verdicts(table: Path) -> list[tuple[str, str]]:
    rows = [line.split("|")[1:3] for line in table.read_text(encoding="utf-8").splitlines()[4:]]
    return [(name.strip(), verdict.strip()) for name, verdict in rows]


def test_quick_parts_pass(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    assert gpu.main(["nan", "telemetry", "--out", str(table)]) == 0
    assert verdicts(table) == [("NaN in fp32", "OK"), ("NaN in bf16", "OK"), ("telemetry", "OK")]


def test_what_breaks_and_what_is_too_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(bench: object) -> object:
        yield True, "the first", {}
        raise RuntimeError("no card")

    monkeypatch.setattr(gpu_checks, "PARTS", {"bad": break_off, "more": gpu_checks.telemetry})
    monkeypatch.setattr(gpu, "PARTS", gpu_checks.PARTS)
    table = tmp_path / "table.md"
    assert gpu.main(["--out", str(table)]) == 1
    assert verdicts(table)[:2] == [("the first", "OK"), ("bad", "BAD")]
    assert "no card" in table.read_text()
    assert gpu.main(["--seconds", "-1", "--out", str(table)]) == 0
    assert verdicts(table) == [("bad", "not tried"), ("more", "not tried")]


@pytest.mark.slow
def test_every_part_passes(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    assert gpu.main(["--out", str(table), "--seconds", "900"]) == 0
    assert {verdict for _, verdict in verdicts(table)} == {"OK"}
    assert len(verdicts(table)) > 25
