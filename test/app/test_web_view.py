import base64
import hashlib
import json
import random
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from ami_ros.app.web_view import WebView
from ami_ros.errors import AmiError
from harness.waiting import wait_until


@pytest.fixture
def view() -> Iterator[WebView]:
    opened = WebView()
    yield opened
    opened.close()


def read(url: str, **headers: str) -> tuple[str, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_page_stands_alone(view: WebView) -> None:
    content_type, page = read(view.url)
    assert content_type.startswith("text/html")
    assert b"<canvas" in page
    assert b"http://" not in page and b"https://" not in page


def test_newest_document_is_served(view: WebView) -> None:
    view.put_json("state", {"energy": 1.0})
    view.put_json("state", {"energy": 0.5})
    content_type, body = read(view.url + "state?17")
    assert content_type == "application/json"
    assert json.loads(body) == {"energy": 0.5}
    view.put("camera", "image/jpeg", b"\xff\xd8picture")
    assert read(view.url + "camera") == ("image/jpeg", b"\xff\xd8picture")


def test_unknown_document_is_not_found(view: WebView) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        read(view.url + "../etc/passwd")
    assert error.value.code == 404


def test_foreign_host_name_is_refused(view: WebView) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        read(view.url, Host="evil.example:8765")
    assert error.value.code == 403


def test_state_that_json_lacks_is_refused(view: WebView) -> None:
    with pytest.raises(ValueError, match="JSON"):
        view.put_json("state", {"energy": float("nan")})


def test_two_views_take_different_ports(view: WebView) -> None:
    second = WebView()
    try:
        assert second.url != view.url
        assert read(second.url)[0].startswith("text/html")
    finally:
        second.close()


def test_port_in_use_gives_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AmiError, match=f"port {port} .* in use.*--port"):
            WebView(port)


def test_closed_view_leaves_its_port_free() -> None:
    first = WebView()
    port = int(first.url.rstrip("/").rpartition(":")[2])
    first.close()
    WebView(port).close()


def test_names_are_text_on_the_page_and_no_script_but_its_own_runs(view: WebView) -> None:
    with urllib.request.urlopen(view.url, timeout=10) as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    script = page.split("<script>")[1].split("</script>")[0]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    for text in ("s.world", "s.robot", "s.goal.kind", "t.kind", "t.error_msg"):  # all that is not a number
        assert f"plain({text})" in script and f"${{{text}}}" not in script


def test_whatever_a_stranger_sends_the_page_is_served_on(view: WebView) -> None:
    rng, (host, port) = random.Random(0), urllib.parse.urlsplit(view.url).netloc.split(":")
    view.put("state", "application/json", b"{}")
    begun = threading.active_count()
    for k in range(60):
        noise = rng.randbytes(rng.choice([0, 1, 10, 300, 70_000]))
        request = rng.choice(
            [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: ", b"POST /state HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"]
        )
        with socket.create_connection((host, int(port)), 5.0) as stranger:
            stranger.settimeout(0.05)
            try:
                stranger.sendall(request + noise + (b"\r\n\r\n" if k % 2 else b""))
                stranger.recv(1000)
            except OSError:
                pass
    assert read(view.url + "state") == ("application/json", b"{}")
    wait_until(lambda: threading.active_count() <= begun + 2, what="the end of their threads")
