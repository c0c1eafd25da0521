"""The playground: models side by side, chats, the slider over checkpoints, and votes that become a dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browsing import TOLD_TO_ANSWER, serious_problems
from tests.serving import Server

pytestmark = pytest.mark.browser

ENDED = re.compile(r"tokens, [\d.,]+ per second")
QUESTION = "What is 2+2?"


class Site(NamedTuple):
    """A server with a run that learned from chats, of which two checkpoints are kept, and one that was tuned from it."""

    server: Server
    base: str
    tuned: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    server = Server(tmp_path_factory.mktemp("playground") / "data")
    rows = [(f"What is {n}+{n}?", f"It is {n + n}, my friend.") for n in range(20)]
    chats = [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in rows]
    content = "".join(json.dumps({"messages": chat}) + "\n" for chat in chats).encode()
    dataset = server.client.post("/api/datasets", files={"file": ("sums.jsonl", content)}).json()["id"]
    common: dict[str, Any] = {"dataset": dataset, "batch_size": 2, "learning_rate": 1e-2, "sample_prompts": []}
    base = server.create(name="Base", max_steps=6, save_steps=2, eval_steps=2, keep_checkpoints=5, **common)["id"]
    assert server.end(base)["status"] == "completed"
    tuned = server.create(name="Tuned", model_name=f"run:{base}", max_steps=2, **common)["id"]
    assert server.end(tuned)["status"] == "completed"
    yield Site(server, base, tuned)
    server.stop()


def asked(page: Page) -> list[Request]:
    """The requests for answers from now on, in a list that grows."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if request.url.endswith("/api/generate") else None)
    return found


def open_playground(page: Page, site: Site, query: str) -> None:
    page.goto(f"{site.server.url}/#/playground?{query}")
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()


def message(page: Page) -> Any:
    return page.get_by_role("textbox", name="Message", exact=True)


def said(site: Site, model: str, **request: Any) -> str:
    """What the server answers when it is asked without a page, always with the likeliest tokens."""
    return site.server.generate(model=model, temperature=0, **request)[-1][1]["text"]


def prompt_of(site: Site, **request: Any) -> str:
    """What the model gets to read."""
    events = dict(site.server.generate(**request, echo=True, max_new_tokens=0, top_logprobs=0))
    return "".join(token["token"] for token in events["prompt"]["tokens"])


def test_base_and_tuned_are_compared_from_the_runs_page(page: Page, site: Site) -> None:
    requests = asked(page)
    order: list[str] = []
    for event in ("request", "requestfinished", "requestfailed"):  # a stream that was read to its end is closed by the page
        name = "asked" if event == "request" else "ended"
        page.on(event, lambda request, name=name: order.append(name) if request.url.endswith("/api/generate") else None)
    page.goto(f"{site.server.url}/#/runs/{site.tuned}")
    page.get_by_role("link", name="Compare with its base").click()
    message(page).fill(QUESTION)
    page.get_by_label("Temperature").fill("3")  # so that no answer is over at once
    message(page).press("Enter")
    expect(page.get_by_text(ENDED)).to_have_count(2, timeout=60_000)
    bodies = [request.post_data_json for request in requests]
    assert [body["model"] for body in bodies] == [f"run:{site.tuned}", f"run:{site.base}"]
    assert order[:2] == ["asked", "asked"], "they were not written at once"
    assert bodies[0]["seed"] == bodies[1]["seed"]
    assert bodies[0]["messages"] == bodies[1]["messages"] == [{"role": "user", "content": QUESTION}]
    texts = page.locator("[data-generated]").all_inner_texts()
    assert len(texts) == 2
    assert texts[0] != texts[1]

    def hold(route: Route) -> None:
        """Keeps one model from answering, as so small a one might end before it is stopped."""
        if route.request.post_data_json["model"] == f"run:{site.base}":
            route.continue_()

    page.route("**/api/generate", hold)
    message(page).fill("And then?")
    message(page).press("Enter")
    page.get_by_role("button", name="Stop Tuned").click()
    expect(page.get_by_text("Stopped.")).to_have_count(1)
    expect(page.get_by_text(ENDED)).to_have_count(3, timeout=60_000)  # the other one went on

    page.unroute("**/api/generate")
    page.route("**/api/generate", lambda route: None)
    message(page).fill("What else?")
    message(page).press("Enter")
    expect(page.get_by_role("button", name="Stop Base")).to_be_visible()
    before = len(requests)
    message(page).fill("Not to be sent")
    page.get_by_role("button", name="Stop all").click()
    expect(page.get_by_text("Stopped.")).to_have_count(3)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    assert len(requests) == before


