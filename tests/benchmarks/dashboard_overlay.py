"""Fifty runs in one chart, three of which stream: frame times from the browser's own trace."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page

from tests.backend.records import Records
from tests.benchmarks.dashboard_live import VIEWPORT
from tests.benchmarks.dashboard_runs import Living, story
from tests.serving import Server
from worker.contract import StatusEvent, now

RUNS, STREAMING = 50, 3
STEPS, STEPS_PER_S = 2000, 20.0
FRAME_MS = 1000 / 60
_CATEGORIES = ["cc", "benchmark"]
_WHOLE = {"STATE_PRESENTED_ALL", "STATE_NO_UPDATE_DESIRED"}

# Something must move in every frame, or the browser rightly makes none: a dot in the corner, as a cursor would.
_MOVE = """
() => {
  const dot = document.createElement("div");
  document.body.append(dot);
  Object.assign(dot.style, { position: "fixed", top: "2px", left: "2px", width: "4px", height: "4px", background: "gray" });
  let frame = 0;
  const move = () => {
    dot.style.left = `${2 + (frame++ % 60)}px`;
    requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
}
"""


class Frames(NamedTuple):
    """``gaps``: milliseconds from one frame on the screen to the next; ``dropped``: share of the frames due."""

    what: str
    gaps: list[float]
    dropped: float


def measure(folder: Path, browser: Browser, seconds: float) -> list[Frames]:
    """A page on which nothing but the dot moves, then the comparison, watched and with the mouse moving over it."""
    records = Records(folder / "data")
    ended = [_ended(records, number) for number in range(RUNS - STREAMING)]
    living = [Living(records, f"streaming {n}", RUNS + n, STEPS // 2, STEPS * 10) for n in range(STREAMING)]
    records.database.close()
    server = Server(folder / "data")
    try:
        context = browser.new_context(viewport=VIEWPORT)
        blank = context.new_page()
        blank.goto(f"{server.url}/api/health")
        found = [_trace(browser, blank, "a page without a chart", seconds, hover=False)]
        blank.close()
        page = context.new_page()
        page.goto(f"{server.url}/#/compare?runs={','.join([*(run.id for run in living), *ended])}")
        page.locator("canvas").first.wait_for(timeout=60_000)
        for run in living:
            run.start(STEPS_PER_S)
        page.wait_for_timeout(2000)  # the first drawing is not what is measured
        found.append(_trace(browser, page, "watched", seconds, hover=False))
        found.append(_trace(browser, page, "with the mouse moving over the chart", seconds, hover=True))
        context.close()
        return found
    finally:
        for run in living:
            run.stop()
        server.stop()


def _ended(records: Records, number: int) -> str:
    run_id = records.add("starting", "running", name=f"run {number}")
    events = list(story(STEPS, number))
    records.append(run_id, *events, StatusEvent(seq=events[-1].seq + 1, time=now(), phase="completed"))
    return run_id  # the server reads it and closes it when it starts


def _trace(browser: Browser, page: Page, what: str, seconds: float, *, hover: bool) -> Frames:
    page.evaluate(_MOVE)
    box = page.locator("canvas").first.bounding_box() if hover else None
    browser.start_tracing(page=page, categories=_CATEGORIES)
    if box:
        _hover(page, box, seconds)
    else:
        page.wait_for_timeout(seconds * 1000)
    return frames(what, json.loads(browser.stop_tracing())["traceEvents"])


def _hover(page: Page, box: dict[str, float], seconds: float) -> None:
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.move(box["x"] + box["width"] * (passed % 2) / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(8)


def frames(what: str, events: list[dict[str, Any]]) -> Frames:
    """Reads a trace. A frame that lacks what the page's script drew for it counts as dropped, as it shows the old chart."""
    ends = {_identity(event): event["ts"] / 1000 for event in events if _is_frame(event, "e")}
    states: dict[tuple[Any, ...], set[str]] = {}
    shown: dict[tuple[Any, ...], float] = {}
    for event in (event for event in events if _is_frame(event, "b")):
        reporter = event["args"].get("chrome_frame_reporter") or event["args"]["frame_reporter"]
        frame = (event["pid"], reporter["frame_source"], reporter["frame_sequence"])
        states.setdefault(frame, set()).add(reporter["state"])
        if _identity(event) in ends:
            shown[frame] = ends[_identity(event)]
    due = {frame: told for frame, told in states.items() if told != {"STATE_NO_UPDATE_DESIRED"}}
    busiest = Counter(process for process, *_ in due).most_common(1)
    whole = [frame for frame, told in due.items() if frame[0] == busiest[0][0] and told <= _WHOLE]
    moments = sorted(shown[frame] for frame in whole if frame in shown)
    missed = sum(frame[0] == busiest[0][0] for frame in due) - len(whole)
    return Frames(what, [after - before for before, after in itertools.pairwise(moments)], missed / (missed + len(whole)))


def _is_frame(event: dict[str, Any], phase: str) -> bool:
    return event["name"] == "PipelineReporter" and event["ph"] == phase


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["pid"], str(event.get("id2") or event.get("id"))
