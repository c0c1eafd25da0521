"""Errors as answers: each is a sentence for a person, in one JSON shape.

ApiError
├── InvalidFieldError   422  a value that cannot be used; names the field
├── ForbiddenError      403  not with this link
├── NotFoundError       404
├── GoneError           410  a link that is over
├── ConflictError       409  right request, wrong moment
│   └── DoesNotFitError 409  a run that is known to end in an error
├── TooLargeError       413
├── BusyError           429  try again
└── HelperError         500  a process of ours broke

A full disk is 507, whoever met it.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.exceptions import HTTPException

from backend import disk_space
from backend.disk_space import is_full, largest
from worker.contract import RunConfig

log = logging.getLogger(__name__)


class ErrorDetail(BaseModel):
    """``code`` is for programs, ``message`` and ``hint`` are for people; ``field`` names the part of the input."""

    code: str
    message: str
    field: str | None = None
    hint: str | None = None


class ErrorBody(BaseModel):
    error: ErrorDetail


class ApiError(Exception):
    """Something the caller should be told. ``message`` says what happened, ``hint`` what to do."""

    status = 500
    code = "error"

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(code=self.code, message=message, field=field, hint=hint)


class InvalidFieldError(ApiError):
    status = 422
    code = "invalid"

    def __init__(self, field: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, field=field, hint=hint)


class NotFoundError(ApiError):
    status = 404
    code = "not_found"


class ForbiddenError(ApiError):
    status = 403
    code = "forbidden"


class GoneError(ApiError):
    status = 410
    code = "gone"


class ConflictError(ApiError):
    status = 409
    code = "conflict"


class DoesNotFitError(ConflictError):
    code = "does_not_fit"


class TooLargeError(ApiError):
    status = 413
    code = "too_large"


class BusyError(ApiError):
    status = 429
    code = "busy"


class HelperError(ApiError):
    status = 500
    code = "helper_failed"


def failure(data: dict[str, Any]) -> ApiError:
    """The error that a helper process answered with, as worker/protocol.py sends it. Its code tells whose fault it is."""
    fields = {
        "data_unusable": "dataset", "model_unavailable": "model_name", "device_unavailable": "device",
        "prompt_too_long": "prompt", "bad_request": "body", "unsupported": "body",
    }  # fmt: skip
    field = fields.get(data["code"])
    if data["code"] == "gpu_needed":
        return BusyError(data["message"], hint=data["hint"])
    if field is None:
        return HelperError(data["message"], hint=data.get("hint"))
    error = InvalidFieldError(data.get("field") or field, data["message"], hint=data.get("hint"))
    error.detail.code = data["code"] if data["code"] == "prompt_too_long" else error.detail.code
    return error


INTERNAL = ErrorDetail(code="internal", message="Something broke inside Trainboard; its log says where.")


def as_openai(status: int, detail: ErrorDetail) -> dict[str, Any]:
    """An error in the shape that clients of OpenAI's API read."""
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    codes = {"prompt_too_long": "context_length_exceeded"} | ({"not_found": "model_not_found"} if detail.field else {})
    return {"message": _said(detail), "type": kind, "param": detail.field, "code": codes.get(detail.code, detail.code)}


def as_anthropic(status: int, detail: ErrorDetail) -> dict[str, Any]:
    """An error in the shape that clients of Anthropic's API read, the whole body."""
    kinds = {
        401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
        429: "rate_limit_error", 503: "overloaded_error",
    }  # fmt: skip
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": _said(detail)}}


def _said(detail: ErrorDetail) -> str:
    return " ".join(part for part in (detail.message, detail.hint) if part)


def answer_to(path: str, status: int, detail: ErrorDetail) -> JSONResponse:
    """The error as whoever asked for ``path`` reads it, and if another try may help, after how many seconds."""
    if f"{path}/".startswith("/v1/"):
        status = 400 if status == 422 else status
        messages = f"{path}/".startswith("/v1/messages/")
        body = as_anthropic(status, detail) if messages else {"error": as_openai(status, detail)}
    else:
        body = {"error": detail.model_dump(exclude_none=True)}
    return JSONResponse(body, status, {"Retry-After": "2"} if status == 429 else None)