def test_a_chat_is_edited_retried_continued_and_shortened(page: Page, site: Site) -> None:
    model = f"run:{site.base}"
    requests = asked(page)
    open_playground(page, site, f"model={model}&temperature=0&max_new_tokens=3")
    expect(page.get_by_text("Messages in the model's own chat format.")).to_be_visible()
    page.get_by_label("System message").fill("Be kind.")
    message(page).fill(QUESTION)
    message(page).press("Enter")
    expect(page.get_by_text("Stopped at max new tokens.")).to_be_visible(timeout=60_000)
    page.get_by_label("Max new tokens").fill("4")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("4 tokens,")).to_be_visible(timeout=60_000)
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}]
    assert requests[-1].post_data_json["continue_answer"]
    begun = [*messages, {"role": "assistant", "content": "It is"}]
    read = prompt_of(site, model=model, messages=begun, continue_answer=True)
    assert read == prompt_of(site, model=model, messages=messages) + "It is"
    whole = said(site, model, messages=messages, max_new_tokens=7)
    expect(page.locator("[data-generated]")).to_have_text(whole.strip())
    completion = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 7}
    choice = site.server.client.post("/v1/chat/completions", json=completion).json()["choices"][0]
    assert choice["message"]["content"] == whole

    message(page).fill("And then?")
    message(page).press("Enter")
    expect(page.get_by_text(re.compile("max new tokens|ended here"))).to_have_count(2, timeout=60_000)
    sent = requests[-1].post_data_json["messages"]
    assert sent == [*messages, {"role": "assistant", "content": whole}, {"role": "user", "content": "And then?"}]

    page.get_by_text("Tokens that are sent").click()
    line = page.get_by_role("listbox", name="Tokens that are sent")
    expect(line).to_contain_text("<|endoftext|>", timeout=60_000)  # the marks of the chat format are tokens too
    shown = "".join(line.get_by_role("option").all_inner_texts()).replace("·", " ").replace("⏎", "\n")
    assert shown == prompt_of(site, model=model, messages=sent)
    page.get_by_text("Tokens that are sent").click()

    page.get_by_role("button", name="Edit this message").first.click()
    page.get_by_role("textbox", name="Message", exact=True).first.fill("What is 3+3?")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".question-text")).to_have_text(["What is 3+3?"])
    expect(page.get_by_text(re.compile("max new tokens|ended here"))).to_have_count(1, timeout=60_000)
    assert [each["content"] for each in requests[-1].post_data_json["messages"]] == ["Be kind.", "What is 3+3?"]

    before = len(requests)
    page.get_by_role("button", name="Retry this message").click()
    expect(page.get_by_text(re.compile("max new tokens|ended here"))).to_have_count(1, timeout=60_000)
    assert len(requests) == before + 1
    assert requests[-1].post_data_json["messages"] == requests[-2].post_data_json["messages"]
    page.get_by_role("button", name="Delete this message").click()
    expect(page.locator(".turn")).to_have_count(0)


def test_an_answer_is_edited_and_gone_on_with(page: Page, site: Site) -> None:
    model, mine = f"run:{site.base}", "It is not 4, but"
    requests = asked(page)
    open_playground(page, site, f"model={model}&temperature=0&max_new_tokens=3")
    message(page).fill(QUESTION)
    message(page).press("Enter")
    ended = page.get_by_text(re.compile("max new tokens|ended here"))
    expect(ended).to_have_count(1, timeout=60_000)
    edit = page.get_by_role("button", name="Edit the answer of Base")
    box = page.get_by_role("textbox", name="Answer of Base")
    written = page.locator("[data-generated]")
    before = written.inner_text()
    edit.click()
    box.fill("Never mind")
    box.press("Escape")
    expect(edit).to_be_focused()
    expect(written).to_have_text(before)
    edit.click()
    expect(box).to_be_focused()
    box.fill(mine)
    box.press("Control+Enter")
    expect(written).to_have_text(mine)
    expect(page.get_by_text("You edited it.")).to_be_visible()

    page.get_by_role("button", name="Continue").click()
    expect(ended).to_have_count(1, timeout=60_000)
    begun = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": mine}]
    assert requests[-1].post_data_json["messages"] == begun
    whole = mine + said(site, model, messages=begun, continue_answer=True, max_new_tokens=3)
    expect(written).to_have_text(whole)
    page.get_by_label("Show probabilities").check()
    expect(page.locator(".answer-text")).to_have_text(mine)  # nothing is known of it
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(3)

    message(page).fill("And then?")
    page.get_by_role("button", name="Send").click()
    expect(message(page)).to_be_focused()
    expect(ended).to_have_count(2, timeout=60_000)
    assert [each["content"] for each in requests[-1].post_data_json["messages"]] == [QUESTION, whole, "And then?"]


