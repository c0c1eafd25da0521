"""Upload, list, look into, change and delete datasets."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from backend.api.deps import ServicesDep, place_in
from backend.api.events import as_events
from backend.datasets import hub
from backend.datasets.uploads import receive
from backend.errors import ConflictError
from backend.runs import lifecycle
from backend.runs.about import OneLine
from backend.runs.jobs import datasets_of, plan
from backend.schemas.data import Dataset, DatasetList, Preview, TokenView
from backend.services import Services
from worker.contract import Reading, RunConfig

router = APIRouter(prefix="/api/datasets", tags=["datasets"])

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": ".txt, .jsonl, .json, .csv, .tsv, .parquet, or .gz of all but the last",
                        }
                    },
                }
            }
        },
    }
}


class HubDataset(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=200, description="owner/name")
    split: str = Field("train", pattern=r"^[A-Za-z0-9_.-]{1,60}$")


class DatasetChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: OneLine | None = None
    reading: Reading | None = None
    header: bool | None = Field(None, description="Whether the first row of a .csv or .tsv names its columns")


class TokensRequest(BaseModel):
    """``config`` is a run's, of which the model, the length and the split matter. ``rows`` are places in the file; without
    them the first are shown, or with a ``seed`` random ones. ``reading`` tries out another way to read the file. ``batch``
    adds the first forward pass of the run."""

    model_config = ConfigDict(extra="forbid")

    config: RunConfig = RunConfig()
    reading: Reading | None = None
    rows: list[Annotated[int, Field(ge=1)]] = Field([], max_length=50)
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    count: int = Field(3, ge=1, le=50)
    batch: bool = False


@router.post("", status_code=201, openapi_extra=UPLOAD_BODY)
async def upload_dataset(request: Request, services: ServicesDep, response: Response) -> Dataset:
    """Keep a file of examples. It is checked while it comes in; the same content again answers with the dataset there is."""
    length = request.headers.get("content-length", "")
    async with receive(
        request.stream(),
        request.headers.get("content-type", ""),
        int(length) if length.isdigit() else None,
        services.settings.max_upload_bytes,
        services.datasets.folder,
    ) as received:
        dataset, new = await asyncio.to_thread(
            services.datasets.add,
            received.path,
            received.filename,
            received.checked,
            received.bytes,
            received.sha256,
        )
    response.status_code = 201 if new else 200
    return dataset


@router.post("/hub", response_class=EventSourceResponse)
async def fetch_dataset(wanted: HubDataset, services: ServicesDep) -> EventSourceResponse:
    """Fetch a dataset of the Hugging Face hub. Events ``progress`` {bytes, total}, then ``done`` with the dataset, or
    ``error``. Closing the stream cancels."""
    hub.require_id(wanted.id)
    most = services.settings.max_upload_bytes
    return EventSourceResponse(as_events(hub.fetch(wanted.id, wanted.split, services.datasets, most)), sep="\n")


@router.get("")
def list_datasets(services: ServicesDep) -> DatasetList:
    """The built-in sample first, then the newest."""
    return DatasetList(items=services.datasets.all())


@router.get("/{dataset_id}")
def get_dataset(dataset_id: str, services: ServicesDep) -> Dataset:
    return services.datasets.get(dataset_id)


@router.patch("/{dataset_id}")
def change_dataset(dataset_id: str, change: DatasetChange, services: ServicesDep) -> Dataset:
    """Rename it, or have it read in another way: the whole file is checked first. Runs that exist keep the old reading."""
    return services.datasets.change(dataset_id, change.name, change.reading, change.header)


def _tried_out(
    reading: Annotated[
        str | None, Query(max_length=20_000, description="Another way to read them, tried out: a Reading as JSON")
    ] = None,
) -> Reading | None:
    try:
        return None if reading is None else Reading.model_validate_json(reading)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise RequestValidationError([{**each, "loc": ("query", "reading", *each["loc"])} for each in details]) from error


@router.get("/{dataset_id}/preview")
async def preview_dataset(
    dataset_id: str,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    start: Annotated[int, Query(ge=1, description="The first record's number among those that hold something")] = 1,
    random: Annotated[int | None, Query(ge=0, description="A seed: records drawn evenly, instead of neighbours")] = None,
    reading: Annotated[Reading | None, Depends(_tried_out)] = None,
    header: Annotated[bool | None, Query(description="Whether the first row of a .csv or .tsv names its columns")] = None,
) -> Preview:
    """Some of its records, as they stand in the file and as they are read: as is set, or as is tried out here. With another
    ``header`` the columns and the reading are those that would be found."""
    dataset = await run_in_threadpool(services.datasets.get, dataset_id)
    source = await run_in_threadpool(services.datasets.source, dataset_id, reading)
    columns: list[str] | None = dataset.columns
    if header not in (None, dataset.header):
        source, columns = source.model_copy(update={"header": header}), None
    request: dict[str, Any] = {"op": "preview", "source": source.model_dump(), "columns": columns}
    request |= {"limit": limit, "start": start, "seed": random}
    return Preview(**await services.inspector.answer(request), total=dataset.rows)


@router.get(
    "/{dataset_id}/statistics",
    response_class=EventSourceResponse,
    dependencies=[place_in(lambda services: services.inspector)],
)
async def dataset_statistics(
    dataset_id: str,
    services: ServicesDep,
    model_name: str | None = None,
    max_length: Annotated[int | None, Query(ge=8, le=131_072)] = None,
    validation_split: Annotated[float, Query(ge=0, le=0.5)] = 0.1,
    split_by_group: bool = False,
) -> EventSourceResponse:
    """Events ``progress`` {text}, then ``done`` with Statistics, or ``error``. Closing the stream cancels."""
    chosen: dict[str, Any] = {"model_name": model_name} if model_name else {}
    chosen |= {"max_length": max_length, "validation_split": validation_split, "split_by_group": split_by_group}
    config = RunConfig(dataset=dataset_id, **chosen)
    dataset = await run_in_threadpool(services.datasets.get, dataset_id)
    planned = await run_in_threadpool(_plan, services, config, None)
    request = {"op": "statistics", "job": planned.job().model_dump(mode="json"), "empty_rows": dataset.empty_rows}
    return EventSourceResponse(as_events(services.inspector.ask(request)), sep="\n")


@router.post("/{dataset_id}/tokens")
async def dataset_tokens(dataset_id: str, wanted: TokensRequest, services: ServicesDep) -> TokenView:
    """Some of its rows as the model will see them, token by token: the same code prepares them for training."""
    config = wanted.config.model_copy(update={"dataset": dataset_id})
    await run_in_threadpool(services.datasets.get, dataset_id)
    planned = await run_in_threadpool(_plan, services, config, wanted.reading)
    request = {"op": "tokens", "job": planned.job().model_dump(mode="json")}
    request |= wanted.model_dump(include={"rows", "seed", "count", "batch"})
    return TokenView(**await services.inspector.answer(request))


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: str, services: ServicesDep) -> None:
    """Delete it, unless a run uses it or may go on with it."""
    # Within the one write transaction, so that no run that uses it can be made in between.
    with services.database.write() as connection:
        users = [
            f"“{row.name}”"
            for row in lifecycle.with_status(connection, *lifecycle.ACTIVE, *lifecycle.MAY_GO_ON)
            if dataset_id in {name for _, name in datasets_of(json.loads(row.config))}
        ]
        if users:
            named = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
            raise ConflictError(
                f"This dataset is in use by {named}.", hint="Wait until they have completed, or delete them first."
            )
        services.datasets.remove(dataset_id)


def _plan(services: Services, config: RunConfig, reading: Reading | None) -> Any:
    return plan(config, services.catalog, services.datasets, services.devices, reading=reading)
