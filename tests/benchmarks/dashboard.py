"""``make bench``: how soon the server is up, how much memory it takes, how long the sample run lasts, how live a curve is.

Prints the figures and writes their section of docs/benchmarks.md, with the machine beside them. They are absolute times
of one machine: compare two of them only if they were taken on the same one, idle.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import expect

from tests.benchmarks.document import origin, write_section
from tests.browsing import LISTEN_FOR_DRAWING, chromium, find_chromium
from tests.serving import Server


def main() -> None:
    executable = find_chromium()
    if executable is None:
        raise SystemExit("make bench needs Chromium. On Debian and Ubuntu: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        rows = [*starts(Path(folder) / "data"), *sample_run(Path(folder) / "data", executable)]
    text = report(rows)
    write_section("dashboard", text)
    print(text)


def starts(data_dir: Path) -> list[tuple[str, str]]:
    rows = []
    for name in ("server up, new data directory", "server up, existing data directory"):
        began = time.perf_counter()
        server = Server(data_dir)
        rows.append((name, f"{time.perf_counter() - began:.1f} s"))
        server.stop()
    return rows


def sample_run(data_dir: Path, executable: str) -> list[tuple[str, str]]:
    """From the click on the page's button to the word Completed, the browser watching all along."""
    server = Server(data_dir, {"OMP_NUM_THREADS": str(psutil.cpu_count(logical=True))})
    with chromium(executable) as browser:
        page = browser.new_page()
        page.add_init_script(LISTEN_FOR_DRAWING)
        page.goto(server.url)
        began = time.perf_counter()
        page.get_by_role("button", name="Start the sample run").click()
        expect(page.locator('[data-status="completed"]')).to_be_visible(timeout=600_000)
        seconds = time.perf_counter() - began
        lags = page.evaluate("window.lags")
        expect(page.get_by_text(re.compile("Validation loss fell"))).to_be_visible()
    run = server.client.get("/api/runs").json()["items"][0]
    events = server.client.get(f"/api/runs/{run['id']}/events?limit=10000").json()["items"]
    first = next(event["loss"] for event in events if event["type"] == "evaluation")
    memory = psutil.Process(server.process.pid).memory_info().rss
    server.stop()
    return [
        ("sample run, click to Completed", f"{seconds:.0f} s"),
        ("validation loss, before → after", f"{first:.2f} → {run['validation_loss']:.2f}"),
        ("worker's append to drawn, p50", f"{statistics.median(lags):.0f} ms"),
        ("worker's append to drawn, p95", f"{statistics.quantiles(lags, n=20)[-1]:.0f} ms ({len(lags)} drawings)"),
        ("server's memory after the run", f"{memory / 1e6:.0f} MB"),
    ]


def report(rows: list[tuple[str, str]]) -> str:
    figures = "\n".join(f"| {name} | {figure} |" for name, figure in rows)
    return f"""## Dashboard

{origin("make bench")}, no GPU used.
Absolute times of one machine.

| what | figure |
|---|---|
{figures}
"""


if __name__ == "__main__":
    main()
