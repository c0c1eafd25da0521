"""Fifty runs in one chart, three of which stream: frame times from the browser's own trace."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
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
    """Reads a trace: of the page that had the most frames, when each was shown that holds what its script drew for it.

    A frame whose script was late is shown without that, and then has a second report, FORKED, which does not count: the
    first tells whether the script's part was shown after all.
    """
    due: dict[tuple[int, int], list[tuple[str, float]]] = {}
    for began, ms in _reports(events):
        report = began["args"].get("frame_reporter") or began["args"]["chrome_frame_reporter"]
        if report["state"] != "STATE_NO_UPDATE_DESIRED" and report.get("frame_type") != "FORKED":
            due.setdefault((began["pid"], report["layer_tree_host_id"]), []).append((report["state"], ms))
    reports = max(due.values(), key=len, default=[])
    shown = sorted(ms for state, ms in reports if state == "STATE_PRESENTED_ALL")
    missed = sum(state != "STATE_PRESENTED_ALL" for state, _ in reports)
    return Frames(what, [after - before for before, after in itertools.pairwise(shown)], missed / max(1, len(reports)))


def _reports(events: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], float]]:
    """The beginning of each report, and when it ended, in milliseconds; ids are used again once a report has ended."""
    begun: dict[tuple[int, str], dict[str, Any]] = {}
    for event in sorted((event for event in events if event["name"] == "PipelineReporter"), key=lambda event: event["ts"]):
        identity = event["pid"], str(event["id2"])
        if event["ph"] == "b":
            begun[identity] = event
        elif identity in begun:
            yield begun.pop(identity), event["ts"] / 1000