def test_the_end_of_a_long_answer_stays_in_sight_unless_the_reader_leaves_it(page: Page, site: Site) -> None:
    page.add_init_script(TOLD_TO_ANSWER)
    open_playground(page, site, f"model=run:{site.base}")
    page.set_viewport_size({"width": 1000, "height": 700})
    message(page).fill(QUESTION)
    message(page).press("Enter")

    def write(lines: int) -> None:
        page.evaluate("async (lines) => { for (let n = 0; n < lines; n++) await say(`Line ${n}.\\n`); }", lines)

    def hidden() -> float:
        """How far the end of what is written is below what the composer leaves to see."""
        bottoms = "[document.querySelector('.answer-text').getBoundingClientRect().bottom, "
        tops = "document.querySelector('.composer').getBoundingClientRect().top]"
        bottom, top = page.evaluate(bottoms + tops)
        return float(bottom - top)

    write(60)
    assert hidden() <= 0
    expect(message(page)).to_be_focused()
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -500)
    to_end = page.get_by_role("button", name="To the end")
    expect(to_end).to_be_visible()
    place = page.evaluate("scrollY")
    write(20)
    assert page.evaluate("scrollY") == place
    assert hidden() > 400
    to_end.click()
    expect(to_end).to_have_count(0)
    write(20)
    assert hidden() <= 0


def test_one_prompt_slides_over_a_runs_checkpoints(page: Page, site: Site) -> None:
    page.goto(f"{site.server.url}/#/runs/{site.base}")
    page.get_by_role("link", name="Slide through them").click()
    page.get_by_role("combobox", name="Preset").select_option("Likeliest words")
    page.get_by_label("Max new tokens").fill("8")
    message(page).fill(QUESTION)
    page.get_by_role("button", name="Ask 3 checkpoints").click()
    slider = page.get_by_role("slider", name="Checkpoint")
    expect(page.locator('.sweep-marks [data-state="done"]')).to_have_count(3, timeout=60_000)
    slider.focus()
    steps = []
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
        where = re.fullmatch(r"Step (\d+)(?:, final)?, validation loss [\d.]+", slider.get_attribute("aria-valuetext") or "")
        assert where
        steps.append(int(where[1]))
        model = f"run:{site.base}" + ("" if steps[-1] == 6 else f"@step-{steps[-1]:06}")
        answer = said(site, model, messages=[{"role": "user", "content": QUESTION}], max_new_tokens=8)
        expect(page.locator("[data-generated]")).to_have_text(answer.strip())
    assert steps == [2, 4, 6]

    requests = asked(page)
    page.route("**/api/generate", lambda route: None)  # none answers, so that there is time to stop
    page.get_by_role("button", name="Ask 3 checkpoints").click()
    expect(page.get_by_text("0 of 3 have answered")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Ask 3 checkpoints")).to_be_enabled()
    assert len(requests) == 1


def test_ten_blind_votes_become_a_dataset(page: Page, site: Site) -> None:
    open_playground(page, site, f"model=run:{site.base}&model=run:{site.tuned}&form=prompt&temperature=2&max_new_tokens=5")
    page.get_by_label("Blind").check()
    bar = page.get_by_role("group", name="Which answer is better?")
    number = 0
    while number < 10:
        page.get_by_role("textbox", name="Prompt").fill(f"Number {number} is")
        page.get_by_role("button", name="Generate").click()
        expect(bar).to_be_visible(timeout=60_000)
        texts = page.locator("[data-generated]").all_inner_texts()
        if texts[0] == texts[1] or not all(text.strip() for text in texts):
            continue  # nothing to prefer
        names = page.locator(".answer h3").all_inner_texts()
        assert names == ["Answer A", "Answer B"]
        assert "per second" not in page.locator(".answers").inner_text(), "its speed would give a model away"
        bar.get_by_role("button", name=f"Answer {'AB'[number % 2]}").click()
        expect(page.get_by_text(re.compile("You found (Base|Tuned) better."))).to_be_visible()
        assert sorted(page.locator(".answer h3").all_inner_texts()) == ["Base", "Tuned"]
        number += 1
    votes = site.server.client.get("/api/votes").json()
    assert votes["total"] == 10
    assert all(vote["blind"] and vote["settings"]["temperature"] == 2 for vote in votes["items"])
    assert sum(each["won"] for each in votes["models"]) == 10

    page.get_by_role("heading", name="Votes").click()
    expect(page.locator(".votes")).to_contain_text("10")
    page.get_by_role("button", name="Make a dataset of them").click()
    page.get_by_role("link", name="Votes on texts.jsonl").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Votes on texts.jsonl")).to_be_visible()
    dataset = next(
        each for each in site.server.client.get("/api/datasets").json()["items"] if each["name"].startswith("Votes")
    )
    assert (dataset["rows"], dataset["columns"]) == (10, ["prompt", "chosen", "rejected"])


def test_each_token_tells_its_probability_and_the_alternatives(page: Page, site: Site) -> None:
    open_playground(
        page, site, f"model=run:{site.base}&form=prompt&temperature=0&max_new_tokens=6&prompt={QUESTION.replace('+', '%2B')}"
    )
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text(ENDED)).to_be_visible(timeout=60_000)
    page.get_by_label("Show probabilities").check()
    line = page.get_by_role("listbox", name=re.compile("Tokens of the answer"))
    line.focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    events = site.server.generate(
        model=f"run:{site.base}", prompt=QUESTION, chat=False, temperature=0, max_new_tokens=6, top_logprobs=2
    )
    tokens = [data for event, data in events if event == "token"]
    expect(line.get_by_role("option")).to_have_count(len(tokens))
    detail = page.locator(".likely .token-detail")
    expect(detail).to_contain_text(f"2 of {len(tokens)}")
    expect(detail).to_contain_text("the likeliest")
    second = tokens[1]["top_logprobs"][1]
    expect(detail.locator(".alternatives")).to_contain_text(second["token"].strip() or "·")
    expect(detail.locator("strong")).to_have_text(re.compile(r"^[\d.]+%$"))


