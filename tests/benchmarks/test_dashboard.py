"""That the dashboard benchmark works: its sums, and all of it at toy size. Figures are taken by ``make bench-dashboard``."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.runs.tailer import Tailer
from tests.backend.records import Records
from tests.benchmarks import dashboard_report
from tests.benchmarks.dashboard_curve import SPIKE, Curve, spike_of
from tests.benchmarks.dashboard_live import Live, live
from tests.benchmarks.dashboard_overlay import frames
from tests.benchmarks.dashboard_runs import Living, story

ROOT = Path(__file__).parents[2]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "data")
    yield records
    records.database.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_every_part_can_be_measured() -> None:
    peers = ROOT / ".venv-peers" / "bin" / "python"
    if not peers.exists():
        pytest.skip("make bench-dashboard installs the other dashboards")
    command = [sys.executable, "-m", "tests.benchmarks.dashboard", "--quick", "--peers", str(peers)]
    bench = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bench.returncode == 0, bench.stdout + bench.stderr
    assert "failed" not in bench.stdout


def test_a_step_is_late_by_the_time_until_a_drawing_shows_it() -> None:
    logged = [(1, 100.0), (2, 200.0), (3, 300.0), (4, 400.0), (5, 900.0)]
    draws = [(1, 150.0), (3, 350.0), (3, 360.0), (4, 410.0)]
    assert live(logged, draws) == Live([150.0, 50.0, 10.0], logged=4), "1 came before the page, 5 was never drawn"


def test_a_drawing_that_shows_less_than_one_before_counts_for_nothing() -> None:
    assert live([(7, 100.0), (8, 200.0)], [(6, 50.0), (8, 250.0), (5, 300.0)]).lags == [150.0, 50.0]


def test_frames_that_were_due_and_lack_the_pages_part_are_missed() -> None:
    states = ["STATE_PRESENTED_ALL"] * 3 + ["STATE_DROPPED", "STATE_PRESENTED_PARTIAL", "STATE_NO_UPDATE_DESIRED"]
    events = [event for number, state in enumerate(states) for event in frame(number, state, 16.0 * number)]
    late = frame(7, "STATE_PRESENTED_PARTIAL", 100.0, frame_type="FORKED")
    found = frames(
        "watched", [*events, *late, *frame(9, "STATE_PRESENTED_ALL", 200.0, page=2), {"name": "other", "ph": "X"}]
    )
    assert found.gaps == [16.0, 16.0]
    assert found.dropped == pytest.approx(2 / 5)


def frame(number: int, state: str, ms: float, page: int = 1, **more: str) -> list[dict[str, Any]]:
    common = {"name": "PipelineReporter", "pid": 1, "id2": {"local": hex(number % 3)}}
    reporter = {"state": state, "layer_tree_host_id": page, **more}
    return [
        {**common, "ph": "b", "ts": (ms - 10) * 1000, "args": {"frame_reporter": reporter}},
        {**common, "ph": "e", "ts": ms * 1000, "args": {}},
    ]


def test_a_made_up_run_is_one_that_the_server_reads_whole(records: Records) -> None:
    run_id = records.add("starting", "running")
    events = list(story(1000, seed=3, spike=spike_of(1000)))
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    seqs = [seq for seq, _ in records.events(run_id) if seq]
    assert seqs == list(range(1, len(events) + 1))
    losses = {event.step: event.loss for event in events if event.type == "step"}
    assert [step for step, loss in losses.items() if loss > 8] == [spike_of(1000)]
    assert losses[spike_of(1000)] == SPIKE
    times = [event.time for event in events]
    assert times == sorted(times)


def test_a_living_run_goes_on_where_its_log_stops(records: Records) -> None:
    run = Living(records, "streaming", seed=1, told=10, total=1000)
    run.start(steps_per_s=200)
    path = records.directory(run.id) / "events.jsonl"
    while len(path.read_bytes().splitlines()) < 20:
        pass
    run.stop()
    Tailer(records.database, records.settings.runs_dir).ingest(run.id)
    seqs = [seq for seq, _ in records.events(run.id) if seq]
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_curve_is_the_same_for_the_same_seed() -> None:
    one, two = Curve(1, 100), Curve(1, 100)
    assert [one.update(step) for step in range(1, 50)] == [two.update(step) for step in range(1, 50)]


def test_a_dashboard_that_failed_is_in_the_table_with_its_reason() -> None:
    ours = Live([float(ms) for ms in range(1, 101)], 100)
    text = dashboard_report.live(
        {"Trainboard": ours, "one": Live([5050.0], 90), "other": "no port", "third": Live([], 80)}, 60
    )
    assert "| Trainboard | 50 ms | 95 ms | 100 of 100 |  |" in text
    assert "| one | 5.0 s | 5.0 s | 1 of 90 | 100× |" in text
    assert "| other | failed: no port |" in text
    assert "| third | none drawn |  | 0 of 80 |  |" in text


def test_percentiles_are_values_that_occurred() -> None:
    values = list(itertools.accumulate([1.0] * 100))
    assert [dashboard_report.percentile(values, share) for share in (1, 50, 95, 100)] == [1, 50, 95, 100]
    assert dashboard_report.percentile([3.0], 99) == 3.0
