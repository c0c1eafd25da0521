"""What people say about a run: its name, tags and notes, and whether it is archived.

``about.json`` in the run's directory is the truth; the row is an index of it, changed in the same transaction.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Connection, update

from backend import files
from backend.db import tables
from backend.errors import ConflictError
from backend.runs import lifecycle

ABOUT_FILE = "about.json"


def _one_line(value: str) -> str:
    value = value.strip()
    if not value or not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


def _tag(value: str) -> str:
    if "," in value:
        raise ValueError("must have no commas, as they stand between tags")
    return _one_line(value)


def _each_once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


OneLine = Annotated[str, Field(max_length=120), AfterValidator(_one_line)]
Tag = Annotated[str, Field(max_length=40), AfterValidator(_tag)]


class AboutChange(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: OneLine | None = None
    tags: Annotated[list[Tag], Field(max_length=20), AfterValidator(_each_once)] | None = None
    notes: Annotated[str, Field(max_length=10_000)] | None = None
    archived: Annotated[bool, Field(strict=True)] | None = None


def change(connection: Connection, directory: Path, run_id: str, wanted: AboutChange) -> None:
    """Change a run's row and its about.json, and tell streams. Raises NotFoundError; ConflictError for an active run
    that should be archived.
    """
    status = lifecycle.row(connection, run_id).status
    if wanted.archived and status in lifecycle.ACTIVE:
        raise ConflictError(f"This run is {status}.", hint="Stop it first, then archive it.")
    values: dict[str, Any] = wanted.model_dump(exclude_none=True)
    if not values:
        return
    if wanted.tags is not None:
        values["tags"] = json.dumps(wanted.tags, ensure_ascii=False)
    connection.execute(update(tables.runs).where(tables.runs.c.id == run_id).values(values))
    write(connection, directory, run_id)
    lifecycle.tell(connection, run_id, "renamed" if wanted.name is not None else "described", status)


def write(connection: Connection, directory: Path, run_id: str) -> None:
    """Write about.json, whole or not at all, as the row stands in this transaction."""
    found = lifecycle.row(connection, run_id)
    about = {"name": found.name, "tags": json.loads(found.tags), "notes": found.notes, "archived": found.archived}
    if not directory.exists():  # deleted by hand: then there is nothing left to be true of
        return
    files.write_whole(directory / ABOUT_FILE, json.dumps(about, ensure_ascii=False, indent=2))
