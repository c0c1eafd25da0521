"""The section of docs/benchmarks.md about the dashboard."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from tests.benchmarks.dashboard_curve import SPIKE
from tests.benchmarks.dashboard_live import Live
from tests.benchmarks.dashboard_million import PX, Million
from tests.benchmarks.dashboard_overlay import RUNS, STEPS_PER_S, STREAMING, Frames
from tests.benchmarks.dashboard_peers_million import PeerMillion
from tests.benchmarks.dashboard_start import Rows
from tests.benchmarks.document import origin

OURS = "Trainboard"


def live(found: dict[str, Live | str], seconds: float) -> str:
    """``found``: what each dashboard gave, or why it could not be measured; ours first; each was watched for ``seconds``."""
    ours = found[OURS]
    base = statistics.median(ours.lags) if isinstance(ours, Live) and ours.lags else None
    rows = []
    for name, result in found.items():
        if isinstance(result, str):
            rows.append([name, f"failed: {result}", "", "", ""])
        elif not result.lags:
            rows.append([name, "none drawn", "", f"0 of {result.logged:,}", ""])
        else:
            p50 = statistics.median(result.lags)
            ratio = f"{p50 / base:,.0f}×" if base and name != OURS else ""
            drawn = f"{len(result.lags):,} of {result.logged:,}"
            rows.append([name, milliseconds(p50), milliseconds(percentile(result.lags, 95)), drawn, ratio])
    return f"""### From a step's being logged to its being drawn

Here a real run of the tiny model trains while Chromium shows its page, once before and once after the others. For them a
script logs the loss at the pace of that run, through their own libraries, with nothing else to do; tensorboard's event file
is brought to the disk after each step. The time of a step is from its being logged to the first drawing that shows it, as
the page's own script tells: uPlot's hook here, for trackio the first line stroked after an answer that held the step, for
tensorboard the message from its drawing worker after such an answer. The screen's next frame comes on top for all. A
step that was not drawn by the end of {seconds:.0f} seconds has no time, which favours whoever is slow. tensorboard's page
reloads by itself only where that is switched on, every 30 s or more; its button is pressed by a script here. Its server
looks for new steps every second, the shortest there is.

{table(["dashboard", "p50", "p95", "steps drawn", "p50 compared with ours"], rows)}
"""


def million(ours: Million, peers: dict[str, PeerMillion | str]) -> str:
    rows = [
        [
            OURS, f"{ours.steps:,}", "", f"{ours.read_s:.0f} s", _times(ours.first_chart_ms),
            _times(ours.from_board_ms), _times(ours.zoom_ms),
            f"in {ours.spike[0]} of {ours.spike[1]} zooms", _memory(ours.memory_before, ours.memory_read, ours.memory_after),
        ]
    ]  # fmt: skip
    for name, peer in peers.items():
        if isinstance(peer, str):
            rows.append([name, f"failed: {peer}", *[""] * 7])
        else:
            spike = f"{'seen' if peer.spike else 'lost'} among {peer.points:,} points"
            rows.append(
                [
                    name, f"{peer.steps:,}", f"{peer.logged_s:.0f} s", f"{peer.read_s:.0f} s",
                    _times(peer.first_chart_ms), "", "asks for nothing more", spike,
                    _memory(peer.memory_before, peer.memory_after),
                ]
            )  # fmt: skip
    what = "steps, logged in, read in, first chart, from the board, a zoom, the spike, server's memory"
    head = ["dashboard", *what.split(", ")]
    return f"""### A run of a million steps

Five curves, and one loss of {SPIKE:.0f} where all others are below 8. A running Trainboard finds the log in a run's folder
and has read it when its last step is there. The others' libraries log the run as fast as they can; then their server is
started, and has read it when it gives out the last step. The first chart: in a new tab of a browser that has the page's
files, from the navigation to the first curve; from the board: from following the run's link. A zoom: the answer to a
request for five curves in {PX:,} points, over HTTP; ranges from the whole run to a ten-thousandth of it, each elsewhere
about the spike. The server's memory: with a short run shown, after reading the long one, after all charts and zooms; of
the others, all their processes with nothing logged, and with the run shown.

{table(head, rows)}
"""


def overlay(found: list[Frames]) -> str:
    rows = [[frames.what, *_frame_figures(frames)] for frames in found]
    return f"""### {RUNS} runs in one chart, {STREAMING} of them streaming {STEPS_PER_S:.0f} steps a second each

A dot in the corner moves in every frame, so that 60 are due each second. A frame's time is from the one before it to it,
both on the screen and with what the page's script drew for them, by Chromium's own trace. Missed are those that were due
and were not shown, or without the script's part. The first row is the dot alone: what this machine can do.

{table(["page", "frames a second", "frame time p50", "p95", "p99", "frames missed"], rows)}
"""


def _frame_figures(frames: Frames) -> list[str]:
    if not frames.gaps:
        return ["no frames", *[""] * 4]
    times = [milliseconds(percentile(frames.gaps, share)) for share in (50, 95, 99)]
    return [f"{1000 / statistics.mean(frames.gaps):.1f}", *times, f"{frames.dropped:.1%}"]


def start(rows: Rows) -> str:
    return f"### Start\n\n{table(['what', 'figure'], rows)}\n"


def section(parts: list[str], versions: list[str]) -> str:
    return f"""## Dashboard

{origin("make bench-dashboard", *versions, "no GPU used")}.

{"".join(f"{part}{chr(10)}" for part in parts)}"""


def table(head: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def milliseconds(value: float) -> str:
    """Short times in milliseconds, long ones in seconds."""
    if value >= 1000:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 20 else f"{value:.1f} ms"


def percentile(values: list[float], share: int) -> float:
    """The value that ``share`` percent of the values do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def _times(times: list[float]) -> str:
    return f"{milliseconds(statistics.median(times))} (worst {milliseconds(max(times))})"


def _memory(before: int, *after: int) -> str:
    return f"{before / 1e6:,.0f} → {' → '.join(f'{each / 1e6:,.0f}' for each in after)} MB"
