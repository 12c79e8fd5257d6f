import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from ami_ros.app.web_view import WebView
from ami_ros.errors import AmiError


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
