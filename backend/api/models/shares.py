"""Links for people without a token: one run to read, or one model to try. ``/share/…`` is what such a link reaches, and all
that it reaches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.api.models.generate import GenerateRequest, check_learned, order_of
from backend.api.models.listing import listed
from backend.errors import ApiError, InvalidFieldError
from backend.metrics import report
from backend.runs import lifecycle
from backend.schemas.generation import Conversation, Prompt
from backend.schemas.shares import NewShare, Share, ShareList
from backend.security import content_policy
from backend.services import Services
from backend.settings import ROOT
from backend.shares.links import Shares

if TYPE_CHECKING:
    from jinja2 import Template

router = APIRouter(tags=["shares"])

FRONTEND = ROOT / "frontend"
_STYLES = ("css/tokens.css", "css/frame.css", "css/controls.css", "share/share.css")
_SCRIPTS = ("js/theme.js", "share/share.js")
_LONGEST_TEXT = 400  # tokens
_LIVE_S = 30  # a run that is going on is shown anew every so often


@router.post("/api/shares", status_code=201)
def create_share(wanted: NewShare, services: ServicesDep) -> Share:
    """Make a link to a run or to a model, for a time. Whoever has it needs no token, and can do nothing else here."""
    if (wanted.run is None) == (wanted.model is None):
        raise InvalidFieldError("run", "Give either a run or a model to share.")
    if wanted.run is not None:
        with services.database.read() as connection:
            lifecycle.row(connection, wanted.run)
        return services.shares.add("run", wanted.run, wanted.expires_in_s, wanted.max_tokens)
    assert wanted.model is not None
    check_learned(wanted.model, services.catalog.resolve(wanted.model, field="model").source)
    return services.shares.add("model", wanted.model, wanted.expires_in_s, wanted.max_tokens)


@router.get("/api/shares")
def list_shares(services: ServicesDep) -> ShareList:
    """The links that were given out, the newest first."""
    return ShareList(items=services.shares.all())


@router.delete("/api/shares/{share_id}", status_code=204)
def delete_share(share_id: str, services: ServicesDep) -> None:
    """Take a link back."""
    services.shares.remove(share_id)


@router.get("/share/{token}", response_class=HTMLResponse, include_in_schema=False)
def show_share(token: str, services: ServicesDep) -> Response:
    """What a link shows: a run's report as it is now, or a model to try."""
    try:
        share = services.shares.find(token)
        return _run_page(share, services) if share.kind == "run" else _model_page(share, services)
    except ApiError as error:
        problem = " ".join(part for part in (error.detail.message, error.detail.hint) if part)
        return _page("Shared by link", error.status, problem=problem)


class SharedRequest(BaseModel):
    """What a guest asks: a text to go on from, or a conversation."""

    model_config = ConfigDict(extra="forbid")

    prompt: Prompt | None = None
    messages: Conversation | None = None


@dataclass
class _Grant:
    """Tokens that a guest's text may have, and how many it took."""

    shares: Shares
    share: Share
    tokens: int
    used: int = 0
    counted: bool = False

    async def count(self) -> None:
        """Counts what was used, once, whoever asks for it first."""
        if not self.counted:
            self.counted = True
            await asyncio.shield(asyncio.to_thread(self.shares.end, self.share, self.tokens, self.used))


async def _grant(token: str, services: ServicesDep) -> AsyncGenerator[_Grant, None]:
    """What a link allows for one text; what that took is counted however it ends, also one that nobody waited for."""
    share = await run_in_threadpool(services.shares.find, token)
    if share.kind != "model":
        raise InvalidFieldError("prompt", "This link shows a run, and has no model to ask.")
    granted = await run_in_threadpool(services.shares.begin, share, _LONGEST_TEXT)
    grant = _Grant(services.shares, share, granted)
    try:
        yield grant
    finally:
        await grant.count()


@router.post(
    "/share/{token}/generate", dependencies=[place_in(lambda services: services.generator)], include_in_schema=False
)
async def generate_shared(
    wanted: SharedRequest, grant: Annotated[_Grant, Depends(_grant)], services: ServicesDep
) -> EventSourceResponse:
    """Events as of POST /api/generate, by the link's model."""
    asked = GenerateRequest(model=grant.share.target, **wanted.model_dump(exclude_none=True))
    order = await order_of(asked, services) | {"max_new_tokens": grant.tokens}
    return EventSourceResponse(as_events(_counted(grant, order, services)), sep="\n")


async def _counted(grant: _Grant, order: dict[str, Any], services: Services) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(services.generator.ask(order)) as events:
        async for event in events:
            grant.used += event["event"] == "token"
            yield event
    await grant.count()  # whoever has read to the end finds it counted


def _run_page(share: Share, services: Services) -> Response:
    with services.database.read() as connection:
        record = report.gather(connection, share.target, services.datasets)
    headers = {
        "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        "cache-control": "no-store",
    }
    if record.run.ended_at is None:
        headers["refresh"] = str(_LIVE_S)
    return HTMLResponse(report.render(record), headers=headers)


def _model_page(share: Share, services: Services) -> Response:
    services.catalog.resolve(share.target)  # it may be gone
    return _page(
        next((model.name for model in listed(services) if model.id == share.target), share.target),
        200,
        chat=services.catalog.chat_variables(share.target) is not None,
        until=share.expires_at[:16].replace("T", " ") + " UTC",
        left=max(0, share.max_tokens - share.used_tokens),
    )


def _page(name: str, status: int, **facts: Any) -> Response:
    scripts = [(FRONTEND / file).read_text(encoding="utf-8") for file in _SCRIPTS]
    styles = "\n".join((FRONTEND / file).read_text(encoding="utf-8") for file in _STYLES)
    html = _template().render(name=name, styles=styles, scripts=scripts, **{"problem": None, **facts})
    policy = content_policy(*scripts, inline_styles=True)
    return HTMLResponse(html, status, headers={"content-security-policy": policy, "cache-control": "no-store"})


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # takes a tenth of a second

    environment = Environment(loader=FileSystemLoader(FRONTEND / "share"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("index.html")
