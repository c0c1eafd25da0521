"""The run of a million steps in other dashboards."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.sync_api import Browser, BrowserContext

from tests.benchmarks.dashboard_curve import SPIKE
from tests.benchmarks.dashboard_live import VIEWPORT
from tests.benchmarks.dashboard_peers import FIRST_CURVE, Peer, PeerError, fill, open_page, served

ROUNDS = 3
_READ_S = 240


class PeerMillion(NamedTuple):
    """Seconds, milliseconds and bytes. ``points`` of the loss reach the page; ``spike``: that step is one of them."""

    steps: int
    logged_s: float
    read_s: float
    first_chart_ms: list[float]
    points: int
    spike: bool
    memory_before: int
    memory_after: int


def measure(peer: Peer, python: str, folder: Path, browser: Browser, steps: int) -> PeerMillion:
    """Logs the run first and then starts the server on it. Raises PeerError if the server does not read it in time."""
    empty = folder / "empty"
    empty.mkdir(parents=True)
    with served(peer, python, empty) as server:
        before = server.bytes()
    logged_s = fill(peer, python, folder / "full", steps)
    began = time.perf_counter()
    with served(peer, python, folder / "full") as server:
        points = _read(peer, server.url, steps)
        read_s = time.perf_counter() - began
        with browser.new_context(viewport=VIEWPORT) as context:
            charts = [_first_chart(peer, context, server.url) for _ in range(ROUNDS)]
        after = server.bytes()
    spike = SPIKE in (loss for _, loss in points)
    return PeerMillion(steps, logged_s, read_s, charts, len(points), spike, before, after)


def _read(peer: Peer, url: str, steps: int) -> list[tuple[int, float]]:
    """The points of the loss as the server gives them to its page, once the last step is among them."""
    until = time.monotonic() + _READ_S
    while time.monotonic() < until:
        points = POINTS[peer.log](url)
        if points and points[-1][0] == steps:
            return points
        time.sleep(0.2)  # nothing tells when another project's server has read all
    raise PeerError(f"its server had not read the run after {_READ_S} s")


def _first_chart(peer: Peer, context: BrowserContext, url: str) -> float:
    """Milliseconds from the navigation to the first curve."""
    page = open_page(peer, context, url, FIRST_CURVE)
    ms = float(page.evaluate("window.curveAt"))
    page.close()
    return ms


def _of_tensorboard(url: str) -> list[tuple[int, float]]:
    response = httpx.get(f"{url}/data/plugin/scalars/scalars", params={"run": "run", "tag": "loss"}, timeout=60)
    return [(int(step), float(loss)) for _, step, loss in response.json()] if response.is_success else []


def _of_trackio(url: str) -> list[tuple[int, float]]:
    body = {"project": "bench", "run": "run", "run_id": None}
    response = httpx.post(f"{url}/api/get_logs", json=body, timeout=120)
    return [(int(row["step"]), float(row["loss"])) for row in response.json()["data"]] if response.is_success else []


POINTS: dict[str, Callable[[str], list[tuple[int, float]]]] = {"tensorboard": _of_tensorboard, "trackio": _of_trackio}
