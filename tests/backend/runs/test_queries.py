"""The board: what people say about runs, and lists that are filtered, sorted and paged."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import files
from backend.errors import ConflictError
from backend.runs import about, lifecycle, queries
from backend.runs.about import AboutChange
from tests.backend.records import Records
from tests.serving import Server
from worker.contract import RunConfig

MANY = 5000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    """5,000 ended runs with many ties and gaps in what they can be sorted by."""
    records = Records(tmp_path_factory.mktemp("many") / "data")
    chance = random.Random(1)
    config = RunConfig(model_name="tiny", learning_rate=1e-3, max_length=256).model_dump_json()
    rows = []
    for number in range(MANY):
        loss, validation_loss, speed = (chance.choice([None, 1.5, 2.25, chance.random()]) for _ in range(3))
        started, ended = (f"2026-01-01T{hour}:{chance.randrange(60):02}:00.000000Z" for hour in ("00", "01"))
        ended_at = ended if chance.random() < 0.9 else None
        name = chance.choice(["Alpha", "alpha", "beta", f"run {number}"])
        values = (
            f"20260101-000000-{number:04x}",
            name,
            "completed",
            config,
            started,
            started,
            ended_at,
            loss,
            validation_loss,
            speed,
        )
        rows.append(values)
    with records.database.write() as connection:
        columns = "id, name, status, config, created_at, started_at, ended_at, loss, validation_loss, tokens_per_s"
        connection.exec_driver_sql(f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * 10)})", rows)
    yield records
    records.database.close()


def listed(
    records: Records, wanted: queries.Filter, sort: queries.Sort = "created", order: queries.Order | None = None
) -> list:
    """All pages of a list, one after the other."""
    items, after = [], ""
    while True:
        with records.database.read() as connection:
            page = queries.page(connection, wanted, sort, order, 500, after)
        items += page.items
        if page.following is None:
            assert page.matching == len(items)
            return items
        after = page.following


def minutes(time: str) -> int:
    return int(time[11:13]) * 60 + int(time[14:16])


@pytest.mark.parametrize("sort", ["created", "name", "loss", "validation_loss", "tokens_per_s", "duration"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_paging_visits_each_of_5000_runs_once_in_order(many: Records, sort: queries.Sort, order: queries.Order) -> None:
    found = listed(many, queries.Filter(), sort, order)
    assert len({run.id for run in found}) == len(found) == MANY
    keys = {
        "created": lambda run: run.id,
        "name": lambda run: run.name.lower(),
        "duration": lambda run: run.ended_at and minutes(run.ended_at) - minutes(run.started_at),
    }
    values = [keys.get(sort, lambda run: getattr(run, sort))(run) for run in found]
    given = [value for value in values if value is not None]
    assert values == sorted(given, reverse=order == "desc") + [None] * (len(values) - len(given))


def test_a_page_of_many_runs_is_quick(many: Records) -> None:
    wanted = queries.Filter(text="alp", archived="false")
    begun = time.perf_counter()
    with many.database.read() as connection:
        page = queries.page(connection, wanted, "validation_loss", None, 50)
    assert len(page.items) == 50
    assert time.perf_counter() - begun < 1


def test_runs_that_come_and_go_between_pages_repeat_and_lose_none(records: Records) -> None:
    ids = [records.add("stopped", name=f"run {number}") for number in range(6)]
    with records.database.read() as connection:
        first = queries.page(connection, queries.Filter(), "created", "desc", 3)
    records.add("stopped", name="newer")
    with records.database.write() as connection:
        lifecycle.remove(connection, ids[4])  # one that the first page showed
    assert first.following
    with records.database.read() as connection:
        rest = queries.page(connection, queries.Filter(), "created", "desc", 3, first.following)
    assert [run.id for run in rest.items] == ids[2::-1]


def test_filters_look_into_name_model_dataset_tags_notes_and_the_start_of_the_id(records: Records) -> None:
    plain, noted = records.add("stopped", name="Ant"), records.add("stopped", name="Bee")
    change(records, noted, tags=["base line", "50%"], notes="diverged at\nthe end")

    def found(**wanted: Any) -> list[str]:
        return [run.name for run in listed(records, queries.Filter(**wanted), "name")]

    assert found() == ["Ant", "Bee"]
    assert found(text="BE") == found(text="diverged") == found(text="E LIN") == found(text="50%") == ["Bee"]
    assert found(text="tiny") == found(text="sampl") == ["Ant", "Bee"]
    assert found(text=noted) == ["Bee"]
    assert found(text=noted[4:]) == found(text="_") == found(text='", "') == []
    assert found(text="stories", datasets=["sample"]) == ["Ant", "Bee"]
    assert found(tag="50%") == ["Bee"]
    assert found(tag="50") == []
    assert found(statuses=["stopped"]) == ["Ant", "Bee"]
    assert found(statuses=["failed"]) == []
    change(records, plain, archived=True)
    assert (found(archived="false"), found(archived="true"), found()) == (["Bee"], ["Ant"], ["Ant", "Bee"])


def change(records: Records, run_id: str, **values: Any) -> None:
    with records.database.write() as connection:
        about.change(connection, records.directory(run_id), run_id, AboutChange(**values))


def about_file(directory: Path) -> dict[str, Any]:
    return json.loads((directory / about.ABOUT_FILE).read_text(encoding="utf-8"))


def test_what_is_said_of_a_run_stands_in_its_directory_too(records: Records) -> None:
    run_id = records.add("stopped")
    change(records, run_id, tags=["a", " a ", "ü"], notes="\u2028 two\nlines")
    change(records, run_id, name="Other", archived=True)
    with records.database.read() as connection:
        run = lifecycle.get(connection, run_id)
    said = {"name": "Other", "tags": ["a", "ü"], "notes": "\u2028 two\nlines", "archived": True}
    assert about_file(records.directory(run_id)) == said
    assert run.model_dump(include=set(said)) == said


def test_a_change_that_fails_leaves_row_and_file_alone(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = records.add("stopped")
    change(records, run_id, notes="before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        change(records, run_id, notes="after")
    with records.database.read() as connection:
        assert lifecycle.get(connection, run_id).notes == "before"
    assert about_file(records.directory(run_id))["notes"] == "before"


def test_an_active_run_is_not_archived_and_an_archived_one_that_goes_on_comes_back(server: Server, records: Records) -> None:
    run_id = records.add("starting", "running")
    with pytest.raises(ConflictError, match="This run is running"):
        change(records, run_id, archived=True)
    server.create(num_epochs=100)  # has the device, so that the next one waits
    waiting = server.create()["id"]
    assert server.client.post(f"/api/runs/{waiting}/stop").json()["status"] == "stopped"
    assert server.client.patch(f"/api/runs/{waiting}", json={"archived": True}).json()["archived"] is True
    assert server.client.post(f"/api/runs/{waiting}/resume").json()["archived"] is False
    assert about_file(server.data_dir / "runs" / waiting)["archived"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tags": ["x" * 41]}, "tags"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": ["two\nlines"]}, "tags"),
        ({"tags": [" "]}, "tags"),
        ({"tags": [str(number) for number in range(21)]}, "tags"),
        ({"tags": "a"}, "tags"),
        ({"notes": "x" * 10_001}, "notes"),
        ({"notes": 3}, "notes"),
        ({"archived": "maybe"}, "archived"),
        ({"name": " "}, "name"),
        ({"note": "x"}, "note"),
    ],
)
def test_a_bad_change_is_refused_at_its_field(shared_server: Server, change: dict, field: str) -> None:
    answer = shared_server.client.patch("/api/runs/20260101-000000-0000", json=change)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=size", "sort"),
        ("order=up", "order"),
        ("archived=maybe", "archived"),
        ("tag=" + "x" * 41, "tag"),
        ("cursor=abc", "cursor"),
        ("cursor=WzEsMl0", "cursor"),  # [1,2]
        ("cursor=WyJuYW1lIiwiYXNjIiwiYSIsMV0", "cursor"),  # of a list by name
        ("cursor=WyJjcmVhdGVkIiwiZGVzYyIsIlx1ZDgwMCIsMV0", "cursor"),  # half a surrogate pair
    ],
)
def test_a_bad_list_is_refused_at_its_field(shared_server: Server, query: str, field: str) -> None:
    answer = shared_server.client.get(f"/api/runs?{query}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


@pytest.fixture
def filled(records: Records, start_server) -> tuple[Server, dict[str, str]]:
    """A server that finds an ended run, another one, and one that is active; by name."""
    names: dict[str, tuple[lifecycle.Status, ...]] = {"old": ("stopped",), "older": ("stopped",)}
    found = {name: records.add(*path, name=name) for name, path in names.items()}
    server = start_server(data_dir=records.settings.data_dir)
    found["active"] = server.create(num_epochs=100, name="active", model_name="tiny")["id"]
    return server, found


def test_deleting_several_takes_what_has_ended_and_says_what_it_left(filled: tuple[Server, dict[str, str]]) -> None:
    server, ids = filled
    gone = "20200101-000000-0000"
    answer = server.client.post("/api/runs/delete", json={"ids": [ids["old"], ids["active"], gone, ids["old"]]})
    assert answer.status_code == 200
    body = answer.json()
    assert body["deleted"] == [ids["old"]]
    assert [one["id"] for one in body["refused"]] == [ids["active"], gone]
    assert "no run" in body["refused"][1]["message"]
    directories = {path.name for path in (server.data_dir / "runs").iterdir()}
    assert directories == {ids["older"], ids["active"]}
    assert {run["id"] for run in server.client.get("/api/runs").json()["items"]} == directories
    for bad in ({"ids": []}, {"ids": ["../x"]}, {"ids": [gone] * 1001}, {}):
        answer = server.client.post("/api/runs/delete", json=bad)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "ids")


def test_tags_are_counted_and_a_changed_run_is_told_to_streams(filled: tuple[Server, dict[str, str]]) -> None:
    server, ids = filled
    before = server.client.get("/api/runs").json()["stream_cursor"]
    server.client.patch(f"/api/runs/{ids['old']}", json={"tags": ["b", "a"]})
    server.client.patch(f"/api/runs/{ids['older']}", json={"tags": ["a", "hidden"]})
    assert server.client.get("/api/tags").json()["items"] == [
        {"tag": "a", "runs": 2}, {"tag": "b", "runs": 1}, {"tag": "hidden", "runs": 1},
    ]  # fmt: skip
    server.client.patch(f"/api/runs/{ids['older']}", json={"archived": True})
    assert server.client.get("/api/tags").json()["items"] == [{"tag": "a", "runs": 1}, {"tag": "b", "runs": 1}]
    assert [run["name"] for run in server.client.get("/api/runs?tag=a").json()["items"]] == ["old"]
    listing = server.client.get("/api/runs?q=old&archived=all").json()
    assert (listing["matching"], listing["known"]) == (2, 3)
    told = server.client.get(f"/api/runs/{ids['older']}/events?after={before}").json()["items"]
    assert [event["fact"] for event in told] == ["described", "described"]
