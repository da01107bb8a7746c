"""What an HTTP request asks for, and whether it may; no I/O.

The service listens where every web page that the user opens can reach it. So no page of another site may
have an answer: neither by its own name (Origin), nor by a name of its own that it lets point here (Host).
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

MAX_QUERY_FIELDS = 8
_HOST = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<other>[^:]+))(?::\d{1,5})?")
_FOR_ALL = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request's URL names: an address, attributes of it, and the token that came with it."""

    path: str
    attributes: tuple[str, ...] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    status: HTTPStatus
    sentence: str


def read_target(url: str) -> Target:
    """Read path and query of a URL.

    Raises:
        ValueError: more fields than any request needs.
    """
    path, _, query = url.partition("#")[0].partition("?")
    fields = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    attributes = tuple(name for name, _ in fields if name != "TOKEN")
    return Target(unquote(path), attributes, dict(fields).get("TOKEN", ""))


def refusal(request: Request, target: Target, token: str) -> Refusal | None:
    """Tell why a request gets no answer; None where it gets one. An empty token asks for none."""
    if request.method != "GET":
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "GET is the only method")
    hosts = request.headers.get_all("Host")
    if len(hosts) != 1 or not _is_numeric_or_local(hosts[0]):
        return Refusal(HTTPStatus.FORBIDDEN, "Host must be an IP address or localhost")
    if not all(_is_local_origin(origin) for origin in request.headers.get_all("Origin")):
        return Refusal(HTTPStatus.FORBIDDEN, "web pages of other sites have no access")
    if token and not _has_token(request.headers, target, token):
        return Refusal(HTTPStatus.UNAUTHORIZED, "a token is needed: ?TOKEN= or Authorization: Bearer")
    return None


def asks_for_websocket(headers: Headers) -> bool:
    return any(value.strip().lower() == "websocket" for value in headers.get_all("Upgrade"))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the host; False where a name may mean anything."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def json_reply(content: dict[str, Any]) -> Response:
    return _reply(HTTPStatus.OK, "application/json", json.dumps(content, allow_nan=False))


def plain_reply(status: HTTPStatus, sentence: str) -> Response:
    """Return a reply in words; NO_CONTENT has none."""
    if status is HTTPStatus.NO_CONTENT:
        return Response(status, status.phrase, Headers(_FOR_ALL))
    reply = _reply(status, "text/plain; charset=utf-8", f"{sentence}\n")
    if status is HTTPStatus.UNAUTHORIZED:
        reply.headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        reply.headers["Allow"] = "GET"
    return reply


def _reply(status: HTTPStatus, kind: str, body: str) -> Response:
    content = body.encode()
    headers = Headers(_FOR_ALL | {"Content-Type": kind, "Content-Length": str(len(content))})
    return Response(status, status.phrase, headers, content)


def _is_numeric_or_local(host: str) -> bool:
    found = _HOST.fullmatch(host.strip())
    if found is None:
        return False
    name = found["v6"] or found["other"]
    return name.lower() == "localhost" or _is_ip_address(name)


def _is_ip_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_local_origin(origin: str) -> bool:
    """Tell whether a page comes from this machine; null does not say so: any page can have it for a frame."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and is_loopback(parts.hostname or "")


def _has_token(headers: Headers, target: Target, token: str) -> bool:
    given = [target.token, *(_bearer(value) for value in headers.get_all("Authorization"))]
    # Of digests the comparison takes as long whatever was given, and however long the token is.
    return any(hmac.compare_digest(_digest(text), _digest(token)) for text in given)


def _bearer(value: str) -> str:
    scheme, _, text = value.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
