"""The console's server: a page of static files, one WebSocket for all that is said, one address for pictures.

Starlette and uvicorn; everything else is `console.desk`'s to decide. It answers only to its own names, so that a page
elsewhere can neither read nor use it through a name of its own (DNS rebinding), and only with a key that
the start printed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import mimetypes
import socket
import threading
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any, Protocol

from ami_ros.console.desk import Desk, Viewer
from ami_ros.console.kept import MAX_BYTES, Picture
from ami_ros.console.requests import read_json, request_of
from ami_ros.console.scene import Scene, dumps
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing

with importing("console"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

REFUSED, FLOODED = 4401, 4429  # codes with which a connection is closed


@dataclass(frozen=True)
class ServerConfig:
    """What a server allows."""

    first_port: int = 8770  # above the ports of `ami view`, which Foxglove connects to (8765)
    ports: int = 50  # tried
    period: float = 0.2  # [s] between two states for a page
    max_message: int = 64 * 1024  # [bytes] of what a page says
    hello_within: float = 5.0  # [s] that a page may take to say its key
    answer_within: float = 12.0  # [s]


class Keeper(Protocol):
    """Keeps a picture that was dropped on the page."""

    def __call__(self, data: bytes, title: str) -> Picture: ...


class ConsoleServer:
    """Serves the page on a thread of its own until `close`.

    Args:
        desk: lets viewers in, and takes what they ask.
        scene: what they see.
        keep_picture: see there.
        host: address to listen at.
        port: None takes the first free one from `config.first_port` on.
        config: see there.

    Raises:
        AmiError: the port is in use, or there is no such address here.
    """

    def __init__(
        self, desk: Desk, scene: Scene, keep_picture: Keeper, host: str = "127.0.0.1", port: int | None = None,
        config: ServerConfig | None = None,
    ) -> None:  # fmt: skip
        config = config or ServerConfig()
        self._socket = _listen(host, port, config)
        self._host, self.port = host, int(self._socket.getsockname()[1])
        app = _App(desk, scene, keep_picture, config).starlette
        served = uvicorn.Config(
            OwnNamesOnly(app), log_level="critical", access_log=False, ws="websockets-sansio", loop="asyncio",
            http="h11", ws_max_size=config.max_message, ws_ping_interval=5.0, ws_ping_timeout=5.0, server_header=False,
            lifespan="off", timeout_keep_alive=5, limit_concurrency=100, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(served)
        serve = partial(self._server.serve, sockets=[self._socket])
        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="console server", daemon=True)
        self._thread.start()

    def url(self, key: str) -> str:
        """Where the page is; the key stands behind #, which browsers do not send."""
        host = self._host
        if ipaddress.ip_address(host).is_unspecified:  # an address that others may reach it at; no packet is sent
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect(("192.0.2.1", 9))  # of documentation (RFC 5737)
                    host = str(probe.getsockname()[0])
                except OSError:
                    host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/#{key}"

    def close(self) -> None:
        """Ends it; pages notice."""
        self._server.should_exit = True
        self._thread.join(5.0)
        self._socket.close()


