"""Who may talk to the server: a check on every request, before any route sees it.

- Host: only names that are ours, so that no other site's name can be pointed at this server (DNS rebinding).
- Origin: a request that changes something and says where it comes from must come from our own page.
- Token: if one is set, which listening beyond this machine demands, every route wants it, as a cookie, as a bearer, or
  as Anthropic's clients send it, in x-api-key; but for what links share, which bring a token of their own.

A plain ASGI middleware: it passes bodies through untouched, so that streams stay streams.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import socket
from base64 import b64encode
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import ErrorDetail, answer_to

COOKIE = "trainboard_token"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHARED = re.compile(r"/share/[^/]+(/generate)?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def content_policy(*scripts: str, inline_styles: bool = False) -> str:
    """A Content-Security-Policy: our own files, and these inline scripts, each allowed by its digest."""
    digests = "".join(f" 'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    styles = " 'unsafe-inline'" if inline_styles else ""
    return (
        f"default-src 'none'; script-src 'self'{digests}; style-src 'self'{styles}; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Security:
    def __init__(self, app: ASGIApp, *, host: str, token: str | None) -> None:
        self._app = app
        self._token = token
        self._names = {*LOOPBACK_NAMES, host.lower()}
        # Listening on every address, we are reached by addresses we cannot list. They are safe: rebinding needs a name.
        self._any_address = host in ("0.0.0.0", "::")
        if self._any_address:
            self._names.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal:
            await answer_to(scope["path"], *refusal)(scope, receive, _with_headers(send))
        elif self._token and self._brings_token(scope):
            await self._keep_token(scope)(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, ErrorDetail] | None:
        """Status and reason if this request is not to be served."""
        if not self._is_our_name(headers.get("host", "")):
            hint = "Use the address that the server printed when it started."
            return 421, ErrorDetail(code="wrong_host", message="This server does not answer to that name.", hint=hint)
        if scope["method"] not in SAFE_METHODS and _is_foreign(headers):
            return 403, ErrorDetail(code="cross_site", message="Another site's page may not change anything here.")
        if self._token and not (SHARED.fullmatch(scope["path"]) or self._has_token(headers) or self._brings_token(scope)):
            return 401, ErrorDetail(
                code="unauthorized",
                message="This server wants its token.",
                hint="Open the address with ?token= that it printed when it started, or send Authorization: Bearer TOKEN.",
            )
        return None

    def _is_our_name(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or "" if _parses(host) else ""
        return name in self._names or (self._any_address and _is_address(name))

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [headers.get("x-api-key", ""), _cookie(headers), bearer.strip() if scheme.lower() == "bearer" else ""]
        return any(map(self._is_token, given))

    def _brings_token(self, scope: Scope) -> bool:
        """Whether this is a visit to the page with the right ?token=."""
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
        return scope["method"] == "GET" and scope["path"] == "/" and self._is_token(given)

    def _keep_token(self, scope: Scope) -> RedirectResponse:
        """Move the token from the address, where history and logs would keep it, to a cookie that scripts cannot read."""
        rest = [(k, v) for k, v in parse_qsl(scope["query_string"].decode("latin-1")) if k != "token"]
        response = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303)
        response.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict", max_age=30 * 24 * 3600)
        return response

    def _is_token(self, given: str) -> bool:
        # Compared as bytes, in constant time; the strings may hold anything.
        return secrets.compare_digest(given.encode("utf-8", "replace"), (self._token or "").encode())


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser says that this request was caused by another site. Scripts send neither header."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _cookie(headers: Headers) -> str:
    # Not the standard library's parser: it gives up at the first odd cookie of another program on this host.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _parses(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname is not None
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", content_policy())
        await send(message)

    return wrapped
