"""A small web server on this machine's loopback address: one page, and the documents it polls."""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from ami_ros.errors import AmiError

HOST = "127.0.0.1"
FIRST_PORT = 8765
PORTS_TRIED = 50


class WebView:
    """Serves the page `web_view.html`, and under it whatever was `put` last under a name.

    The page polls `state` (small, five times a second) and reads `scene` when its version changes; `map`, `goal`
    and `camera` are pictures. Nothing but this machine can connect, and nothing can be changed through it.

    Args:
        port: None takes the first free one from FIRST_PORT on.

    Raises:
        AmiError: the port is in use.
    """

    def __init__(self, port: int | None = None) -> None:
        page = resources.files("ami_ros.app").joinpath("web_view.html").read_bytes()
        self._documents = {"": ("text/html; charset=utf-8", page)}
        self._policy = _policy(page)
        self._server = self._listen(port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="web view")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def put(self, name: str, content_type: str, content: bytes) -> None:
        """Replaces the document `name`."""
        self._documents[name] = (content_type, content)

    def put_json(self, name: str, value: Any) -> None:
        """Replaces the document `name` by `value`, which must be finite."""
        self.put(name, "application/json", json.dumps(value, allow_nan=False, separators=(",", ":")).encode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _listen(self, port: int | None) -> ThreadingHTTPServer:
        candidates = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
        handler = type("Handler", (_Handler,), {"documents": self._documents, "policy": self._policy})
        for candidate in candidates:
            try:
                server = _Server((HOST, candidate), handler)
            except OSError:
                continue
            return server
        wanted = str(port) if port is not None else f"{FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1}"
        raise AmiError(f"port {wanted} of {HOST} is in use: name another with --port, or use --headless")


def _policy(page: bytes) -> str:
    """What a browser lets the page do: run its own script and no other, whatever a name of a world may hold."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in scripts)
    return f"default-src 'self'; script-src {hashes}; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser may keep its connection for ever

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    documents: dict[str, tuple[str, bytes]]
    policy: str
    timeout = 30.0  # [s] that a client may say nothing
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0]
        name = self.path.partition("?")[0].lstrip("/")
        if host not in (HOST, "localhost"):  # a page elsewhere must not read us through a name of its own
            self.send_error(HTTPStatus.FORBIDDEN)
        elif name not in self.documents:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            content_type, content = self.documents[name]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", self.policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""
