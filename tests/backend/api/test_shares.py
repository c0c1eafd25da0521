"""What a link reaches: one run to read or one model to try, with nothing but the link, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Server

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token, which its client brings; with a run that learned from chats."""
    server = Server(tmp_path_factory.mktemp("shares") / "data", {"TRAINBOARD_TOKEN": TOKEN})
    server.url = server.url.partition("/?token")[0]
    server.client = httpx.Client(base_url=server.url, timeout=60, headers={"authorization": f"Bearer {TOKEN}"})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def run(owner: Server) -> dict[str, Any]:
    chats = [[{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"It is {n}."}] for n in range(20)]
    content = "".join(json.dumps({"messages": chat}) + "\n" for chat in chats).encode()
    uploaded = owner.client.post("/api/datasets", files={"file": ("shares.jsonl", content)})
    assert uploaded.status_code == 201, uploaded.text
    dataset = uploaded.json()["id"]
    settings = {"max_steps": 2, "sample_prompts": [], "device": "cpu", "dataset": dataset, "name": "<b>Shared</b>"}
    made: dict[str, Any] = owner.create(model_name="tiny", **settings)
    while (found := owner.run(made["id"]))["status"] != "completed":
        owner.client.get(f"/api/runs/{made['id']}/stream").read()  # to its end
    return found


@pytest.fixture
def guest(owner: Server) -> Iterator[httpx.Client]:
    """Somebody who has no token."""
    with httpx.Client(base_url=owner.url, timeout=60) as client:
        yield client


