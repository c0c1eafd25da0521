"""What people do before a run: bring data, see how it is read and what the model will see of it, and fill in the form."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.loopback_hub import LoopbackHub
from tests.planted import planted
from tests.serving import Server

pytestmark = pytest.mark.browser

QUESTIONS = "id,frage,antwort\n" + "".join(f'{i},"What is {i} plus 1?","It is {i + 1}."\n' for i in range(1, 121))

DROP = """
([content, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(content), (each) => each.charCodeAt(0))], name));
  return transfer;
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all of these tests: the processes that look into datasets and measure the machine take seconds to start."""
    server = Server(tmp_path_factory.mktemp("data") / "data")
    yield server
    server.stop()
    server.kill_workers()


def drop(page: Page, name: str, content: bytes) -> None:
    """Drag a file over the upload box, see that it takes it, and let go."""
    box = page.locator(".upload")
    transfer = page.evaluate_handle(DROP, [base64.b64encode(content).decode(), name])
    box.dispatch_event("dragover", {"dataTransfer": transfer})
    expect(box).to_have_class(re.compile("over"))
    box.dispatch_event("drop", {"dataTransfer": transfer})


def upload(server: Server, name: str, content: str) -> str:
    response = server.client.post("/api/datasets", files={"file": (name, content.encode())})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_a_csv_is_dropped_mapped_seen_as_tokens_and_trained_on(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#/new")
    drop(page, "questions.csv", QUESTIONS.encode())
    expect(page.get_by_label("Dataset", exact=True)).to_have_value(re.compile("^questions-"))
    dataset = page.get_by_label("Dataset", exact=True).input_value()
    page.get_by_label("Max steps").fill("4")

    page.get_by_role("link", name="Look inside or change that").click()
    expect(page.get_by_role("heading", name="questions.csv")).to_be_visible()
    page.get_by_role("radio", name="Prompt and completion").check()
    page.get_by_role("combobox", name="Prompt").select_option("frage")
    page.get_by_role("combobox", name="Completion").select_option("antwort")
    expect(page.get_by_role("columnheader", name="frage Prompt")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("columnheader", name="antwort Completion")).to_be_visible()
    expect(page.get_by_role("columnheader", name="id not used")).to_be_visible()

    # Before it is saved, the tokens show that the prompt is read and the completion is learned.
    prompt, completion = page.locator('.tokens [data-state="masked"]'), page.locator('.tokens [data-state="trained"]')
    expect(prompt.first).to_have_text(re.compile("^What"), timeout=90_000)
    expect(prompt.filter(has_text=re.compile(r"^\?$"))).to_have_count(1)
    expect(completion.first).to_have_text("·It")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Runs that start from now on read it so.")).to_be_visible()
    reading = server.client.get(f"/api/datasets/{dataset}").json()["reading"]
    assert (reading["kind"], reading["prompt"], reading["completion"]) == ("completion", "frage", "antwort")

    page.get_by_role("link", name="Train on it").click()
    expect(page.get_by_text("Read as “frage” to read, “antwort” to learn.")).to_be_visible()
    expect(page.get_by_label("Max steps")).to_have_value("4")  # what was typed before the look at the dataset
    page.get_by_role("button", name="Start training").click()
    expect(page.locator('[data-status="completed"]')).to_be_visible(timeout=90_000)
    run = server.run(page.url.rsplit("/", 1)[1])
    assert (run["config"]["dataset"], run["step"]) == (dataset, 4)


def test_a_file_that_cannot_be_used_says_where_and_why(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#/datasets")
    lines = ['{"text": "good"}'] * 6 + ['{"text": oops}'] + ['{"text": "good"}'] * 3
    drop(page, "examples.jsonl", "\n".join(lines).encode())

    expect(page.get_by_role("alert")).to_contain_text(re.compile("Line 7 is not valid JSON"))
    expect(page.get_by_role("listitem").filter(has_text="examples.jsonl")).to_have_count(0)


def test_a_dataset_of_the_hub_is_fetched_by_its_name(
    page: Page, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "poems"
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(json.dumps({"text": f"Poem {i}"}) + "\n" for i in range(30)))
    with LoopbackHub({}, {"someone/poems": folder}) as hub:
        server = start_server(hub.environment(tmp_path / "hf"))
        page.goto(f"{server.url}/#/datasets")
        page.get_by_label("From the Hugging Face hub").fill("someone/nothing")
        page.get_by_role("button", name="Fetch").click()
        expect(page.get_by_role("alert")).to_contain_text("someone/nothing", timeout=30_000)

        page.get_by_label("From the Hugging Face hub").fill("someone/poems")
        page.get_by_role("button", name="Fetch").click()
        card = page.locator(".cards li").filter(has_text="from the hub: someone/poems")
        expect(card).to_contain_text("30 examples", timeout=30_000)


def test_a_prompt_is_made_of_several_columns_and_seen_while_it_is_typed(page: Page, server: Server) -> None:
    rows = [{"task": f"Add {n}", "to": str(n) if n % 2 else "", "sum": str(2 * n), "id": n} for n in range(40)]
    dataset = upload(server, "sums.json", json.dumps(rows))
    page.goto(f"{server.url}/#/datasets/{dataset}")
    page.get_by_role("radio", name="Prompt and completion").check()
    page.get_by_role("combobox", name="Completion").select_option("sum")
    page.get_by_role("combobox", name="Prompt").select_option(label="made of several columns …")
    page.get_by_role("textbox", name="Prompt, made of").fill("Do this: {task}\n\nTo: ")
    page.get_by_role("button", name="Put in to").click()
    preview = page.get_by_role("region", name="The first rows, read so").get_by_role("listitem")
    expect(preview.nth(0).locator(".part-text")).to_have_text(["Do this: Add 0", " 0"])  # the empty paragraph is left out
    expect(preview.nth(1).locator(".part-text")).to_have_text(["Do this: Add 1\n\nTo: 1", " 2"])
    expect(page.get_by_role("columnheader", name="to Prompt")).to_be_visible()
    expect(page.get_by_role("columnheader", name="id not used")).to_be_visible()

    page.get_by_role("textbox", name="Prompt, made of").fill("{taks}")
    expect(page.get_by_role("alert").first).to_contain_text("The file has no column 'taks'")
    page.get_by_role("textbox", name="Prompt, made of").fill("{task}?")
    page.get_by_text("More choices").click()
    page.get_by_label("Between prompt and completion").select_option("A new line")
    expect(preview.nth(1).locator(".part-text")).to_have_text(["Add 1?", "\n2"])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Runs that start from now on read it so.")).to_be_visible()
    expect(page.get_by_text("Not used: “to”, “id”.")).to_be_visible()
    reading = server.client.get(f"/api/datasets/{dataset}").json()["reading"]
    assert (reading["template"], reading["separator"], reading["completion"]) == ("{task}?", "\n", "sum")


def test_the_first_row_of_a_table_is_seen_both_ways(page: Page, server: Server) -> None:
    dataset = upload(server, "beasts.csv", "cat,miaow\n" + "".join(f"beast {n},noise {n}\n" for n in range(20)))
    page.goto(f"{server.url}/#/datasets/{dataset}")
    expect(page.get_by_text("The first row is taken for the names of the columns: “cat”, “miaow”.")).to_be_visible()
    page.get_by_text("First row: the names of the columns").click()
    other = page.locator(".first-row-choice").filter(has_text="An example")
    expect(other.get_by_role("cell", name="miaow")).to_be_visible()
    page.get_by_role("radio", name="An example").check()
    expect(page.get_by_text("First row: an example")).to_be_visible()
    expect(page.get_by_text("21 examples")).to_be_visible()
    expect(page.get_by_role("columnheader", name="column 1 Prompt")).to_be_visible()
    assert server.client.get(f"/api/datasets/{dataset}").json()["header"] is False


def test_a_reading_that_does_not_suit_the_file_is_refused_at_its_place(page: Page, server: Server) -> None:
    dataset = upload(server, "holes.csv", "text,note\n" + "some text,\n" * 20)
    page.goto(f"{server.url}/#/datasets/{dataset}")
    page.get_by_role("combobox", name="Text").select_option("note")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#reading-error")).to_be_visible()
    expect(page.get_by_role("combobox", name="Text")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#reading-error")).to_have_count(0)
    assert server.client.get(f"/api/datasets/{dataset}").json()["reading"]["text"] == "text"


def test_leaks_are_shown_and_split_by_group_in_one_click(page: Page, server: Server) -> None:
    dataset = upload(server, "leaky.txt", "\n".join(planted(300, 100).texts))
    page.goto(f"{server.url}/#/datasets/{dataset}")
    near = page.get_by_role("region", name="Near-duplicates")
    expect(near).to_contain_text("validation examples are nearly the same as one that is learned", timeout=90_000)
    near.get_by_text("Examples that leak").click()
    pair = near.locator(".pair").first
    expect(pair).to_contain_text("of the words in common")
    expect(pair.locator(".tag")).to_have_count(2)
    near.get_by_role("button", name="Split by group").click()
    expect(near).to_contain_text("No validation example is nearly the same as one that is learned", timeout=30_000)
    near.get_by_role("link", name="Train on it, split by group").click()
    expect(page.get_by_label("Keep near-duplicates together")).to_be_checked()
    expect(page.get_by_label("Dataset", exact=True)).to_have_value(dataset)


def test_a_dataset_is_looked_through(page: Page, server: Server) -> None:
    """Rows by page and by number, figures, and from the longest row to its tokens."""
    lines = [f"Line {i} of the file." for i in range(1, 61)]
    lines[41] = "A line that is longer than all others, " * 12
    lines[10] = ""
    dataset = upload(server, "lines.txt", "\n".join(lines))
    page.goto(f"{server.url}/#/datasets/{dataset}")
    rows = page.locator(".rows li")
    expect(rows.first).to_contain_text("Line 1 of the file.")
    expect(page.get_by_text("1 empty row left out")).to_be_visible()
    page.get_by_role("button", name="Later").click()
    expect(rows.first).to_contain_text("Line 22 of the file.")  # the empty line 11 is no row

    page.get_by_label("Max length, in tokens").fill("16")
    figures = page.locator(".figures")
    expect(figures).to_contain_text("examples over 16 tokens", timeout=30_000)
    expect(page.locator(".histogram .limit")).to_have_count(1)
    figures.get_by_role("button", name="row 42").click()
    expect(page.get_by_role("heading", name="Row 42")).to_be_visible()
    expect(page.locator('.tokens [data-state="truncated"]').first).to_be_visible()

    page.get_by_label("Row", exact=True).fill("10")
    page.get_by_label("Row", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Row 10")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name="Row 12")).to_be_visible()

    tokens = page.get_by_role("listbox", name="Tokens of Row 12")
    tokens.focus()
    page.keyboard.press("End")
    expect(tokens.locator('[aria-selected="true"]')).to_have_count(1)
    assert tokens.get_attribute("aria-activedescendant") == tokens.locator(".token").last.get_attribute("id")
    expect(page.locator(".token-detail").first).to_contain_text(re.compile(r"id \d+"))

    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name of the dataset").fill("My lines")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My lines")).to_be_visible()
    page.goto(f"{server.url}/#/datasets")
    expect(page.get_by_role("link", name="My lines")).to_be_visible()


def test_text_from_right_to_left_and_emoji_stay_in_their_box(page: Page, server: Server) -> None:
    dataset = upload(server, "hebrew.txt", "\n".join(f"שלום עולם {i} 👩‍👩‍👧 {'א' * 400}" for i in range(20)))
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server.url}/#/datasets/{dataset}")
    expect(page.get_by_role("listbox")).to_have_attribute("dir", "rtl", timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_run_like_another_and_a_config_file_fill_the_form(page: Page, server: Server) -> None:
    first = server.create(name="First", max_steps=2, batch_size=2, sample_prompts=[], lr_scheduler="cosine")
    server.end(first["id"])
    page.goto(f"{server.url}/#/runs/{first['id']}")
    page.get_by_role("link", name="New run like this").click()
    expect(page.get_by_text("Filled in like First")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    expect(page.get_by_label("Max steps")).to_have_value("2")
    page.get_by_text("Batch and memory").click()
    expect(page.get_by_label("Batch size")).to_have_value("2")

    def choose(content: str) -> None:
        file = {"name": "config.json", "mimeType": "application/json", "buffer": content.encode()}
        page.get_by_label("Config file to import").set_input_files(file)

    choose((server.data_dir / "runs" / first["id"] / "config.json").read_text())
    expect(page.get_by_text("Filled in from config.json.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("First")
    choose(json.dumps({"batch_size": 8, "batchsize": 9}))
    expect(page.get_by_text("without what is no setting: batchsize.")).to_be_visible()
    expect(page.get_by_label("Batch size")).to_have_value("8")
    expect(page.get_by_label("Max steps")).to_have_value("")
    choose('{"batch_size": 16,}')
    expect(page.get_by_role("alert")).to_contain_text("The file is not JSON")
    expect(page.get_by_label("Batch size")).to_have_value("8")


@pytest.mark.slow  # tests/backend/runs/test_preflight.py does the same without the page
def test_a_run_that_does_not_fit_is_held_back_mended_and_started_all_the_same(page: Page, server: Server) -> None:
    # It keeps the CPU, so that what is started below waits behind it.
    first = server.create(name="Long", num_epochs=1000, sample_prompts=[])["id"]
    runs = len(server.client.get("/api/runs").json()["items"])
    words = " ".join(f"word{i}" for i in range(300))
    dataset = upload(server, "long.txt", "\n".join(f"{i} {words}" for i in range(1500)))
    page.goto(f"{server.url}/#/new?dataset={dataset}")
    page.get_by_label("Model", exact=True).select_option("mini")
    page.get_by_text("Batch and memory").click()
    page.get_by_label("Batch size").fill("1024")
    start, blocked = page.get_by_role("button", name="Start training"), page.locator(".blocked")
    expect(blocked).to_contain_text(re.compile(r"needs about [\d.]+ GB of memory"), timeout=90_000)
    expect(page.locator("#field-batch_size-error")).to_contain_text("needs about")
    expect(page.locator(".memory")).to_contain_text("does not fit")
    expect(start).to_have_count(0)
    page.get_by_label("Batch size").press("Enter")
    assert len(server.client.get("/api/runs").json()["items"]) == runs

    page.get_by_role("button", name=re.compile(r"Use batch size \d+ × accumulation \d+")).click()
    size = int(page.get_by_label("Batch size").input_value())
    assert size < 1024
    assert size * int(page.get_by_label("Gradient accumulation").input_value()) == 1024 * 4
    expect(start).to_be_visible(timeout=30_000)
    expect(page.locator(".memory")).to_contain_text("fits")

    page.get_by_label("Batch size").fill("1024")
    page.get_by_role("button", name="Start anyway").click(timeout=30_000)
    page.get_by_role("button", name="Start it").click()
    expect(page.get_by_role("heading", name="Predicted", exact=True)).to_be_visible()
    run = server.run(page.url.rsplit("/", 1)[1])
    assert (run["status"], run["config"]["batch_size"], run["predicted"]["fits"]) == ("queued", 1024, False)
    for run_id in (run["id"], first):
        server.client.post(f"/api/runs/{run_id}/stop")
    assert server.end(first)["status"] == "stopped"


@pytest.mark.slow  # tests/backend/runs/test_preflight.py measures a run without the page
def test_a_run_is_measured_before_it_starts_and_compared_when_it_has_ended(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#/new")
    page.get_by_label("Max steps").fill("8")
    forecast = page.locator(".preflight")
    measure = page.get_by_role("button", name="Measure it")
    measure.click(timeout=90_000)
    page.get_by_role("button", name="Cancel").click()
    expect(measure).to_be_enabled()
    measure.click()
    expect(forecast.get_by_role("columnheader", name="measured")).to_be_visible(timeout=60_000)
    expect(forecast.get_by_role("row", name="Memory").first).to_contain_text(re.compile(r"MB.*MB"))

    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Predicted and actual")).to_be_visible(timeout=90_000)
    row = page.get_by_role("row", name="Time per update")
    expect(row).to_contain_text(re.compile("more|less|as predicted"))
    run = server.run(page.url.rsplit("/", 1)[1])
    assert run["predicted"]["measured"]["step_seconds"] > 0
    assert run["peak_memory_bytes"] > 0


def test_what_is_wrong_stands_at_its_field_once_that_was_touched(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#/new?dataset=gone")
    expect(page.get_by_role("button", name="Dataset", exact=True)).to_be_visible(timeout=30_000)  # told beside the form
    expect(page.locator(".field-wrong")).to_have_count(0)
    page.get_by_label("Dataset", exact=True).select_option("sample")
    page.get_by_text("Batch and memory").click()
    page.get_by_label("Batch size").fill("0")
    expect(page.locator(".field-wrong")).to_contain_text("at least 1; you gave 0")
    page.get_by_label("Batch size").fill("2")
    expect(page.locator(".field-wrong")).to_have_count(0)
    expect(page.locator(".memory")).to_contain_text("fits", timeout=90_000)


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "light")])
def test_the_dataset_page_and_the_forecast_fit_both_widths_in_both_themes(
    page: Page, server: Server, width: int, theme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto(f"{server.url}/#/datasets/sample")
    expect(page.locator(".token").first).to_be_visible(timeout=90_000)
    expect(page.locator(".histogram")).to_be_visible(timeout=90_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{server.url}/#/new")
    expect(page.locator(".memory")).to_be_visible(timeout=90_000)
    page.get_by_text("What the model will see").click()
    expect(page.locator(".token").first).to_be_visible(timeout=90_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_datasets_are_mixed_and_evaluated_on_by_choosing_them(page: Page, server: Server) -> None:
    first, second = (upload(server, f"{name}.txt", f"A line of {name}.\n" * 20) for name in ("apples", "pears"))
    page.goto(f"{server.url}/#/new")
    page.get_by_label("Dataset", exact=True).select_option("sample")
    page.get_by_role("button", name="Add a dataset: Mixed with").click()
    page.get_by_label("Mixed with: dataset 1").select_option(first)
    page.get_by_label("Mixed with: share of dataset 1").fill("0.25")
    expect(page.get_by_text("The dataset itself: 75%")).to_be_visible()
    page.get_by_text("Evaluation and checkpoints").click()
    page.get_by_role("button", name="Add a dataset: Further evaluation datasets").click()
    further = page.get_by_label("Further evaluation datasets: dataset 1")
    further.select_option(second)
    assert first not in further.locator("option").evaluate_all("options => options.map((option) => option.value)")
    page.get_by_text("The same run as curl").click()
    command = page.get_by_label("curl command")
    expect(command).to_contain_text(f'"mixture":["{first}=0.25"],"evaluation_datasets":["{second}"]')
    page.get_by_label("Mixed with: share of dataset 1").fill("2")
    expect(page.get_by_text("a share between 0 and 1")).to_be_visible()
    page.get_by_role("button", name="Take out apples.txt").click()
    page.get_by_role("button", name="Take out pears.txt").click()
    expect(command).not_to_contain_text("mixture")
    expect(command).not_to_contain_text("evaluation_datasets")
