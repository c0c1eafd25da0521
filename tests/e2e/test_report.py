"""What a run leaves for elsewhere: its report opened from disk, the downloads, and a notification of its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.datasets.sample_corpus import sample_lines
from backend.runs import lifecycle
from backend.runs.tailer import Tailer
from tests.backend.records import Records, story
from tests.serving import Server
from worker.contract import MessageEvent

pytestmark = pytest.mark.browser

EVIL = '<script>document.title="taken"</script> "quoted" & co'


@pytest.fixture
def recorded(tmp_path: Path, start_server: Callable[..., Server]) -> tuple[Server, str]:
    """A server with a run that has ended and was never run."""
    records = Records(tmp_path / "data")
    run_id = records.add("starting", "running", name=EVIL)
    events = [*story(400)[:-1], MessageEvent(level="warning", text="The loss was not a number at step 7.")]
    for seq, event in enumerate(events, 1):
        event.seq = seq
        event.time = event.time or events[0].time
    records.append(run_id, *events)
    Tailer(records.database, records.settings.runs_dir).ingest(run_id)
    with records.database.write() as connection:
        assert lifecycle.transition(connection, run_id, "completed")
    records.database.close()
    return start_server(data_dir=records.settings.data_dir), run_id


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_report_opens_from_disk_and_asks_for_nothing(
    recorded: tuple[Server, str], browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    server, run_id = recorded
    path = tmp_path / "report.html"
    path.write_bytes(server.client.get(f"/api/runs/{run_id}/files/report.html").content)
    server.stop()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(path.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(EVIL)
    assert page.title() == f"{EVIL} · Trainboard"
    expect(page.get_by_role("img", name="Loss: from")).to_be_visible()
    expect(page.get_by_text("The loss was not a number at step 7.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing reaches beyond the screen"
    assert [url for url in requests if url != path.as_uri() and not url.startswith("data:")] == []
    assert problems == []
    page.screenshot(path=tmp_path / f"report-{width}.png", full_page=True)
    context.close()


def test_the_runs_page_offers_its_files(recorded: tuple[Server, str], page: Page) -> None:
    server, run_id = recorded
    page.goto(f"{server.url}/#/runs/{run_id}")
    page.get_by_text("Download").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Report").click()
    assert download.value.suggested_filename.endswith("-report.html")
    for name in ("Numbers, CSV", "Numbers, JSON lines", "TensorBoard", "Log of events"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.failure() is None


STUB = """
window.told = [];
window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted"); }
  constructor(title, options) { window.told.push({ title, ...options, click: () => this.onclick() }); }
  close() {}
};
"""


def test_the_end_of_a_run_is_notified_once_asked_for(server: Server, page: Page) -> None:
    text = "\n".join(sample_lines(seed=3)[:60])
    dataset = server.client.post("/api/datasets", files={"file": ("few.txt", text)}).json()["id"]
    page.add_init_script(STUB)
    page.goto(server.url)
    bell = page.get_by_role("button", name="Notify me when a run ends or goes wrong")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    run_id = server.create(dataset=dataset, name="fox", num_epochs=1, max_steps=2, sample_prompts=[])["id"]
    expect(page.locator('[data-status="completed"]')).to_be_visible(timeout=120_000)
    titles = [one["title"] for one in page.evaluate("window.told")]
    warnings = [one["title"] for one in server.run(run_id)["findings"] if one["level"] in ("warning", "error")]
    assert warnings, "so few examples are something to warn of"
    assert sorted(titles[:-1]) == sorted(f"fox: {title}" for title in warnings), "each once"
    assert titles[-1].split(" — ")[0] == "fox completed"
    assert "validation loss" in titles[-1]
    page.evaluate("window.told.at(-1).click()")
    expect(page).to_have_url(f"{server.url}/#/runs/{run_id}")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")


def test_a_browser_that_blocks_notifications_is_told_of(shared_server: Server, page: Page) -> None:
    page.add_init_script(STUB.replace('"granted"', '"denied"'))
    page.goto(shared_server.url)
    bell = page.get_by_role("button", name="Notify me when a run ends or goes wrong")
    bell.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("This browser blocks notifications of this page.")).to_be_visible()
    expect(bell).to_have_attribute("aria-pressed", "false")


def test_without_notifications_in_the_browser_there_is_no_bell(shared_server: Server, page: Page) -> None:
    page.add_init_script("delete window.Notification;")
    page.goto(shared_server.url)
    expect(page.get_by_role("button", name="Switch to the")).to_be_visible()
    expect(page.get_by_role("button", name="Notify me when a run ends or goes wrong")).to_have_count(0)
