"""What the routes ask for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from backend.errors import InvalidFieldError
from backend.processes.helper import Helper
from backend.runs import lifecycle
from backend.services import Services


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def after_cursor(
    after: int | None = None, last_event_id: Annotated[str | None, Header(description="What a browser sends")] = None
) -> int | None:
    """Where a stream goes on: the Last-Event-ID of a reconnecting browser, else ``after``, else None."""
    if last_event_id is None:
        if after is not None and after < 0:
            raise InvalidFieldError("after", f"After must be at least 0; you gave {after}.")
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19):
        raise InvalidFieldError("Last-Event-ID", "Last-Event-ID must be the id of an event of this server: a whole number.")
    return int(last_event_id)


def parts_of(text: str) -> list[str]:
    """What stands between the commas of a query's value, each once."""
    return list(dict.fromkeys(part for part in text.split(",") if part))


def name_of_run(services: Services, run_id: str) -> str:
    """Raises NotFoundError."""
    with services.database.read() as connection:
        return str(lifecycle.row(connection, run_id).name)


ServicesDep = Annotated[Services, Depends(services)]
AfterCursor = Annotated[int | None, Depends(after_cursor)]


def place_in(helper: Callable[[Services], Helper]) -> Any:
    """What a route depends on that answers by ``helper``: a place in its queue, until the answer has been sent."""

    async def place(found: ServicesDep) -> AsyncGenerator[None, None]:
        with helper(found).place():
            yield

    return Depends(place)
