"""Upload, list, look into and delete datasets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from backend import runs
from backend.api.deps import ServicesDep
from backend.errors import ConflictError, InvalidFieldError, TooLargeError
from backend.schemas import Dataset, DatasetList, Preview

router = APIRouter(prefix="/api/datasets", tags=["datasets"])

FORM_BYTES = 64 * 1024  # what a form adds around the file

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "UTF-8 .txt"}},
                }
            }
        },
    }
}


@router.post("", status_code=201, openapi_extra=UPLOAD_BODY)
async def upload_dataset(request: Request, services: ServicesDep, response: Response) -> Dataset:
    """Keep a text file with one example per line. The same content again answers with the dataset there is."""
    most = services.settings.max_upload_bytes
    upload = await _receive(request, most)
    try:
        dataset, new = await asyncio.to_thread(services.datasets.add, upload.file, upload.filename or "", most=most)
    finally:
        await upload.close()
    response.status_code = 201 if new else 200
    return dataset


@router.get("")
def list_datasets(services: ServicesDep) -> DatasetList:
    """The built-in sample first, then the newest."""
    return DatasetList(items=services.datasets.all())


@router.get("/{dataset_id}/preview")
def preview_dataset(dataset_id: str, services: ServicesDep, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Preview:
    """Its first lines."""
    return services.datasets.preview(dataset_id, limit)


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: str, services: ServicesDep) -> None:
    # Within the one write transaction, so that no run that uses it can be made in between.
    with services.database.write() as connection:
        users = [
            f"“{row.name}”"
            for row in runs.with_status(connection, *runs.ACTIVE)
            if json.loads(row.config)["dataset"] == dataset_id
        ]
        if users:
            raise ConflictError(f"This dataset is in use by {', '.join(users)}.", hint="Wait until they end, or stop them.")
        services.datasets.remove(dataset_id)


async def _receive(request: Request, most: int) -> UploadFile:
    """The form's file, received piece by piece into a temporary file. Raises InvalidFieldError, TooLargeError."""
    too_large = TooLargeError(
        f"The file is larger than the limit of {most:,} bytes.",
        field="file",
        hint="Split it, or raise TRAINBOARD_MAX_UPLOAD_BYTES.",
    )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most + FORM_BYTES:
        raise too_large
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidFieldError("file", "No file was sent.", hint="Send a form: curl -F file=@my.txt .../api/datasets")

    async def limited() -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > most + FORM_BYTES:
                raise too_large
            yield chunk

    try:
        form = await MultiPartParser(request.headers, limited(), max_files=1, max_fields=8).parse()
    except MultiPartException as error:
        raise InvalidFieldError("file", f"The form could not be read: {error.message}") from error
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise InvalidFieldError("file", "The form has no file.", hint="Its field must be called file.")
    return upload
