"""What people may say about a run."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from backend.errors import ConflictError
from backend.runs import about, history, lifecycle
from tests.backend.records import Records


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"tags": ["a,b"]}, "must have no commas"),
        ({"tags": [" "]}, "must be one line of printable characters"),
        ({"name": "a\nb"}, "must be one line of printable characters"),
        ({"name": "x" * 121}, "at most 120"),
        ({"tags": ["x" * 41]}, "at most 40"),
    ],
)
def test_what_would_not_fit_a_line_is_refused(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        about.AboutChange.model_validate(given)


def test_tags_are_kept_once_and_in_order() -> None:
    assert about.AboutChange(tags=[" b ", "a", "b"]).tags == ["b", "a"]


@pytest.mark.parametrize(("given", "fact"), [({"name": "New"}, "renamed"), ({"tags": ["é"]}, "described"), ({}, None)])
def test_a_change_is_in_the_row_and_the_file_and_is_told(
    records: Records, given: dict[str, object], fact: str | None
) -> None:
    run_id = records.add("starting", "running")
    with records.database.write() as connection:
        about.change(connection, records.directory(run_id), run_id, about.AboutChange.model_validate(given))
        run = lifecycle.get(connection, run_id)
        newest = history.latest(connection, run_id, "server")["fact"]
    assert newest == (fact or "running")
    if fact:
        written = json.loads((records.directory(run_id) / about.ABOUT_FILE).read_text("utf-8"))
        assert written == {"name": run.name, "tags": run.tags, "notes": run.notes, "archived": False}
        assert written | given == written


def test_only_a_run_that_has_ended_is_archived(records: Records) -> None:
    active, ended = records.add("starting", "running"), records.add("starting", "running", "failed")
    archive = about.AboutChange(archived=True)
    with records.database.write() as connection:
        with pytest.raises(ConflictError, match="This run is running") as refused:
            about.change(connection, records.directory(active), active, archive)
        assert refused.value.detail.hint == "Stop it first, then archive it."
        about.change(connection, records.directory(ended), ended, archive)
        assert [lifecycle.get(connection, run_id).archived for run_id in (active, ended)] == [False, True]
