"""Who may talk to the server."""

from __future__ import annotations

import re

import httpx
import pytest

ROUTES = ["/", "/docs", "/openapi.json", "/js/app.js", "/api/health", "/api/runs", "/api/stream", "/api/nothing"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "localhost@evil"])
@pytest.mark.parametrize("path", ROUTES)
def test_foreign_names_are_not_answered(shared_server, host: str, path: str) -> None:
    assert shared_server.client.get(path, headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "LOCALHOST:8000", "[::1]:8000"])
def test_own_names_are_answered(shared_server, host: str) -> None:
    assert shared_server.client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/runs"), ("DELETE", "/api/datasets/sample"), ("PATCH", "/x")])
def test_other_sites_change_nothing(shared_server, method: str, path: str, headers: dict[str, str]) -> None:
    response = shared_server.client.request(method, path, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "cross_site")


def test_our_own_page_may(shared_server) -> None:
    headers = {"Origin": shared_server.url, "Sec-Fetch-Site": "same-origin"}
    assert shared_server.client.delete("/api/datasets/none", headers=headers).status_code == 404


def test_headers_forbid_what_the_page_does_not_need(shared_server) -> None:
    for path in ROUTES[:6]:
        headers = shared_server.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert {name: directives[name] for name in ("frame-ancestors", "base-uri", "form-action")} == dict.fromkeys(
            ("frame-ancestors", "base-uri", "form-action"), "'none'"
        )  # these three do not fall back to default-src
        assert (headers["cross-origin-opener-policy"], headers["cross-origin-resource-policy"]) == ("same-origin",) * 2
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_beyond_this_machine_every_route_wants_the_token(start_server) -> None:
    server = start_server({}, "--host", "0.0.0.0")
    address, token = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]{40,})", server.url).groups()
    with httpx.Client(base_url=address, timeout=30) as client:
        for path in ROUTES:
            for method in ("GET", "POST", "DELETE"):
                assert client.request(method, path).status_code == 401
            for wrong in ("x", "é".encode(), token[:-1], token + "x"):
                header = wrong if isinstance(wrong, bytes) else wrong.encode()
                assert client.get(path, headers={"Authorization": b"Bearer " + header}).status_code == 401
        assert client.get("/api/runs?token=" + token).status_code == 401, "only the page takes it from the address"
        assert client.get("/api/runs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/api/runs", headers={"Host": "192.168.1.7:80"}).status_code == 401
        assert client.get("/api/runs", headers={"Host": "evil.example"}).status_code == 421

        visit = client.get("/?token=" + token)
        cookie = visit.headers["set-cookie"].lower()
        assert (visit.status_code, visit.headers["location"]) == (303, "/")
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/api/runs").status_code == 200, "the cookie serves from now on"
        beside = f'prefs={{"a":1, "b":[2]}}; trainboard_token={token}'
        assert httpx.get(f"{address}/api/runs", headers={"Cookie": beside}).status_code == 200, "beside any other cookie"
        assert client.post("/api/runs", json={"x": 1}, headers={"Origin": "https://evil.example"}).status_code == 403
