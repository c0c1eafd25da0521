"""Exports of a run: made, followed, taken away, proven, put on the hub, deleted."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from sse_starlette import EventSourceResponse

from backend.api.deps import ServicesDep, name_of_run
from backend.api.events import as_events
from backend.errors import InvalidFieldError, NotFoundError
from backend.exports.folder_zip import FolderZip
from backend.exports.ranges import zip_answer
from backend.metrics.exports import file_name
from backend.schemas.exports import Export, ExportList, ExportRequest, Push
from backend.schemas.names import is_hub_id
from backend.services import Services
from worker.contract import ADAPTER_DIR, EXPORT_FILE, MODEL_DIR, NUMBER_FORMATS, is_adapter

router = APIRouter(prefix="/api/runs/{run_id}", tags=["exports"])

_OF_TRAINING = ("training_state.", "manifest.json")


@router.get("/exports")
def list_exports(run_id: str, services: ServicesDep) -> ExportList:
    """What was exported, is being exported, or could not be, the newest first."""
    name_of_run(services, run_id)
    return ExportList(items=services.exports.all(run_id))


@router.post("/exports", status_code=201)
async def create_export(run_id: str, wanted: ExportRequest, services: ServicesDep) -> Export:
    """Begin to export the finished model or a checkpoint. It is made in a process of its own; ``…/events`` follows it."""
    name_of_run(services, run_id)
    source = Path(_source(services, run_id, wanted.checkpoint))
    adapter = source if wanted.checkpoint else services.settings.runs_dir / run_id / ADAPTER_DIR
    if wanted.format == "adapter" and not is_adapter(adapter):
        raise InvalidFieldError("format", "This run trained no adapter.", hint="Use safetensors or gguf.")
    allowed = NUMBER_FORMATS[wanted.format]
    if wanted.number_format and wanted.number_format not in allowed:
        raise InvalidFieldError(
            "number_format",
            f"{wanted.format} has no number format {wanted.number_format}.",
            hint=f"Use: {', '.join(allowed)}.",
        )
    return await services.exports.start(run_id, wanted)


@router.get("/exports/{name}")
def get_export(run_id: str, name: str, services: ServicesDep) -> Export:
    """How far it is, or what became of it: its files, and whether another program answers by it as here."""
    name_of_run(services, run_id)
    return services.exports.get(run_id, name)


@router.get("/exports/{name}/events", response_class=EventSourceResponse)
def follow_export(run_id: str, name: str, services: ServicesDep) -> EventSourceResponse:
    """Events ``progress`` with the Export, then ``done`` with it, or ``error`` if it was stopped. Leaving stops nothing."""
    name_of_run(services, run_id)
    services.exports.get(run_id, name)
    return EventSourceResponse(as_events(services.exports.watch(run_id, name)), sep="\n")


@router.delete("/exports/{name}", status_code=204)
async def delete_export(run_id: str, name: str, services: ServicesDep) -> None:
    """Stop it if it is being made, and delete it."""
    name_of_run(services, run_id)
    await services.exports.remove(run_id, name)


@router.get("/exports/{name}/download.zip", response_class=Response)
def download_export(run_id: str, name: str, request: Request, services: ServicesDep) -> Response:
    """The export as one zip file, streamed; a Range goes on with it."""
    run_name = name_of_run(services, run_id)
    export, folder = services.exports.done(run_id, name)
    files = FolderZip(folder, [folder / file for file in export.files])
    return zip_answer(request, files, file_name(run_name, run_id, f"{export.name}.zip"))


@router.get("/exports/{name}/files/{file}", response_class=FileResponse)
def download_export_file(run_id: str, name: str, file: str, services: ServicesDep) -> Response:
    """One file of an export, such as the .gguf alone; a Range goes on with it."""
    name_of_run(services, run_id)
    export, folder = services.exports.done(run_id, name)
    if file not in export.files or file == EXPORT_FILE:
        raise NotFoundError(f"This export has no file {file[:100]!r}.", hint=f"It has: {', '.join(export.files)}.")
    return FileResponse(folder / file, media_type="application/octet-stream", filename=file)


@router.post("/exports/{name}/push", response_class=EventSourceResponse)
def push_export(run_id: str, name: str, wanted: Push, services: ServicesDep) -> EventSourceResponse:
    """Put an export into a repository of the Hugging Face hub.

    Events ``progress`` {text}, then ``done`` {url}, or ``error``. Closing the stream ends it.
    """
    name_of_run(services, run_id)
    if not is_hub_id(wanted.repository):
        raise InvalidFieldError(
            "repository",
            f"{wanted.repository!r} is not the name of a repository.",
            hint="Use owner/name, as the hub has it.",
        )
    return EventSourceResponse(as_events(services.exports.push(run_id, name, wanted)), sep="\n")


@router.get("/files/model.zip", response_class=Response, tags=["files"])
def download_model(run_id: str, request: Request, services: ServicesDep, checkpoint: str | None = None) -> Response:
    """The model's folder as it lies on the disk, of the finished model or of a checkpoint, without what only going on needs.

    Streamed as a zip file; a Range goes on with it.
    """
    run_name = name_of_run(services, run_id)
    source = _source(services, run_id, checkpoint)
    folder = Path(source)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(_OF_TRAINING))
    ending = f"{checkpoint or MODEL_DIR}.zip"
    return zip_answer(request, FolderZip(folder, files), file_name(run_name, run_id, ending))


def _source(services: Services, run_id: str, checkpoint: str | None) -> str:
    """The folder of it. Raises InvalidFieldError if it is not there."""
    found = services.catalog.resolve(f"run:{run_id}@{checkpoint}" if checkpoint else f"run:{run_id}", field="checkpoint")
    return found.source.location
