"""A real browser, headless, by its DevTools protocol: Debian's chromium, and no package beside those of the console."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.waiting import wait_until

PROGRAMS = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"


def find_browser() -> str | None:
    """The program, if one is installed."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """One process; each `Page` is a tab of its own."""

    def __init__(self) -> None:
        program = find_browser()
        assert program is not None
        self._folder = tempfile.mkdtemp(prefix="ami_ros_browser_")
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--remote-debugging-port=0", f"--user-data-dir={self._folder}", "--hide-scrollbars", "about:blank"),
        ]
        self._process = subprocess.Popen(
            [program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        port = Path(self._folder) / "DevToolsActivePort"
        wait_until(lambda: port.exists() and port.read_text().strip(), 20.0, "the browser")
        self._address = f"http://127.0.0.1:{port.read_text().split()[0]}"

    def page(self, url: str, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """Opens a page."""
        request = urllib.request.Request(f"{self._address}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            page = Page(json.loads(answer.read())["webSocketDebuggerUrl"])
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = "dark" if dark else "light"
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.call("Page.navigate", url=url)
        return page

    def close(self) -> None:
        """Ends it."""
        os.killpg(self._process.pid, signal.SIGKILL)  # the program is a script that starts the browser
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """A tab."""

    def __init__(self, url: str) -> None:
        self._socket = connect(url, max_size=50_000_000).__enter__()
        self._count = 0
        self.problems: list[str] = []  # what the page complained of
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A method of the protocol, and its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=20.0))
            if message.get("id") == self._count:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description") or details["text"]))
        elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.problems.append(str(message["params"]["entry"]["text"]))

    def eval(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script: str, deadline: float = 15.0) -> Any:
        """Waits until an expression is true."""
        tried = f"(() => {{ try {{ return ({script}); }} catch {{ return false; }} }})()"  # it may be loading yet
        return wait_until(lambda: self.eval(tried), deadline, lambda: f"{script}; {self.problems}")

    def click(self, selector: str) -> None:
        """Clicks the middle of an element with the mouse, as people do: what covers it gets the click."""
        self.eval(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.box(selector)
        middle = x + width / 2, y + height / 2
        self.drag(middle, middle)

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in the window [px]."""
        found = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = self.eval(f"(b => [b.x, b.y, b.width, b.height])({found})")
        return x, y, width, height

    def drag(self, start: tuple[float, float], end: tuple[float, float], hold: float = 0.0) -> None:
        """Presses the mouse at one spot and lets it go at another [px]."""
        self.mouse("mouseMoved", start)
        self.mouse("mousePressed", start)
        if start != end:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            self.mouse("mouseMoved", middle)
            self.mouse("mouseMoved", end)
        time.sleep(hold)
        self.mouse("mouseReleased", end)

    def mouse(self, kind: str, at: tuple[float, float]) -> None:
        """One event of the left button."""
        held = kind in ("mousePressed", "mouseReleased")
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=int(held),
            buttons=int(kind != "mouseReleased"),
        )  # fmt: skip

    def key(self, name: str, down: bool | None = None) -> None:
        """Presses and lets go a key, or one of both."""
        for kind, wanted in (("keyDown", True), ("keyUp", False)):
            if down is None or down is wanted:
                text = {"text": "\r"} if name == "Enter" and wanted else {}
                self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, **text)

    def type(self, selector: str, text: str) -> None:
        """Writes into a field."""
        self.eval(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def files(self, selector: str, files: list[Path]) -> None:
        """Chooses files, as in the dialogue of a field for them."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def close(self) -> None:
        """Closes the tab."""
        try:
            self.call("Page.close")
        except (ConnectionClosed, TimeoutError):
            pass
        self._socket.close()

    def picture(self, file: Path, full: bool = False) -> None:
        """Writes what it shows as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        file.write_bytes(base64.b64decode(shot["data"]))
