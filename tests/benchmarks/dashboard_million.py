"""A run of a million steps: how soon it is read, its chart is there and a zoom is answered; and the memory it takes."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from playwright.sync_api import Browser, BrowserContext

from tests.backend.records import Records
from tests.benchmarks.dashboard_curve import SPIKE, spike_of
from tests.benchmarks.dashboard_live import VIEWPORT
from tests.benchmarks.dashboard_runs import hold, story
from tests.serving import Server
from worker.contract import EVENTS_FILE, StatusEvent, encode, now

KEYS = "loss,lr,grad_norm,tokens_per_s,step_ms"
PX = 1000
ROUNDS = 5
_WIDEST_TO_NARROWEST = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)

# uPlot hands a curve to the canvas as a path object; its grid and axes it draws without one.
_WATCH_CURVES = """
const { stroke } = CanvasRenderingContext2D.prototype;
let drawn = () => {};
window.nextCurve = () => new Promise((resolve, reject) => {
  drawn = () => resolve(performance.now());
  setTimeout(() => reject(new Error("no curve was drawn within 60 s")), 60000);
});
CanvasRenderingContext2D.prototype.stroke = function (...path) {
  if (path.length) drawn();
  return stroke.apply(this, path);
};
window.firstCurve = window.nextCurve();
"""
_GO_TO_RUN = """async (id) => {
  const began = performance.now(), curve = window.nextCurve();
  location.hash = `#/runs/${id}`;
  return await curve - began;
}"""


class Million(NamedTuple):
    """Seconds, milliseconds and bytes. ``spike`` says at how many of how many zooms the spike was in the answer."""

    steps: int
    read_s: float
    first_chart_ms: list[float]
    from_board_ms: list[float]
    zoom_ms: list[float]
    spike: tuple[int, int]
    memory_before: int
    memory_read: int
    memory_after: int


def ours(folder: Path, browser: Browser, steps: int) -> Million:
    """The log is handed to a server that is running, as a worker's would be; the rest is asked over HTTP."""
    spike = spike_of(steps)
    records = Records(folder / "data")
    small = _small_run(records)
    run_id = records.add("starting", "running", name="a long run")
    lock = hold(records.directory(run_id))
    records.database.close()
    log = _write(folder / "log", steps, spike)
    server = Server(folder / "data")
    try:
        context = browser.new_context(viewport=VIEWPORT)
        _first_chart(context, f"{server.url}/#/runs/{small}")  # the server and the browser have begun
        before = _memory(server)
        began = time.perf_counter()
        os.replace(log, records.directory(run_id) / EVENTS_FILE)
        while server.run(run_id)["step"] < steps:
            time.sleep(0.1)  # a stream would tell sooner, but sending it a million events is not what is timed
        read_s, read = time.perf_counter() - began, _memory(server)
        lock.close()
        server.wait(run_id, lambda event: event.get("status") == "completed", after=_newest(server) - 1)
        charts = [_first_chart(context, f"{server.url}/#/runs/{run_id}") for _ in range(ROUNDS)]
        clicks = [_from_board(context, server.url, run_id) for _ in range(ROUNDS)]
        context.close()
        zooms, seen = _zooms(server, run_id, steps, spike)
        return Million(steps, read_s, charts, clicks, zooms, (seen, len(zooms)), before, read, _memory(server))
    finally:
        lock.close()
        server.stop()


def _small_run(records: Records) -> str:
    run_id = records.add("starting", "running", name="a short run")
    events = list(story(200, seed=1))
    records.append(run_id, *events, StatusEvent(seq=events[-1].seq + 1, time=now(), phase="completed"))
    return run_id


def _write(path: Path, steps: int, spike: int) -> Path:
    with path.open("wb") as file:
        seq = 0
        for event in story(steps, 1, spike):
            seq = event.seq
            file.write(encode(event))
        file.write(encode(StatusEvent(seq=seq + 1, time=now(), phase="completed")))
    return path


def _newest(server: Server) -> int:
    return int(server.client.get("/api/runs?limit=1").json()["stream_cursor"])


def _memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def _first_chart(context: BrowserContext, url: str) -> float:
    """Milliseconds from the navigation to the first curve, in a new tab of a browser that has the page's files."""
    page = context.new_page()
    page.add_init_script(_WATCH_CURVES)
    page.goto(url)
    ms = float(page.evaluate("window.firstCurve"))
    page.close()
    return ms


def _from_board(context: BrowserContext, url: str, run_id: str) -> float:
    """Milliseconds from following the run's link on the board to the first curve."""
    page = context.new_page()
    page.add_init_script(_WATCH_CURVES)
    page.goto(url)
    page.locator(f'a[href="#/runs/{run_id}"]').first.wait_for()
    ms = float(page.evaluate(_GO_TO_RUN, run_id))
    page.close()
    return ms


def _zooms(server: Server, run_id: str, steps: int, spike: int) -> tuple[list[float], int]:
    """The times of series requests for ever narrower ranges about the spike, and how many answers hold it.

    Each range lies elsewhere about the spike, so that no answer is one that was given before.
    """
    chance = random.Random(1)
    times, seen = [], 0
    for _ in range(ROUNDS):
        for share in _WIDEST_TO_NARROWEST:
            width = max(2, round(steps * share))
            first = max(1, min(spike - chance.randrange(width), steps - width + 1))
            params: dict[str, Any] = {"keys": KEYS, "from": first, "to": first + width - 1, "px": PX}
            began = time.perf_counter()
            response = server.client.get(f"/api/runs/{run_id}/series", params=params)
            times.append((time.perf_counter() - began) * 1000)
            response.raise_for_status()
            highest = max(value for value in response.json()["series"]["loss"]["max"] if value is not None)
            seen += highest == SPIKE
    return times, seen
