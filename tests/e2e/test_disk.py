"""The disk page tells what takes the disk, frees it, and keeps what is chosen to go by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.serving import Server

pytestmark = pytest.mark.browser


def test_checkpoints_are_freed_and_a_rule_is_kept(shared_server: Server, page: Page) -> None:
    settings = {
        "max_steps": 4,
        "save_steps": 1,
        "eval_steps": 4,
        "keep_checkpoints": 4,
        "max_length": 32,
        "sample_prompts": [],
    }
    run_id = shared_server.create(model_name="tiny", name="Takes room", **settings)["id"]
    shared_server.end(run_id)
    page.goto(f"{shared_server.url}/#/")
    page.get_by_role("link", name="free").click()
    row = page.get_by_role("row", name="Takes room")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Free").click()
    row.get_by_role("group").get_by_role("button", name="Free").click()
    expect(page.get_by_role("status")).to_contain_text("of “Takes room” are free: step-000001, step-000002, step-000003.")
    expect(row.get_by_role("button", name="Free")).to_have_count(0)
    folder = shared_server.data_dir / "runs" / run_id / "checkpoints"
    assert [path.name for path in folder.iterdir()] == ["step-000004"]

    page.get_by_label("Above a quota of GB").fill("1.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("holds from now on")
    assert shared_server.client.get("/api/disk").json()["retention"]["quota_bytes"] == 1_500_000_000
    page.reload()
    expect(page.get_by_label("Above a quota of GB")).to_have_value("1.5")
    page.get_by_label("Above a quota of GB").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("holds from now on")
    assert shared_server.client.get("/api/disk").json()["retention"]["quota_bytes"] is None
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("group").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert shared_server.client.get(f"/api/runs/{run_id}").status_code == 404