def share(owner: Server, **wanted: Any) -> dict[str, Any]:
    answer = owner.client.post("/api/shares", json=wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def asked(guest: httpx.Client, path: str, **body: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Tokens and end of an answer."""
    answer = guest.post(f"{path}/generate", json=body)
    assert answer.status_code == 200, answer.text
    events = re.findall(r"event: (\w+)\ndata: (.*)", answer.text)
    return [json.loads(data) for kind, data in events if kind == "token"], json.loads(events[-1][1])


def test_a_link_to_a_run_shows_its_report_and_no_script_of_anybody(
    owner: Server, run: dict[str, Any], guest: httpx.Client
) -> None:
    page = guest.get(share(owner, run=run["id"])["path"])
    assert page.status_code == 200
    assert "&lt;b&gt;Shared&lt;/b&gt;" in page.text
    assert "sandbox; default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert "refresh" not in page.headers, "it has ended"


def test_a_link_to_a_model_lets_it_be_asked(owner: Server, run: dict[str, Any], guest: httpx.Client) -> None:
    made = share(owner, model=f"run:{run['id']}", max_tokens=1000)
    page = guest.get(made["path"])
    assert "&lt;b&gt;Shared&lt;/b&gt;" in page.text
    scripts = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert len(scripts) == 2
    assert page.headers["content-security-policy"].count("sha256-") == 2
    tokens, done = asked(guest, made["path"], messages=[{"role": "user", "content": "3?"}])
    assert done["text"] == "".join(token["text"] for token in tokens)
    (now,) = [each for each in owner.client.get("/api/shares").json()["items"] if each["id"] == made["id"]]
    assert now["used_tokens"] == len(tokens) > 0
    assert asked(guest, made["path"], prompt="It is")[1]["completion_tokens"] > 0


def test_a_link_writes_as_many_tokens_as_it_has_and_no_more(owner: Server, run: dict[str, Any], guest: httpx.Client) -> None:
    made = share(owner, model=f"run:{run['id']}", max_tokens=1)
    assert len(asked(guest, made["path"], prompt="It is")[0]) == 1
    refused = guest.post(f"{made['path']}/generate", json={"prompt": "It is"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "used up" in refused.json()["error"]["message"]


def test_a_guest_that_leaves_makes_room_for_others(owner: Server, run: dict[str, Any], guest: httpx.Client) -> None:
    """A link writes two texts at once."""
    made = share(owner, model=f"run:{run['id']}")
    place, body = f"{made['path']}/generate", {"prompt": "It is"}
    for _ in range(3):
        with guest.stream("POST", place, json=body) as answer:
            if answer.status_code == 200:
                next(answer.iter_lines())
    while (answer := guest.post(place, json=body)).status_code == 429:
        pass  # until the server has seen that they left
    assert answer.status_code == 200


def test_nothing_else_is_reached_with_a_link(owner: Server, run: dict[str, Any], guest: httpx.Client) -> None:
    model, report = share(owner, model=f"run:{run['id']}"), share(owner, run=run["id"])
    token = model["path"].removeprefix("/share/")
    routes = owner.client.get("/openapi.json").json()["paths"]
    for path in [*routes, "/", "/docs", "/openapi.json", "/js/app.js"]:
        place = re.sub(r"\{.*?\}", run["id"], path)
        for method in routes.get(path, {"get": None}):
            for headers, query in (({}, ""), ({"authorization": f"Bearer {token}"}, ""), ({}, f"?token={token}")):
                answer = guest.request(method.upper(), place + query, headers=headers, content=b"{}")
                assert answer.status_code == 401, (method, place)
    for path in ("/events", "/../api/runs", "/generate/models", "%2F..%2Fapi%2Fruns"):
        assert guest.get(model["path"] + path).status_code in (401, 404), path
    for method in ("PUT", "DELETE", "PATCH"):
        assert guest.request(method, model["path"]).status_code == 405
    assert guest.post(f"{report['path']}/generate", json={"prompt": "It"}).status_code == 422
    for body in (
        {"model": "tiny", "prompt": "x"},
        {"prompt": "x", "max_new_tokens": 9},
        {},
        {"prompt": "x", "messages": []},
    ):
        assert guest.post(f"{model['path']}/generate", json=body).status_code == 422
    foreign = guest.post(f"{model['path']}/generate", json={"prompt": "x"}, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403


def test_a_link_that_is_taken_back_or_made_up_shows_nothing(owner: Server, run: dict[str, Any], guest: httpx.Client) -> None:
    made = share(owner, run=run["id"], expires_in_s=3600)
    assert owner.client.delete(f"/api/shares/{made['id']}").status_code == 204
    gone = guest.get(made["path"])
    assert (gone.status_code, "taken back" in gone.text, run["id"] in gone.text) == (410, True, False)
    assert guest.post(f"{made['path']}/generate", json={"prompt": "x"}).status_code == 410
    other = guest.get(made["path"][:-3] + "AAA")
    assert (other.status_code, "not one of ours" in other.text) == (404, True)
    assert owner.client.delete(f"/api/shares/{made['id']}").status_code == 404


def test_only_what_there_is_can_be_shared(owner: Server, run: dict[str, Any]) -> None:
    for wanted, status in (
        ({}, 422),
        ({"run": run["id"], "model": "tiny"}, 422),
        ({"run": "20200101-000000-aaaa"}, 404),
        ({"run": "../.."}, 422),
        ({"model": "run:20200101-000000-aaaa"}, 422),
        ({"model": "tiny"}, 422),
        ({"run": run["id"], "expires_in_s": 1}, 422),
        ({"run": run["id"], "expires_in_s": 10**9}, 422),
    ):
        assert owner.client.post("/api/shares", json=wanted).status_code == status, wanted


def test_what_was_shared_and_is_deleted_is_told(owner: Server, guest: httpx.Client, run: dict[str, Any]) -> None:
    copy = owner.create(model_name="tiny", max_steps=1, sample_prompts=[], device="cpu", dataset=run["config"]["dataset"])
    owner.client.get(f"/api/runs/{copy['id']}/stream").read()
    links = [share(owner, run=copy["id"]), share(owner, model=f"run:{copy['id']}")]
    assert owner.client.delete(f"/api/runs/{copy['id']}").status_code == 204
    for link in links:
        page = guest.get(link["path"])
        assert page.status_code in (404, 422)
        assert "There is no" in page.text


def test_links_are_files_that_only_the_owner_reads(owner: Server, run: dict[str, Any]) -> None:
    share(owner, run=run["id"])
    folder = Path(owner.data_dir) / "shares"
    assert (folder / "key").stat().st_mode & 0o077 == 0
