"""Votes through the API, and the dataset that is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

QUESTION = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Who are you?"}]


def ask(server: Any, text: str, **rest: Any) -> Any:
    body = {"chosen": {"model": "run:a", "text": text}, "rejected": {"model": "run:b", "text": "No."}, **rest}
    return server.client.post("/api/votes", json=body)


def first_row(server: Any, dataset: dict[str, Any]) -> Any:
    path = server.data_dir / "datasets" / dataset["id"] / "data"
    return json.loads(path.read_text(encoding="utf-8").splitlines()[0])


def test_votes_become_preference_data_that_is_read(server: Any) -> None:
    settings = {"temperature": 0, "seed": 7}
    for number in range(3):
        assert ask(server, f"Answer {number}", prompt=f"Text {number}", settings=settings, blind=True).status_code == 201
        assert ask(server, f"Reply {number}\nand more", messages=QUESTION).status_code == 201
    tie = ask(server, "Same", prompt="Text", verdict="equal").json()
    ask(server, " ", prompt="Text")

    listed = server.client.get("/api/votes?limit=2").json()
    assert (len(listed["items"]), listed["total"]) == (2, 8)
    assert listed["items"][1] == tie
    assert [(each["model"], each["votes"], each["win_rate"]) for each in listed["models"]] == [
        ("run:a", 8, 0.9375), ("run:b", 8, 0.0625),
    ]  # fmt: skip
    assert server.client.get("/api/votes?start=7").json()["items"][0]["settings"]["seed"] == 7

    made = server.client.post("/api/votes/dataset")
    assert made.status_code == 201, made.text
    texts, chats = made.json()["items"]
    assert (texts["rows"], chats["rows"], made.json()["left_out"]) == (3, 3, 2)
    assert (texts["reading"]["kind"], texts["reading"]["prompt"], texts["reading"]["completion"]) == (
        "completion",
        "prompt",
        "chosen",
    )
    assert (chats["reading"]["kind"], chats["reading"]["messages"], chats["reading"]["asked"]) == (
        "chat",
        "chosen",
        "prompt",
    )
    assert first_row(server, texts) == {"prompt": "Text 0", "chosen": "Answer 0", "rejected": "No."}
    assert first_row(server, chats) == {
        "prompt": QUESTION,
        "chosen": [{"role": "assistant", "content": "Reply 0\nand more"}],
        "rejected": [{"role": "assistant", "content": "No."}],
    }
    example = server.client.get(f"/api/datasets/{chats['id']}/preview?limit=1").json()["examples"][0]
    assert [(part["role"], part["learned"]) for part in example] == [("system", False), ("user", False), ("assistant", True)]
    assert example[2]["text"] == "Reply 0\nand more"
    again = server.client.post("/api/votes/dataset").json()
    assert [each["id"] for each in again["items"]] == [texts["id"], chats["id"]], "the same votes are the same dataset"

    assert server.client.delete(f"/api/votes/{tie['id']}").status_code == 204
    assert server.client.delete(f"/api/votes/{tie['id']}").status_code == 404
    assert server.client.get("/api/votes?limit=0").json()["total"] == 7
    server.stop()
    server.start()
    assert server.client.get("/api/votes?limit=0").json()["total"] == 7


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "prompt"),
        ({"prompt": "x", "messages": QUESTION}, "prompt"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages"),
        ({"prompt": "x", "verdict": "worse"}, "verdict"),
        ({"prompt": "x", "rejected": {"model": "run:b", "text": "Yes."}}, "verdict"),
        ({"prompt": "x", "chosen": {"model": "", "text": "Yes."}}, "chosen"),
        ({"prompt": "x", "settings": {"temperature": 9}}, "settings"),
        ({"prompt": "x", "mood": "good"}, "mood"),
    ],
)
def test_a_vote_that_says_nothing_is_refused(shared_server: Any, change: dict[str, Any], field: str) -> None:
    response = ask(shared_server, "Yes.", **change)
    assert (response.status_code, response.json()["error"]["field"]) == (422, field)
    assert shared_server.client.get("/api/votes").json()["total"] == 0


def test_too_few_votes_make_no_dataset(shared_server: Any) -> None:
    response = shared_server.client.post("/api/votes/dataset")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")
