"""The queries behind the board: runs filtered, sorted and paged, and the tags in use."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from backend.db import tables
from backend.errors import InvalidFieldError
from backend.runs import lifecycle
from backend.schemas.runs import Run, TagCount

Sort = Literal["created", "name", "loss", "validation_loss", "tokens_per_s", "duration"]
Order = Literal["asc", "desc"]
Archived = Literal["false", "true", "all"]

_runs = tables.runs.c

_KEYS: dict[Sort, ColumnElement[Any]] = {
    "created": _runs.number,
    "name": func.lower(_runs.name),
    "loss": _runs.loss,
    "validation_loss": _runs.validation_loss,
    "tokens_per_s": _runs.tokens_per_s,
    "duration": func.julianday(_runs.ended_at) - func.julianday(_runs.started_at),
}

_USUAL_ORDER: dict[Sort, Order] = {"name": "asc", "loss": "asc", "validation_loss": "asc"}
"""What comes first if no order is asked for: a, the best, else the newest or most."""


class Filter(NamedTuple):
    """Which runs. ``datasets``: ids of those whose name fits ``text``, as names of datasets are not in the database."""

    statuses: Sequence[str] = ()
    text: str = ""
    tag: str = ""
    archived: Archived = "all"
    datasets: Sequence[str] = ()


class Page(NamedTuple):
    """``following``: where the next page begins, if there is one; ``matching``, ``known``: runs that fit, and all runs."""

    items: list[Run]
    following: str | None
    matching: int
    known: int
    cursor: int


def page(connection: Connection, wanted: Filter, sort: Sort, order: Order | None, limit: int, after: str = "") -> Page:
    """A page of runs; those without a value to sort by come last. Raises InvalidFieldError if ``after`` is of no such list.

    A page begins after the last run's value and number, so that ties, and runs that come or go in between, neither
    repeat nor lose one.
    """
    key, order = _KEYS[sort], order or _USUAL_ORDER.get(sort, "desc")
    conditions = _conditions(wanted)
    query = select(tables.runs, key.label("sort_key")).where(*conditions)
    if after:
        query = query.where(_beyond(key, order, *_decode(after, sort, order)))
    towards = (key.asc(), _runs.number.asc()) if order == "asc" else (key.desc(), _runs.number.desc())
    found = connection.execute(query.order_by(key.is_(None), *towards).limit(limit + 1)).all()
    last = found[limit - 1] if len(found) > limit else None
    queue, cursor = lifecycle.queue(connection), lifecycle.newest_cursor(connection)
    return Page(
        items=[lifecycle.describe(one, queue, cursor) for one in found[:limit]],
        following=_encode(sort, order, last.sort_key, last.number) if last else None,
        matching=connection.execute(select(func.count()).select_from(tables.runs).where(*conditions)).scalar_one(),
        known=connection.execute(select(func.count()).select_from(tables.runs)).scalar_one(),
        cursor=cursor,
    )


def tags(connection: Connection) -> list[TagCount]:
    """The tags of runs that are not archived, the most used first."""
    each = func.json_each(_runs.tags).table_valued("value")
    count = func.count().label("count")
    query = select(each.c.value, count).select_from(tables.runs).join(each, _TRUE).where(~_runs.archived)
    found = connection.execute(query.group_by(each.c.value).order_by(count.desc(), each.c.value))
    return [TagCount(tag=row[0], runs=row[1]) for row in found]


_TRUE = func.json_valid("1") == 1


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(_runs.status.in_(wanted.statuses))
    if wanted.archived != "all":
        conditions.append(_runs.archived == (wanted.archived == "true"))
    if wanted.tag:
        each = func.json_each(_runs.tags).table_valued("value")
        conditions.append(select(each.c.value).where(each.c.value == wanted.tag).exists())
    if wanted.text:
        conditions.append(_mentions(wanted.text, wanted.datasets))
    return conditions


def _mentions(text: str, datasets: Sequence[str]) -> ColumnElement[bool]:
    """Whether a run's name, model, dataset, tags or notes contain a text, or its id begins with it."""
    each = func.json_each(_runs.tags).table_valued("value")
    model, dataset = func.json_extract(_runs.config, "$.model_name"), func.json_extract(_runs.config, "$.dataset")
    return or_(
        _runs.id.startswith(text, autoescape=True),
        *(column.icontains(text, autoescape=True) for column in (_runs.name, _runs.notes, model, dataset)),
        select(each.c.value).where(each.c.value.icontains(text, autoescape=True)).exists(),
        dataset.in_(datasets),
    )


def _beyond(key: ColumnElement[Any], order: Order, value: Any, number: int) -> ColumnElement[bool]:
    """What follows the run with this value and number, where nulls come last."""
    later = _runs.number > number if order == "asc" else _runs.number < number
    if value is None:
        return and_(key.is_(None), later)
    return or_(key > value if order == "asc" else key < value, and_(key == value, later), key.is_(None))


def _encode(sort: Sort, order: Order, value: Any, number: int) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps([sort, order, value, number], ensure_ascii=False).encode()).decode().rstrip("=")
    )


def _decode(cursor: str, sort: Sort, order: Order) -> tuple[Any, int]:
    try:
        of_sort, of_order, value, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = [of_sort, of_order] == [sort, order] and isinstance(value, (str, int, float, type(None)))
        if not fits or type(number) is not int or abs(number) > 2**62 or (type(value) is int and abs(value) > 2**62):
            raise ValueError
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be asked of SQLite
    except (ValueError, TypeError) as error:  # not base64, not JSON, not four parts, not of this list
        raise InvalidFieldError(
            "cursor", "Cursor is not one of this list.", hint="Take next_cursor of a page with the same sort and order."
        ) from error
    return value, number
