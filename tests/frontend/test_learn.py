"""Everything a person meets has its explanation in Learn, and no link of Learn leads nowhere."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from backend.runs.lifecycle import TRANSITIONS
from tests.node import CODE, asked
from worker.contract import RunConfig
from worker.contract.events import Event
from worker.training.schedule import learning_rate_share

SERVER_EVENTS = {"server", "finding"}
RULES = {
    "learning", "flat", "rising", "spike", "nonfinite", "near_zero", "overfitting", "clipping",
    "vanishing_gradient", "learning_rate_high", "learning_rate_low", "no_warmup", "too_little_data",
    "noisy_evaluation", "no_evaluation", "duplicates", "leaked_validation", "unlearned_rows", "slow_input",
    "idle_device", "small_batch", "memory_full", "stalled",
}  # fmt: skip
"""What was promised; the coach's own list is looked at too where there is one."""


@pytest.fixture(scope="module")
def learn() -> dict[str, Any]:
    return asked(
        """{
          titles: index.TITLES, ...links, numbers: numbers.NUMBERS, content: content.CONTENT,
          toys: Object.keys(figures.FIGURES_TO_TRY), lessons: lessons.LESSONS,
          questions: questions.QUESTIONS, charts: charts.FIGURES.map(({ id }) => id),
        }""",
        index="stores/learn/index.js",
        links="stores/learn/links.js",
        numbers="stores/learn/numbers.js",
        content="pages/learn/content.js",
        figures="stores/learn/figures.js",
        lessons="stores/learn/lessons.js",
        questions="stores/learn/questions.js",
        charts="pages/run/charts/figures.js",
    )


def test_every_setting_event_chart_status_and_rule_has_its_page(learn: dict[str, Any]) -> None:
    events = {model.model_fields["type"].default for model in get_args(get_args(Event)[0])}
    assert len(events) > 9, "the events were not seen"
    assert RunConfig.model_fields.keys() <= learn["SETTINGS"].keys()
    assert learn["EVENTS"].keys() == events | SERVER_EVENTS
    assert learn["CHARTS"].keys() == set(learn["charts"])
    assert {page for _, page in learn["questions"]} <= learn["titles"].keys()
    pages = {*learn["SETTINGS"].values(), *learn["EVENTS"].values(), *learn["CHARTS"].values(), *TRANSITIONS, *RULES}
    assert pages <= learn["titles"].keys()


def test_every_rule_of_the_coach_has_its_page(learn: dict[str, Any]) -> None:
    rule_book = pytest.importorskip("backend.coach.rule_book")
    assert rule_book.RULES.keys() <= learn["titles"].keys()


def test_every_page_is_there_says_two_sentences_and_leads_on(learn: dict[str, Any]) -> None:
    assert learn["content"].keys() == learn["titles"].keys()
    lessons = {lesson["name"] for lesson in learn["lessons"]}
    for name, page in learn["content"].items():
        assert len(re.findall(r"[.:!?](?:\s|$)", page["about"])) >= 2, name
        assert set(page.get("also", [])) <= learn["titles"].keys() - {name}, name
        assert page.get("figure", "fit") in learn["toys"], name
        assert page.get("lesson") in lessons | {None}, name
        if formula := page.get("formula"):
            assert formula["words"].endswith("."), name
            assert formula["math"].count("<m") == formula["math"].count("</m") > 2, name


def test_every_finding_says_how_it_looks_here_and_what_to_do(learn: dict[str, Any]) -> None:
    for rule in RULES:
        page = learn["content"][rule]
        assert page["see"], rule
        assert page["remedies"], rule


def test_what_machine_remedies_say_has_its_numbers() -> None:
    machine = {
        "cpu_count": 12,
        "memory_bytes": 34e9,
        "memory_available_bytes": 21e9,
        "disk_free_bytes": 77e9,
        "devices": [{"id": "cpu", "name": "a processor", "memory_bytes": 34e9}],
    }
    said = asked(
        "Object.values(content.CONTENT).flatMap(({ remedies = [] }) => remedies)"
        ".filter((each) => typeof each === 'function').map((each) => each(given))",
        machine,
        content="pages/learn/content.js",
    )
    assert len(said) >= 8
    for sentence in said:
        assert re.search(r"12|34 GB|21 GB|77 GB", sentence), sentence


def test_every_page_opens_where_a_run_shows_it(learn: dict[str, Any]) -> None:
    """The address is one that the router knows, and the part that it scrolls to is there."""
    opens = sorted({page["opens"] for page in learn["content"].values() if "opens" in page})
    run = {"id": "20260101-000000-ab12", "config": {"dataset": "sample"}}
    places = asked(
        "given.opens.map((each) => { const { label, href } = opens.placeOf(each, given.run);"
        " return { label, page: router.parseRoute(href).page, show: router.parseRoute(href).query.get('show') }; })",
        {"opens": opens, "run": run},
        opens="stores/learn/opens.js",
        router="router.js",
    )
    source = "".join(path.read_text(encoding="utf-8") for path in (CODE / "pages" / "run").rglob("*.js"))
    for name, place in zip(opens, places, strict=True):
        if name != "microscope":  # a page of its own, which another test opens
            assert place["page"] != "unknown", name
        if place["show"]:
            assert place["show"] in learn["charts"] or f'data-part="{place["show"]}"' in source, name


def test_every_number_that_is_explained_has_its_words(learn: dict[str, Any]) -> None:
    for name, meaning in learn["numbers"].items():
        assert meaning["page"] in learn["titles"], name
        assert meaning["what"].endswith("."), name
        assert meaning["from"].endswith("."), name
    used: set[str] = set()
    for path in CODE.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'(?:<\$\{Explained\} number=|data-explain=|\bnumber=|number: )"(\w+)"', text))
    used |= set(re.findall(r'\bid="(\w+)"', (CODE / "pages" / "run" / "metrics.js").read_text(encoding="utf-8")))
    assert {"loss", "speed", "best", "forecast_time", "peak_memory"} <= used
    assert used <= learn["numbers"].keys()


def test_links_to_learn_that_stand_in_the_code_lead_somewhere(learn: dict[str, Any]) -> None:
    for path in CODE.rglob("*.js"):
        for name in re.findall(r'(?:learnLink\("|href="#/learn/)([\w-]+)"', path.read_text(encoding="utf-8")):
            assert name in learn["titles"], f"{path} leads to {name}"


def test_learn_fetches_nothing_from_elsewhere() -> None:
    for folder in ("pages/learn", "stores/learn"):
        for path in (CODE / folder).rglob("*.js"):
            assert not re.search(r"https?://|//cdn", path.read_text(encoding="utf-8")), path


def test_the_schedule_that_is_drawn_is_the_worker_s() -> None:
    cases = [
        (schedule, step, 50, warmup)
        for schedule in ("linear", "cosine", "cosine_with_restarts", "warmup_stable_decay", "constant")
        for warmup in (0.0, 0.1, 0.5)
        for step in range(1, 51)
    ]
    drawn = asked(
        "given.map((each) => rates.rateShare(...each, { lowest: 0.1, cycles: 3, decay: 0.2 }))",
        cases,
        rates="stores/learn/figures/rates.js",
    )
    for case, share in zip(cases, drawn, strict=True):
        expected = learning_rate_share(*case, min_lr_ratio=0.1, num_cycles=3, decay_ratio=0.2)
        assert share == pytest.approx(expected, abs=1e-12), case
