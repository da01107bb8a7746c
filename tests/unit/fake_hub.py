"""A hub on the loopback interface: the two requests a download makes, with ranges and cut-off answers."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "a" * 40


@dataclass(kw_only=True)
class FakeHub:
    """Serve a folder as a repository.

    cut_after holds how many bytes of a file are sent before the connection is cut, once for each
    entry; digests replaces the checksum told for a file. ranges collects what clients asked for.
    """

    folder: Path
    repo: str
    endpoint: str = ""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    ranges: list[tuple[str, str]] = field(default_factory=list)

    def info(self) -> dict[str, object]:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {
            "id": self.repo,
            "modelId": self.repo,
            "sha": REVISION,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [self._sibling(path) for path in files],
        }

    def _sibling(self, path: Path) -> dict[str, object]:
        name, size = path.relative_to(self.folder).as_posix(), path.stat().st_size
        sibling: dict[str, object] = {"rfilename": name, "size": size, "blobId": "b" * 40}
        if path.suffix in (".bin", ".safetensors"):
            digest = self.digests.get(name, hashlib.sha256(path.read_bytes()).hexdigest())
            sibling["lfs"] = {"size": size, "sha256": digest, "pointerSize": 134}
        return sibling


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            resolved = f"/{hub.repo}/resolve/{REVISION}/"
            if path == f"/api/models/{hub.repo}":
                self._answer(200, json.dumps(hub.info()).encode(), "application/json")
            elif path.startswith(resolved) and (hub.folder / path.removeprefix(resolved)).is_file():
                self._send_file(path.removeprefix(resolved))
            else:
                self._answer(404, b"{}", "application/json")

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

        def _send_file(self, name: str) -> None:
            content = (hub.folder / name).read_bytes()
            asked = self.headers.get("Range", "")
            hub.ranges.append((name, asked))
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
            self._answer(206 if asked else 200, content[start:], "application/octet-stream", name)

        def _answer(self, status: int, body: bytes, kind: str, name: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cuts = hub.cut_after.get(name, [])
            self.wfile.write(body[: cuts[0]] if cuts else body)
            if cuts:
                cuts.pop(0)
                self.close_connection = True

    return Handler
