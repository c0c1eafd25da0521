"""From a step's being logged to its being drawn: ours while a real run trains, the others' at the pace of that run."""

from __future__ import annotations

import bisect
import itertools
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize

from tests.serving import Server

VIEWPORT: ViewportSize = {"width": 1440, "height": 900}

Marks = list[tuple[int, float]]
"""(which, when) in order of time: events or steps, and milliseconds since 1970."""

_WATCH_OURS = """
window.draws = [];
document.addEventListener("trainboard:drawn", (event) => {
  window.draws.push([event.detail.cursor, performance.timeOrigin + performance.now()]);
});
"""
_FIRST_DRAWING = """() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("nothing was drawn within 90 s")), 90000);
  const look = () => (window.draws.length ? resolve() : setTimeout(look, 50));
  look();
})"""


class Live(NamedTuple):
    """``lags`` in milliseconds of the steps that were drawn; ``logged`` counts all that were logged meanwhile."""

    lags: list[float]
    logged: int


class Pace(NamedTuple):
    """What a run told of itself: seconds since the step before, and the loss, of each step."""

    gaps: list[float]
    losses: list[float]


def ours(folder: Path, browser: Browser, seconds: float) -> tuple[Live, Pace]:
    """A real run of the tiny model on the sample, its page open in the browser, for ``seconds`` from the first drawing."""
    server = Server(folder / "data")
    try:
        run_id = server.create(model_name="tiny", dataset="sample", max_steps=1_000_000, eval_steps=50)["id"]
        with browser.new_context(viewport=VIEWPORT) as context:
            page = context.new_page()
            page.add_init_script(_WATCH_OURS)
            page.goto(f"{server.url}/#/runs/{run_id}")
            draws = watch(page, seconds)
        steps = server.client.get(f"/api/runs/{run_id}/events?type=step&limit=10000").json()["items"]
        server.client.post(f"/api/runs/{run_id}/stop")
        server.end(run_id)
    finally:
        server.kill_workers()
        server.stop()
    logged = [(step["cursor"], _ms(step["time"])) for step in steps]
    gaps = [(after - before) / 1000 for (_, before), (_, after) in itertools.pairwise(logged)]
    return live(logged, draws), Pace([0.1, *gaps], [step["loss"] for step in steps])


def watch(page: Page, seconds: float) -> Marks:
    """What the page's ``window.draws`` says of the ``seconds`` that follow its first drawing."""
    page.evaluate(_FIRST_DRAWING)
    page.wait_for_timeout(seconds * 1000)
    return [(int(mark), float(ms)) for mark, ms in page.evaluate("window.draws")]


def live(logged: Marks, draws: Marks) -> Live:
    """Each mark logged between the first drawing and the last moment watched, and how long until one showed it.

    What was logged before the first drawing is left out: the page was not open yet. What never was drawn has no lag.
    """
    first, newest, shown = draws[0][1], 0, []
    for mark, ms in draws:
        newest = max(newest, mark)
        shown.append((newest, ms))
    meant = [(mark, ms) for mark, ms in logged if ms >= first]
    places = [bisect.bisect_left(shown, (mark,)) for mark, _ in meant]
    lags = [shown[place][1] - ms for place, (_, ms) in zip(places, meant, strict=True) if place < len(shown)]
    return Live(lags, len(meant))


def _ms(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000
