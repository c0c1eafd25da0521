"""A body that is larger than any configuration is refused before it is read, and blocks nobody."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from backend.body_limit import MOST_BYTES

PATHS = [("POST", "/api/runs"), ("POST", "/api/preflight"), ("PATCH", "/api/runs/none"), ("POST", "/nothing/here")]


JSON = {"content-type": "application/json"}


def many_keys(size: int) -> bytes:
    """JSON of settings that do not exist, ``size`` bytes long."""
    keys = ",".join(f'"k{number:06d}":0' for number in range((size - 2) // 12))
    return f"{{{keys}}}".encode().ljust(size)


def in_parts(body: bytes) -> Iterator[bytes]:
    """Sent in chunks, its length unsaid."""
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_more_than_the_limit_is_refused(shared_server, method: str, path: str, chunked: bool) -> None:
    for size in (MOST_BYTES + 1, 5 * MOST_BYTES):
        body = many_keys(size)
        response = shared_server.client.request(method, path, content=in_parts(body) if chunked else body)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["field"]) == (413, "too_large", "body")
        assert "1,000,000 bytes" in error["message"]
        assert chunked or f"{size:,}" in error["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_itself_is_read_and_others_are_answered_meanwhile(shared_server, chunked: bool) -> None:
    body = many_keys(MOST_BYTES)
    assert len(body) == MOST_BYTES
    began = time.monotonic()
    response = shared_server.client.post("/api/runs", content=in_parts(body) if chunked else body, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "unknown_field"), response.text
    assert time.monotonic() - began < 10
    text = json.dumps({"max_steps": 0}).encode()
    response = shared_server.client.post("/api/runs", content=in_parts(text) if chunked else text, headers=JSON)
    assert response.json()["error"]["field"] == "max_steps"


@pytest.mark.parametrize("header", ["Expect: 100-continue\r\n", ""])
def test_the_answer_comes_before_the_body(shared_server, header: str) -> None:
    address = urlsplit(shared_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = f"POST /api/runs HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 50000000\r\n{header}\r\n"
        connection.sendall(head.encode())
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert b"100 Continue" not in answer


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "10\r\nContent-Length: 20000000"])
def test_a_length_that_is_none_gets_nowhere(shared_server, length: str) -> None:
    address = urlsplit(shared_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"POST /api/runs HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {length}\r\n\r\n".encode())
        assert connection.recv(65536).split()[1] in (b"400", b"413")


def test_an_upload_may_be_larger(shared_server) -> None:
    text = "\n".join(f"line {number} of a text" for number in range(80_000))
    assert len(text) > MOST_BYTES
    response = shared_server.client.post("/api/datasets", files={"file": ("large.txt", text.encode())})
    assert response.status_code == 201
    shared_server.client.delete(f"/api/datasets/{response.json()['id']}")


def test_deep_json_is_an_error_like_any_other(shared_server: httpx.Client) -> None:
    for deep in ("[" * 200_000, '{"name":' * 100_000):
        assert shared_server.client.post("/api/runs", content=deep.encode(), headers=JSON).status_code == 422
