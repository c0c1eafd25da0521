"""Errors under /v1 have the shape that each door's clients read, whatever their status."""

from __future__ import annotations

import json

import pytest

from backend.errors import ErrorDetail, answer_to

DETAIL = ErrorDetail(code="x", message="What happened.", hint="What to do.")
OPENAI = {
    401: "authentication_error", 404: "not_found_error", 405: "invalid_request_error", 413: "invalid_request_error",
    422: "invalid_request_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error", 507: "server_error",
}  # fmt: skip
ANTHROPIC = {
    **OPENAI, 413: "request_too_large", 500: "api_error", 503: "overloaded_error", 507: "api_error", 403: "permission_error",
}  # fmt: skip


@pytest.mark.parametrize("status", OPENAI)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/nothing", "/v1"])
def test_openai_s_clients_read_it(status: int, path: str) -> None:
    answer = answer_to(path, status, DETAIL)
    assert answer.status_code == (400 if status == 422 else status)
    told = {"message": "What happened. What to do.", "type": OPENAI[status], "param": None, "code": "x"}
    assert json.loads(bytes(answer.body)) == {"error": told}
    assert answer.headers.get("Retry-After") == ("2" if status == 429 else None)


@pytest.mark.parametrize("status", ANTHROPIC)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_anthropic_s_clients_read_it(status: int, path: str) -> None:
    answer = answer_to(path, status, DETAIL)
    assert answer.status_code == (400 if status == 422 else status)
    told = {"type": ANTHROPIC[status], "message": "What happened. What to do."}
    assert json.loads(bytes(answer.body)) == {"type": "error", "error": told}
    assert answer.headers.get("Retry-After") == ("2" if status == 429 else None)


def test_elsewhere_it_is_ours() -> None:
    for path in ("/api/runs", "/v10", "/v1messages"):
        answer = answer_to(path, 422, DETAIL)
        assert (answer.status_code, json.loads(bytes(answer.body))["error"]["hint"]) == (422, "What to do.")