class OwnNamesOnly:
    """Refuses what is addressed to another name, or comes from a page of another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not (problem := _foreign(dict(scope["headers"]))):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await JSONResponse({"error": problem}, 403)(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": REFUSED, "reason": problem})


def _foreign(headers: Mapping[bytes, bytes]) -> str:
    """Why a request is refused; "" if it is not. An address of numbers is no name that another could have."""
    host = headers.get(b"host", b"").decode("latin-1")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    own = {"localhost", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
    if name.lower() not in own and not _is_address(name.strip("[]")):
        return "this is not the address of the console: open the one that ./ami printed"
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1") not in (f"http://{host}", f"https://{host}"):
        return "a page of another address may not use the console"
    return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _App:
    """The addresses of the server."""

    def __init__(self, desk: Desk, scene: Scene, keep_picture: Keeper, config: ServerConfig) -> None:
        self._desk, self._scene, self._keep, self._config = desk, scene, keep_picture, config
        self._files = {f"/{name}": entry for name, entry in static_files().items()}
        self._said = (0.0, "")  # steady time, and the state as it was said then
        self.starlette = Starlette(
            routes=[
                Route("/picture", self._picture, methods=["POST"]),
                WebSocketRoute("/link", self._link),
                Route("/{name:path}", self._file, methods=["GET"]),
            ]
        )

    async def _file(self, request: HttpRequest) -> Response:
        path = request.url.path
        found = self._files.get("/index.html" if path == "/" else path)
        if found is None:
            return JSONResponse({"error": "there is no such page"}, 404)
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
                   "Referrer-Policy": "no-referrer"}  # fmt: skip
        return Response(found[1], media_type=found[0], headers=headers)

    async def _picture(self, request: HttpRequest) -> Response:
        """Keeps a picture: JPEG or PNG as the body, the key in the header X-Key."""
        key = request.headers.get("x-key", "")
        if key != self._desk.keys.drive:
            return JSONResponse({"error": "wrong key: open the address that ./ami printed when it started"}, 401)
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > MAX_BYTES:
                words = f"picture: at most {MAX_BYTES} bytes; make it smaller"
                return JSONResponse({"error": words}, 413, {"Connection": "close"})  # the rest is not read
        try:
            title = request.query_params.get("title", "picture")
            picture = await asyncio.to_thread(self._keep, bytes(data), "".join(c for c in title if c.isprintable()))
        except AmiError as error:
            return JSONResponse({"error": str(error)[:300]}, 400)
        self._desk.say(f"picture {picture.number} was dropped: {picture.title}")
        return JSONResponse({"picture": picture.number})

    async def _link(self, socket: WebSocket) -> None:
        await socket.accept()
        client = socket.client.host if socket.client else "?"
        try:
            hello = read_json(await asyncio.wait_for(socket.receive_text(), self._config.hello_within))
            viewer = self._desk.enter(str(hello.get("key", "")), client)
        except (AmiError, KeyError, TimeoutError) as error:
            words = str(error) if isinstance(error, AmiError) else "the first message must be the key, as JSON"
            await _close(socket, REFUSED, words)
            return
        except WebSocketDisconnect:
            return
        try:
            await _first_of(self._listen(socket, viewer), self._show(socket, viewer))
        finally:
            self._desk.leave(viewer)

    async def _listen(self, socket: WebSocket, viewer: Viewer) -> None:
        waiting: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    text = await socket.receive_text()
                    viewer.count()
                except KeyError:  # bytes
                    await _close(socket, REFUSED, "text is expected")
                    return
                except AmiError as error:
                    self._desk.say(str(error))
                    await _close(socket, FLOODED, str(error))
                    return
                task = asyncio.create_task(self._answer(socket, viewer, text))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            for task in waiting:
                task.cancel()

    async def _answer(self, socket: WebSocket, viewer: Viewer, text: str) -> None:
        number: Any = None
        try:
            values = read_json(text)
            number = values.pop("id", None)
            number = number if isinstance(number, int) else None
            future = self._desk.ask(viewer, request_of(values))
            value = await asyncio.wait_for(asyncio.wrap_future(future), self._config.answer_within)
            answer = {"kind": "answer", "id": number, "value": value}
        except AmiError as error:
            answer = {"kind": "error", "id": number, "error": str(error)[:300]}
        except TimeoutError:
            words = f"no answer within {self._config.answer_within:.0f} s: is the stack still alive?"
            answer = {"kind": "error", "id": number, "error": words}
        if answer.get("value") != "":
            await _send(socket, answer)

    async def _show(self, socket: WebSocket, viewer: Viewer) -> None:
        """Sends the state some times a second, and documents when they are new. A slow page gets fewer."""
        seen: dict[str, int] = {}
        lines = -1
        while True:
            for name, (version, value) in self._scene.documents.newer(seen).items():
                seen[name] = version
                await _send(socket, {"kind": "document", "name": name, "value": value})
            if lines != self._desk.lines:
                lines = self._desk.lines
                await _send(socket, {"kind": "log", "lines": list(self._desk.log)})
            driver = self._desk.driver
            about = {"you": viewer.number, "may_act": viewer.may_act, "driver": driver.number if driver else 0,
                     "viewers": len(self._desk.viewers)}  # fmt: skip
            await socket.send_text(f'{{"kind":"state","about":{dumps(about)},{self._state()[1:]}')
            await asyncio.sleep(self._config.period)

    def _state(self) -> str:
        """As JSON, once for all pages."""
        now = time.monotonic()
        if now - self._said[0] > self._config.period / 2:
            state = self._scene.state()
            self._scene.keep(state)
            self._said = now, dumps({"state": state, "live": self._scene.live()})
        return self._said[1]


def static_files() -> dict[str, tuple[str, bytes]]:
    """The files of the page: type and content by name. Nothing else is ever read for a request."""
    folder = resources.files("ami_ros.console") / "static"
    found = {}
    for file in folder.iterdir():
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        found[file.name] = (f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, file.read_bytes())
    return found


async def _send(socket: WebSocket, value: dict[str, Any]) -> None:
    try:
        await socket.send_text(dumps(value))
    except (WebSocketDisconnect, RuntimeError):
        pass


async def _close(socket: WebSocket, code: int, words: str) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        try:
            await socket.send_text(dumps({"kind": "closed", "error": words[:300]}))
            await socket.close(code, words[:60])
        except (WebSocketDisconnect, RuntimeError):
            pass


async def _first_of(*works: Awaitable[None]) -> None:
    """Runs all until one ends, then ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listen(host: str, port: int | None, config: ServerConfig) -> socket.socket:
    candidates = range(config.first_port, config.first_port + config.ports) if port is None else [port]
    if not _is_address(host):
        raise AmiError(f"--host {host}: an address is expected, such as 127.0.0.1, or 0.0.0.0 for all of this machine")
    for candidate in candidates:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
            listening.listen(64)
        except (OSError, OverflowError):
            listening.close()
            continue
        return listening
    wanted = str(port) if port is not None else f"{candidates[0]} to {candidates[-1]}"
    raise AmiError(f"port {wanted} of {host} is in use: name another with --port, or go without the console")
