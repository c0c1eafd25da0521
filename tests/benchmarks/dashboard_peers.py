"""The dashboards that ours is measured beside: how each is started, written to and watched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import psutil
from playwright.sync_api import Browser, BrowserContext, Page

from tests.benchmarks.dashboard_live import VIEWPORT, Live, Marks, Pace, live, watch
from tests.serving import ROOT

WRITER = "tests.benchmarks.dashboard_writer"
_START_S = 60

# trackio strokes lines on a canvas; tensorboard draws in a worker, which then sends a message that it has.
_WATCH_DRAWING = """
const { stroke } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.stroke = function (...path) {
  drew();
  return stroke.apply(this, path);
};
const port = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
Object.defineProperty(MessagePort.prototype, "onmessage", {
  ...port,
  set(listener) {
    port.set.call(this, (event) => {
      drew();
      return listener.call(this, event);
    });
  },
});
"""

# What a page draws after an answer, it draws with what the answer held.
STEPS_DRAWN = (
    """
window.draws = [];
let fetched = 0, shown = 0;
const arrived = (text) => {
  const place = text.lastIndexOf('"step"');
  if (place >= 0) fetched = Math.max(fetched, parseInt(text.slice(place + 6).replace(/^[^0-9]*/, "")));
};
const drew = () => {
  if (fetched <= shown) return;
  shown = fetched;
  window.draws.push([shown, performance.timeOrigin + performance.now()]);
};
const { fetch: fetchPlainly } = window;
window.fetch = async (...request) => {
  const response = await fetchPlainly(...request);
  arrived(await response.clone().text());
  return response;
};
const { open } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.open = function (...request) {
  this.addEventListener("load", () => {
    arrived(typeof this.response === "string" ? this.response : JSON.stringify(this.response));
  });
  return open.apply(this, request);
};
"""
    + _WATCH_DRAWING
)
"""Collects in ``window.draws`` the newest step that was drawn, and when, in milliseconds since 1970."""

FIRST_CURVE = (
    """
let drew;
window.curveAt = new Promise((resolve, reject) => {
  drew = () => resolve(performance.now());
  setTimeout(() => reject(new Error("no curve was drawn within 120 s")), 120000);
});
"""
    + _WATCH_DRAWING
)
"""``window.curveAt`` becomes the milliseconds from the navigation to the first curve."""


class PeerError(Exception):
    """A peer could not be measured; the text says why."""


@dataclass(frozen=True)
class Peer:
    """``settings`` is a script that sets up the peer's page; ``log`` the name under which dashboard_writer knows it."""

    name: str
    log: str
    command: tuple[str, ...]
    page: str
    settings: str = ""


_SERVE_TENSORBOARD = ("-m", "tensorboard.main", "--logdir", "{folder}", "--port", "{port}", "--reload_interval", "1")
_RELOAD = """localStorage.setItem("_tb_global_settings", JSON.stringify({ autoReload: true }));"""
_PRESS_RELOAD = """setInterval(() => document.querySelector("app-header-reload button")?.click(), 1000);"""

TENSORBOARD = Peer("tensorboard, reloading every 30 s", "tensorboard", _SERVE_TENSORBOARD, "/#timeseries", _RELOAD)
"""Its page reloads only where that is switched on, and no sooner than after 30 seconds."""

TENSORBOARD_PRESSED = Peer(
    "tensorboard, its reload button pressed every second", "tensorboard", _SERVE_TENSORBOARD, "/#timeseries", _PRESS_RELOAD
)
TRACKIO = Peer("trackio", "trackio", ("-m", "trackio.cli", "show", "--project", "bench"), "/?project=bench")


@dataclass
class Served:
    """A peer's server. ``bytes`` is the resident memory of all its processes."""

    url: str
    process: psutil.Process

    def bytes(self) -> int:
        family = [self.process, *self.process.children(recursive=True)]
        return sum(int(each.memory_info().rss) for each in family)


@contextmanager
def served(peer: Peer, python: str, folder: Path) -> Iterator[Served]:
    """Starts the peer's server and waits until it answers. Raises PeerError if it does not."""
    port = _free_port()
    command = [part.format(folder=folder, port=port) for part in peer.command]
    with (folder / "server.log").open("w") as log:
        process = _start([python, *command], folder, log, port)
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url, process, folder / "server.log")
            yield Served(url, psutil.Process(process.pid))
        finally:
            _end(process)


def versions(python: str) -> list[str]:
    """The peers' names and versions. Raises PeerError if the interpreter lacks them."""
    code = "from importlib.metadata import version\nfor name in ('tensorboard', 'trackio'): print(name, version(name))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise PeerError(f"{python} has no tensorboard and trackio; make bench-dashboard installs them.") from error


def follow(peer: Peer, python: str, folder: Path, browser: Browser, pace: Pace, seconds: float) -> Live:
    """Logs at ``pace`` and watches the peer's page for ``seconds`` from its first drawing."""
    folder.mkdir(parents=True)
    with (folder / "writer.log").open("w") as log, (folder / "steps").open("w") as steps:
        writer = _start(
            [python, "-m", "tests.benchmarks.dashboard_writer", "live", peer.log, str(folder)], folder, log, out=steps
        )
        try:
            assert writer.stdin
            writer.stdin.write(json.dumps(pace._asdict()).encode())
            writer.stdin.close()
            with served(peer, python, folder) as server, browser.new_context(viewport=VIEWPORT) as context:
                draws = watch(open_page(peer, context, server.url, STEPS_DRAWN), seconds)
        finally:
            _end(writer)
    return live(_logged(folder / "steps", folder / "writer.log"), draws)


def fill(peer: Peer, python: str, folder: Path, steps: int) -> float:
    """Logs a whole run of so many steps; the seconds that took."""
    folder.mkdir(parents=True)
    command = [python, "-m", WRITER, "bulk", peer.log, str(folder), str(steps)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=_environment(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(_last_line(done.stderr))
    return time.perf_counter() - began


def open_page(peer: Peer, context: BrowserContext, url: str, script: str) -> Page:
    """The peer's page, with its settings and ``script`` in place before it begins."""
    page = context.new_page()
    page.add_init_script(peer.settings + script)
    page.goto(url + peer.page)
    return page


def _start(
    command: list[str], folder: Path, log: IO[str], port: int = 0, out: IO[str] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=ROOT, env=_environment(folder, port), stdin=subprocess.PIPE, stdout=out or log, stderr=log
    )


def _environment(folder: Path, port: int = 0) -> dict[str, str]:
    """Each peer keeps what it writes in ``folder``, and sends nothing anywhere."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_PORT": str(port),
        "BROWSER": "true",  # the command of that name: nothing is opened
        "HF_HOME": str(folder / "hf"),
        "TRACKIO_DIR": str(folder / "trackio"),
    }


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, follow_redirects=True).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.1)  # another project's server has no better way to tell that it is up
    raise PeerError(f"its server did not come up: {_last_line(log.read_text(errors='replace'))}")


def _logged(path: Path, log: Path) -> Marks:
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    if not lines:
        raise PeerError(f"nothing was logged: {_last_line(log.read_text(errors='replace'))}")
    marks: list[Any] = [json.loads(line) for line in lines]
    return [(int(step), float(ms)) for step, ms in marks]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1][:200]


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started: some servers leave their helpers behind."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.terminate()
    for child in children:
        child.terminate() if child.is_running() else None
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
