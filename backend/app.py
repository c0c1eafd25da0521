"""The application: its parts, their lifetime, its routes. Nothing is built when this module is imported."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend import errors
from backend.api import datasets, disk, pages, system
from backend.api.models import evaluations, exports, generate, score, shares, votes
from backend.api.models import listing as models
from backend.api.runs import compare, files, forks, history, inside, microscope, preflight, series, streams, tags
from backend.api.runs import resource as runs
from backend.api.v1 import completions, listing, messages, responses
from backend.body_limit import BodyLimit
from backend.datasets.store import Datasets
from backend.db.database import Database
from backend.disk_space import Reserve
from backend.evaluations.queue import Evaluations
from backend.evaluations.sources import Sources
from backend.events import outbox
from backend.events.broadcast import Broadcaster
from backend.events.webhooks import Webhooks, page_url
from backend.exports.keeper import Exports
from backend.models.catalog import Catalog
from backend.processes.helper import Helper
from backend.retention.sweeper import RetentionSweeper
from backend.runs.judging.coaching import Coach
from backend.runs.microscope import Microscope
from backend.runs.preflight import Estimates
from backend.runs.supervisor import Supervisor
from backend.security import Security
from backend.series import curves
from backend.services import Services
from backend.settings import Settings
from backend.shares.links import Shares
from backend.system import devices
from backend.system.machine import Sampler
from backend.version import VERSION
from backend.votes.ballot_box import Votes

TEXTS_AT_ONCE = 16

DESCRIPTION = """Launch the training of language models, watch it, and try what came out.

Times are ISO 8601 UTC; durations are seconds, sizes bytes, losses nats per token."""


def create_app(settings: Settings) -> FastAPI:
    """The server for one data directory. Its parts begin and end with the application's lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Trainboard",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses={
            413: {"model": errors.ErrorBody, "description": "The request's body is too large"},
            422: {"model": errors.ErrorBody, "description": "Something in the request cannot be used"},
        },
    )
    errors.install(app)
    for part in (
        runs,
        tags,
        compare,
        preflight,
        history,
        microscope,
        inside,
        series,
        forks,
        files,
        exports,
        streams,
        datasets,
        models,
        generate,
        votes,
        score,
        evaluations,
        listing,
        completions,
        responses,
        messages,
        shares,
        disk,
        system,
        pages,
    ):  # pages last: it takes every path
        app.include_router(part.router)
    token = settings.token.get_secret_value() if settings.token else None
    app.add_middleware(BodyLimit)
    app.add_middleware(Security, host=settings.host, token=token)
    return app


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """The parts of a server, running; workers go on when it ends."""
    await asyncio.to_thread(_prepare_folders, settings)
    database = Database(settings.database)
    await asyncio.to_thread(database.migrate, curves.catch_up)
    reserve = Reserve(settings.data_dir)
    await asyncio.to_thread(reserve.keep)
    own_datasets = Datasets(settings.datasets_dir)
    await asyncio.to_thread(own_datasets.prepare)
    found = await asyncio.to_thread(devices.find_devices)
    broadcaster = Broadcaster(database)
    await broadcaster.start()
    generator = Helper(
        "worker.generation", settings.data_dir / "generation.log", "generates text", at_once=TEXTS_AT_ONCE,
        device=lambda: devices.for_texts(supervisor.busy_devices()),
    )  # fmt: skip
    inspector = Helper("worker.inspection", settings.data_dir / "inspection.log", "looks into datasets")
    # Its own: the first time it measures the machine, which takes seconds in which nobody should wait for a preview.
    estimator = Helper("worker.inspection", settings.data_dir / "forecast.log", "works out what runs take")

    own_exports = Exports(settings.runs_dir, settings.data_dir / "export.log")
    await asyncio.to_thread(own_exports.prepare)

    async def free_gpu(device: str) -> None:
        if device.startswith("cuda"):
            await generator.leave_gpu()
            await own_evaluations.leave_gpu()

    # Before the supervisor, which may find at once that a run has ended.
    webhooks = await _webhooks(settings, database, broadcaster)
    coach = Coach(database, found)
    supervisor = Supervisor(database, settings.runs_dir, found, coach, before_start=free_gpu)
    catalog = Catalog(settings.models_dir, settings.runs_dir)
    own_microscope = Microscope(settings.runs_dir, catalog, settings.data_dir / "microscope.log")
    sources = Sources(catalog, own_datasets, database, settings.runs_dir)
    own_evaluations = Evaluations(settings.data_dir, sources, supervisor.busy_devices)
    retention = RetentionSweeper(settings, database, own_datasets, reserve, own_exports.leave)
    supervisor.start()
    retention.start()
    await own_evaluations.start()
    try:
        yield Services(
            settings=settings,
            database=database,
            broadcaster=broadcaster,
            supervisor=supervisor,
            coach=coach,
            datasets=own_datasets,
            votes=Votes(settings.votes_file),
            shares=Shares(settings.shares_dir),
            catalog=catalog,
            generator=generator,
            inspector=inspector,
            estimates=Estimates(estimator, found, settings.data_dir),
            microscope=own_microscope,
            evaluations=own_evaluations,
            exports=own_exports,
            devices=found,
            sampler=Sampler(settings.data_dir),
            reserve=reserve,
            retention=retention,
            webhooks=webhooks,
        )
    finally:
        await retention.stop()
        await own_exports.stop()
        await supervisor.stop()
        await own_evaluations.stop()
        await generator.release()
        await inspector.release()
        await estimator.release()
        await own_microscope.helper.release()
        if webhooks:
            await webhooks.stop()
        await broadcaster.stop()
        database.close()


async def _webhooks(settings: Settings, database: Database, broadcaster: Broadcaster) -> Webhooks | None:
    if settings.webhook_url is None:
        await asyncio.to_thread(outbox.clear, database)
        return None
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    webhooks = Webhooks(database, broadcaster.news, settings.webhook_url.get_secret_value(), secret, page_url(settings))
    await webhooks.start()
    return webhooks


def _prepare_folders(settings: Settings) -> None:
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    for leftover in settings.runs_dir.glob(".deleted-*"):  # of a deletion that was cut short
        shutil.rmtree(leftover, ignore_errors=True)


def _operation_id(route: APIRoute) -> str:
    return route.name
