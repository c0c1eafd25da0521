"""``make bench-dashboard``: how live a curve is, how long a run may be, how many curves move at once; and the start.

Other dashboards do the same beside ours, in turns, from the interpreter that ``--peers`` names. Prints the figures and
writes their section of docs/benchmarks.md. ``--only`` measures one part, ``--quick`` everything at toy size; neither writes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from playwright.sync_api import Browser, Error

from tests.benchmarks import (
    dashboard_live,
    dashboard_million,
    dashboard_overlay,
    dashboard_peers,
    dashboard_peers_million,
    dashboard_report,
)
from tests.benchmarks.dashboard_live import Live
from tests.benchmarks.dashboard_peers import TENSORBOARD, TENSORBOARD_PRESSED, TRACKIO, PeerError
from tests.benchmarks.dashboard_start import sample_run, starts
from tests.benchmarks.document import write_section
from tests.browsing import chromium, find_chromium

OURS = "Trainboard"
Found = TypeVar("Found")


@dataclass(frozen=True)
class Sizes:
    """Seconds that a page is watched and that frames are traced, and the steps of a long run."""

    watch_s: float = 60
    trace_s: float = 10
    steps: int = 1_000_000


@dataclass(frozen=True)
class Bench:
    folder: Path
    browser: Browser
    peers: str
    sizes: Sizes

    def start(self) -> str:
        """The time to start a server, and the sample run."""
        folder = self.folder / "start"
        return dashboard_report.start([*starts(folder), *sample_run(folder, self.browser)])

    def live(self) -> str:
        """Ours first and last, the others in between, at the pace of the first."""
        say("live: ours")
        first, pace = dashboard_live.ours(self.folder / "live-first", self.browser, self.sizes.watch_s)
        found: dict[str, Live | str] = {OURS: first}
        for number, peer in enumerate((TENSORBOARD, TENSORBOARD_PRESSED, TRACKIO)):
            say(f"live: {peer.name}")
            place = (self.peers, self.folder / f"live-{number}", self.browser)
            found[peer.name] = attempt(dashboard_peers.follow, peer, *place, pace, self.sizes.watch_s)
        say("live: ours again")
        last, _ = dashboard_live.ours(self.folder / "live-last", self.browser, self.sizes.watch_s)
        found[OURS] = Live(first.lags + last.lags, first.logged + last.logged)
        return dashboard_report.live(found, self.sizes.watch_s)

    def million(self) -> str:
        """A long run in each."""
        say("million: ours")
        ours = dashboard_million.ours(self.folder / "million", self.browser, self.sizes.steps)
        found = {}
        for peer in (TENSORBOARD, TRACKIO):
            say(f"million: {peer.log}")
            place = (self.peers, self.folder / f"million-{peer.log}", self.browser)
            found[peer.log] = attempt(dashboard_peers_million.measure, peer, *place, self.sizes.steps)
        return dashboard_report.million(ours, found)

    def overlay(self) -> str:
        """Frame times of fifty runs in one chart."""
        say("overlay")
        return dashboard_report.overlay(dashboard_overlay.measure(self.folder / "overlay", self.browser, self.sizes.trace_s))


PARTS: dict[str, Callable[[Bench], str]] = {
    "live": Bench.live, "million": Bench.million, "overlay": Bench.overlay, "start": Bench.start,
}  # fmt: skip


def attempt(measure: Callable[..., Found], *arguments: Any) -> Found | str:
    """What it gives, or why it could not be measured: one dashboard's fault must not cost the others' figures."""
    try:
        return measure(*arguments)
    except (PeerError, Error, httpx.HTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        say(f"failed: {reason}")
        return reason


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    arguments = _arguments()
    executable = find_chromium()
    if executable is None:
        raise SystemExit("make bench-dashboard needs Chromium. On Debian and Ubuntu: apt install chromium")
    try:
        peers = dashboard_peers.versions(arguments.peers)
    except PeerError as error:
        raise SystemExit(str(error)) from error
    sizes = Sizes(watch_s=5, trace_s=2, steps=20_000) if arguments.quick else Sizes()
    parts = [arguments.only] if arguments.only else list(PARTS)
    tables = []
    with tempfile.TemporaryDirectory() as folder, chromium(executable) as browser:
        bench = Bench(Path(folder), browser, arguments.peers, sizes)
        for part in parts:
            tables.append(PARTS[part](bench))
            say(f"\n{tables[-1]}\n")
        text = dashboard_report.section(tables, [f"Chromium {browser.version}", *peers])
    if not arguments.only and not arguments.quick:
        write_section("dashboard", text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=".venv-peers/bin/python", help="the interpreter that has tensorboard and trackio")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--quick", action="store_true", help="toy sizes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
