"""The server over real HTTP and WebSockets: who is let in, and what is refused before it reaches the robot."""

from __future__ import annotations

import http.client
import inspect
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from email.message import Message
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ami_ros.cli.watching import view
from ami_ros.console.desk import Desk, Keys, done
from ami_ros.console.kept import MAX_BYTES, Pictures
from ami_ros.console.requests import Request, Steer, Stop
from ami_ros.console.scene import Scene
from ami_ros.console.server import FLOODED, ConsoleServer, ServerConfig, static_files
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from harness.waiting import wait_until


class Asked:
    """What reaches the robot's side."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.answer: Future[Any] | None = None

    def ask(self, request: Request) -> Future[Any]:
        self.got.append(request)
        return self.answer or done("done")

    def steer(self, linear: float, angular: float) -> None:
        self.got.append((linear, angular))

    def let_go(self) -> None:
        self.got.append("let go")


class Bench:
    """A server, and what is behind it."""

    def __init__(self, answer_within: float = 12.0) -> None:
        self.robot, self.scene, self.pictures = Asked(), Scene(), Pictures()
        self.desk = Desk(self.robot, Keys.new())
        config = ServerConfig(answer_within=answer_within)
        self.server = ConsoleServer(self.desk, self.scene, self.pictures.add, port=0, config=config)
        self.host = f"127.0.0.1:{self.server.port}"

    @contextmanager
    def link(self, key: str | None = None, **options: Any) -> Iterator[ClientConnection]:
        """A connection that has said its key."""
        with connect(f"ws://{self.host}/link", max_size=None, **options) as link:
            link.send(json.dumps({"key": self.desk.keys.drive if key is None else key}))
            yield link

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, Message]:
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(getattr(request, "param", 12.0))
    yield made
    made.server.close()


def hear(link: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message = json.loads(link.recv(timeout=10))
        if message["kind"] == kind:
            return dict(message)


def ask(link: ClientConnection, **request: Any) -> dict[str, Any]:
    """The answer to a request, or the error."""
    link.send(json.dumps({"id": 1, **request}))
    while True:
        message = json.loads(link.recv(timeout=10))
        if message["kind"] in ("answer", "error"):
            return dict(message)


def test_the_page_stands_alone_and_runs_no_script_but_its_own(bench: Bench) -> None:
    for name in static_files():
        status, text, headers = bench.http("GET", f"/{name}")
        assert status == 200 and headers["X-Content-Type-Options"] == "nosniff"
        assert b"http://" not in text.replace(b"http://www.w3.org", b"") and b"https://" not in text
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy
    assert bench.http("GET", "/")[1] == bench.http("GET", "/index.html")[1]
    page = static_files()["index.html"][1]
    assert b"<script>" not in page and b" style=" not in page and b"onclick=" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/..%2fserver.py",
        "//etc/passwd",
        "/static/../../setup.py",
        "/link",
        "/picture",
    ],
)
def test_no_other_file_is_ever_served(bench: Bench, path: str) -> None:
    assert bench.http("GET", path)[0] in (403, 404, 405)


def test_a_viewer_sees_the_state_and_each_document(bench: Bench) -> None:
    bench.scene.documents.put("map", {"src": "x"})
    with bench.link() as link:
        assert hear(link, "document") == {"kind": "document", "name": "map", "value": {"src": "x"}}
        first = hear(link, "state")
        assert first["about"] == {"you": 1, "may_act": True, "driver": 0, "viewers": 1}
        bench.scene.decision = "looking around"
        wait_until(lambda: hear(link, "state")["state"]["decision"] == "looking around")
        assert ask(link, do="goto", x=1, y=2) == {"kind": "answer", "id": 1, "value": "done"}
        with bench.link(bench.desk.keys.watch) as other:
            about = hear(other, "state")["about"]
            assert about == {"you": 2, "may_act": False, "driver": 1, "viewers": 2}
            assert "may watch" in ask(other, do="goto", x=1, y=2)["error"]
            assert ask(other, do="stop")["value"] == "done"


@pytest.mark.parametrize("hello", ['{"key": "wrong"}', "{}", "no json", '{"key": 3}', "[]", b"\x00\xff"])
def test_without_the_key_nothing_is_seen_and_nothing_asked(bench: Bench, hello: str | bytes) -> None:
    with connect(f"ws://{bench.host}/link") as link:
        link.send(hello)
        message = json.loads(link.recv(timeout=10))
        assert message["kind"] == "closed" and message["error"].isprintable()
        with pytest.raises(ConnectionClosed):
            link.recv(timeout=10)
    assert bench.robot.got == [] and not bench.desk.viewers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_name_is_refused_whoever_it_leads_to(bench: Bench, host: str) -> None:
    """DNS rebinding: the page of evil.example asks for its own name, which leads here by now."""
    status, text, _ = bench.http("GET", "/", Host=host)
    assert status in (400, 403) and b"canvas" not in text
    status, _, _ = bench.http("POST", "/picture", b"x", Host=host, **{"X-Key": bench.desk.keys.drive})
    assert status in (400, 403)
    with socket.create_connection(("127.0.0.1", bench.server.port), 5.0) as raw:
        raw.sendall(
            f"GET /link HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert raw.recv(1000).split()[1] in (b"403", b"400")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:1", "file://"])
def test_a_page_of_another_origin_can_not_use_it(bench: Bench, origin: str) -> None:
    with pytest.raises(InvalidStatus), bench.link(origin=origin):
        pass
    headers = {"Origin": origin, "X-Key": bench.desk.keys.drive}
    assert bench.http("POST", "/picture", b"x", **headers)[0] == 403
    with bench.link(origin=f"http://{bench.host}") as link:
        assert hear(link, "state")


def test_bad_requests_are_one_line_each_and_the_next_good_one_is_heard(bench: Bench) -> None:
    bad = [
        "", "{", "[]", '{"id": 1, "do": "goto", "x": NaN, "y": 0}', '{"do": "goto", "x": 1e999, "y": 0}',
        '{"do": "name", "name": "../../x"}', '{"do": "reboot"}', '{"id": {"a": 1}, "do": 3}', "[" * 60_000,
    ]  # fmt: skip
    with bench.link() as link:
        for text in bad:
            link.send(text)
            error = hear(link, "error")["error"]
            assert error and "\n" not in error and len(error) <= 300
        assert bench.robot.got == []
        assert ask(link, do="stop")["value"] == "done"
    assert Stop() in bench.robot.got


@pytest.mark.parametrize("bench", [0.3], indirect=True)
def test_an_answer_that_never_comes_is_an_error_and_blocks_nobody(bench: Bench) -> None:
    bench.robot.answer = Future()
    with bench.link() as link:
        assert "no answer within" in ask(link, do="home")["error"]
        bench.robot.answer = Future()
        bench.robot.answer.set_exception(AmiError("goal x: there is none"))
        assert ask(link, do="home")["error"] == "goal x: there is none"


def test_a_flood_is_cut_off_and_lets_go_of_the_robot(bench: Bench) -> None:
    with bench.link() as link, bench.link() as other:
        link.send('{"do": "steer", "linear": 1}')  # before the flood: of one that is read at once, nothing gets through
        wait_until(lambda: bench.robot.got, what="the robot to be steered")
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(5000):
                link.send('{"do": "steer", "linear": 1}')
            while True:
                link.recv(timeout=10)
        assert closed.value.rcvd is None or closed.value.rcvd.code == FLOODED
        wait_until(lambda: bench.robot.got and bench.robot.got[-1] == "let go", what="the robot to be let go")
        assert len(bench.robot.got) < 300
        assert ask(other, do="stop")["value"] == "done"


def test_a_message_that_is_too_long_ends_the_connection(bench: Bench) -> None:
    with bench.link() as link:
        with pytest.raises(ConnectionClosed) as closed:
            link.send("x" * (ServerConfig().max_message + 10))
            while True:
                link.recv(timeout=10)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    assert bench.robot.got == []


def test_a_connection_that_breaks_lets_go_of_the_robot(bench: Bench) -> None:
    with bench.link() as link:
        link.send('{"do": "steer", "linear": 0.5}')
        wait_until(lambda: (0.5, 0.0) in bench.robot.got)
        link.socket.shutdown(socket.SHUT_RDWR)  # no farewell
        wait_until(lambda: bench.robot.got[-1] == "let go", 5.0)


def test_pictures_are_kept_and_whatever_is_none_is_refused(bench: Bench) -> None:
    key = {"X-Key": bench.desk.keys.drive}
    picture = encode_png(np.zeros((60, 80, 3), np.uint8))
    assert json.loads(bench.http("POST", "/picture?title=hall", picture, **key)[1]) == {"picture": 1}
    assert bench.pictures.get(1).title == "hall"
    for body in (b"", b"GIF89a", b"<svg/>", picture[:40]):
        status, text, _ = bench.http("POST", "/picture", body, **key)
        assert status == 400 and "picture" in json.loads(text)["error"]
    for wrong in ({}, {"X-Key": "x"}, {"X-Key": bench.desk.keys.watch}):
        assert bench.http("POST", "/picture", picture, **wrong)[0] == 401
    status, text, _ = bench.http("POST", "/picture?title=%00%0a..%2f..%2fx", picture, **key)
    assert status == 200 and bench.pictures.get(2).title == "../../x"  # a title is text, never a path


def test_an_upload_without_end_is_refused_before_it_fills_the_memory(bench: Bench) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(400):
            sent += 1
            yield bytes(1_000_000)

    try:
        status, text, _ = bench.http("POST", "/picture", body(), **{"X-Key": bench.desk.keys.drive})
        assert status == 413 and str(MAX_BYTES).encode() in text
    except OSError:  # it hung up in the middle
        pass
    assert sent < 100
    assert bench.http("GET", "/")[0] == 200


def test_whatever_a_stranger_sends_the_page_is_served_on(bench: Bench) -> None:
    rng = random.Random(0)
    begun = threading.active_count()
    for k in range(40):
        noise = rng.randbytes(rng.choice([0, 1, 10, 300, 70_000]))
        request = rng.choice(
            [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: ", b"POST /picture HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"]
        )
        with socket.create_connection(("127.0.0.1", bench.server.port), 5.0) as stranger:
            stranger.settimeout(0.02)
            try:
                stranger.sendall(request + noise + (b"\r\n\r\n" if k % 2 else b""))
                stranger.recv(1000)
            except OSError:
                pass
    assert bench.http("GET", "/")[0] == 200 and bench.robot.got == []
    wait_until(lambda: threading.active_count() <= begun + 2, what="the end of their threads")


def test_a_viewer_who_reads_nothing_holds_up_nobody(bench: Bench) -> None:
    bench.scene.documents.put("map", {"src": "x" * 3_000_000})
    with bench.link(max_queue=1, close_timeout=0.2) as slow, bench.link() as link:
        began = time.monotonic()
        for _ in range(5):
            hear(link, "state")
        assert time.monotonic() - began < 5.0
        assert slow.state.name == "OPEN"


def test_two_servers_take_different_ports_and_a_port_in_use_is_one_line(bench: Bench) -> None:
    other = ConsoleServer(bench.desk, bench.scene, bench.pictures.add)
    try:
        assert other.port != bench.server.port
        with pytest.raises(AmiError, match=f"port {other.port} .* in use"):
            ConsoleServer(bench.desk, bench.scene, bench.pictures.add, port=other.port)
    finally:
        other.close()
    with pytest.raises(AmiError, match="an address is expected"):
        ConsoleServer(bench.desk, bench.scene, bench.pictures.add, host="evil.example")


def test_the_page_leaves_foxglove_s_port_free() -> None:
    port = inspect.signature(view).parameters["port"].default
    assert port + 1 < ServerConfig().first_port, "ami view listens there, with Rerun at the next one, too"


def test_a_closed_server_leaves_its_port_free(bench: Bench) -> None:
    first = ConsoleServer(bench.desk, bench.scene, bench.pictures.add)
    first.close()
    again = ConsoleServer(bench.desk, bench.scene, bench.pictures.add, port=first.port)
    again.close()


def test_steering_is_not_answered(bench: Bench) -> None:
    with bench.link() as link:
        link.send(json.dumps({"do": "steer", "linear": 0.5, "angular": 0.1}))
        assert ask(link, do="history")["value"] == "done"
    assert bench.robot.got[0] == (Steer(0.5, 0.1).linear, 0.1)