def test_presets_history_and_links_keep_what_was_set(page: Page, site: Site) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_playground(page, site, f"model=run:{site.base}&form=prompt&max_new_tokens=4")
    page.get_by_label("Top k").fill("7")
    page.get_by_role("button", name="Save as a preset").click()
    page.get_by_label("Name of the preset").fill("Mine")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Preset").locator("option:checked")).to_have_text("Mine")
    page.get_by_role("textbox", name="Prompt").fill("Kept for later")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text(ENDED)).to_be_visible(timeout=60_000)
    answer = page.locator("[data-generated]").inner_text()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")

    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Kept for later")
    expect(page.get_by_label("Top k")).to_have_value("7")
    expect(page.get_by_role("combobox", name="Preset").locator("option:checked")).to_have_text("Mine")
    page.get_by_role("combobox", name="Preset").select_option("Lively")
    expect(page.get_by_label("Min p")).to_have_value("0.05")

    page.get_by_role("button", name="History").click()
    page.get_by_role("button", name=re.compile("Kept for later")).click()
    expect(page.locator("[data-generated]")).to_have_text(answer)
    page.get_by_role("button", name="History").click()
    page.get_by_role("button", name="Clear the history").click()
    page.get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()


@pytest.mark.parametrize("view", ["chat", "checkpoints"])
def test_axe_finds_nothing_serious_in_what_was_answered(page: Page, site: Site, view: str) -> None:
    if view == "chat":
        open_playground(page, site, f"model=run:{site.base}&model=run:{site.tuned}&max_new_tokens=12&temperature=1")
        message(page).fill(QUESTION)
        message(page).press("Enter")
        expect(page.get_by_text(ENDED)).to_have_count(2, timeout=60_000)
        page.get_by_label("Show probabilities").check()
        for fold in ("Tokens that are sent", "As code"):
            page.get_by_text(fold, exact=True).click()
        expect(page.get_by_role("listbox", name="Tokens that are sent")).to_be_visible(timeout=60_000)
    else:
        open_playground(page, site, f"checkpoints={site.base}")
        page.get_by_label("Show probabilities").check()
        page.get_by_role("button", name="Ask 3 checkpoints").click()
        expect(page.locator('.sweep-marks [data-state="done"]')).to_have_count(3, timeout=60_000)
    assert serious_problems(page) == []