def install(app: FastAPI) -> None:
    """Make every error that leaves a route one JSON shape."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> JSONResponse:
        return answer_to(request.url.path, error.status, error.detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer_to(request.url.path, 422, explain(error.errors()[0]))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # the framework's word for a body that it cannot parse
            return answer_to(
                request.url.path,
                422,
                ErrorDetail(code="invalid", message="The request's body could not be read.", field="body"),
            )
        codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        detail = ErrorDetail(code=codes.get(error.status_code, "error"), message=str(error.detail))
        return answer_to(request.url.path, error.status_code, detail)

    @app.exception_handler(OperationalError)
    @app.exception_handler(TimeoutError)
    async def database(request: Request, error: Exception) -> JSONResponse:
        if is_full(error):
            return await disk_is_full(request)
        log.warning("database: %s", error)
        busy = ErrorDetail(
            code="unavailable",
            message="The database is busy and did not answer in time.",
            hint="Try again in a moment. If it stays so, another program holds trainboard.db.",
        )
        return answer_to(request.url.path, 503, busy)

    @app.exception_handler(OSError)
    async def system(request: Request, error: OSError) -> JSONResponse:
        if is_full(error):
            return await disk_is_full(request)
        raise error

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        # Starlette re-raises after this, so that the server logs the traceback.
        return answer_to(request.url.path, 500, INTERNAL)


async def disk_is_full(request: Request) -> JSONResponse:
    data_dir: Path = request.app.state.services.settings.data_dir
    detail = ErrorDetail(
        code="disk_full",
        message=f"The disk is full: {disk_space.free(data_dir)} are left where {data_dir} lies. Nothing was changed.",
        hint=f"Delete runs or datasets that you no longer need; the most is in {await asyncio.to_thread(largest, data_dir)}."
        " Runs that train wait, and go on by themselves when there is space.",
    )
    return answer_to(request.url.path, 507, detail)


def explain(error: Any, fields: Sequence[str] = tuple(RunConfig.model_fields)) -> ErrorDetail:
    """One error of pydantic as a sentence. ``fields`` are the names to suggest for one that is unknown."""
    kind, context = error["type"], error.get("ctx", {})
    path = [part for part in error["loc"] if part not in ("body", "query", "path", "header")]
    # Of a body that is no JSON, the place is the number of a character.
    field = str(path[0]) if path and isinstance(path[0], str) else "body"
    if kind == "extra_forbidden" and len(path) > 1:
        unknown = f"{label(field)} knows nothing called {shown(path[-1])}."
        return ErrorDetail(code="unknown_field", message=unknown, field=field)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(field, fields, 1)
        hint = f"Did you mean {near[0]}?" if near else "GET /api/config-schema lists all settings."
        return ErrorDetail(
            code="unknown_field", message=f"There is no setting called {shown(field)}.", field=field, hint=hint
        )
    describe = _SENTENCES.get(kind)
    what = describe(context) if describe else f"is not usable: {error['msg']}"
    # A web address may hold a password.
    given = (
        ""
        if kind in ("missing", "json_invalid", "web_address") or field == "body"
        else f"; you gave {shown(error['input'])}"
    )
    return ErrorDetail(code="invalid", message=f"{label(field)} {what}{given}.", field=field, hint=_HINTS.get(field))


def label(field: str) -> str:
    """What the form calls a field: ``batch_size`` → "Batch size"."""
    known = RunConfig.model_fields.get(field)
    if known and isinstance(known.json_schema_extra, dict):
        return str(known.json_schema_extra["label"])
    return {"body": "The request's body"}.get(field) or field.replace("_", " ").replace("-", " ").capitalize()


def shown(value: Any) -> str:
    """A value from outside, short enough for a sentence."""
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _units(singular: str) -> Callable[[dict[str, Any]], str]:
    """Sentences such as: must have at most 3 characters."""

    def sentence(context: dict[str, Any]) -> str:
        most = context.get("max_length")
        count = most if most is not None else context["min_length"]
        return f"must have at {'most' if most is not None else 'least'} {count} {singular}{'' if count == 1 else 's'}"

    return sentence


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "json_invalid": lambda c: f"is not valid JSON: {c.get('error', 'it could not be read')}",
    "greater_than_equal": lambda c: f"must be at least {_number(c['ge'])}",
    "greater_than": lambda c: f"must be more than {_number(c['gt'])}",
    "less_than_equal": lambda c: f"must be at most {_number(c['le'])}",
    "less_than": lambda c: f"must be less than {_number(c['lt'])}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "string_pattern_mismatch": lambda _: "is not one that is known",
    "string_too_long": _units("character"),
    "string_too_short": _units("character"),
    "too_long": _units("item"),
    "too_short": _units("item"),
    "web_address": lambda _: "must begin with http:// or https:// and name a host",
    "value_error": lambda c: str(c.get("error", "cannot be used")),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), lambda _: "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), lambda _: "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: "must be true or false"),
    **dict.fromkeys(("string_type", "string_unicode"), lambda _: "must be text"),
    "list_type": lambda _: "must be a list",
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), lambda _: "must be a JSON object, such as {}"),
}

_HINTS = {"device": "Use auto, cpu, mps, cuda, or one GPU such as cuda:0."}
