"""The page in a real browser: each control asks for what it says, and what cannot be asked is told."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ami_ros.console import requests
from ami_ros.console.desk import Desk, Keys, done
from ami_ros.console.documents import data_url
from ami_ros.console.pictures import Pictures
from ami_ros.console.requests import Request
from ami_ros.console.scene import Mission, Scene
from ami_ros.errors import AmiError
from ami_ros.images import encode_png
from ami_ros.web.server import ConsoleServer
from harness.browser import Browser, Page, find_browser
from harness.waiting import wait_until

MAP = np.zeros((80, 120, 4), np.uint8)
MAP[10:70, 10:110] = 255
MAP[10:70, 10:12] = (55, 55, 55, 255)


class Asked:
    """What reaches the robot's side."""

    def __init__(self) -> None:
        self.got: list[Request] = []
        self.steered: list[tuple[float, float]] = []
        self.refuses = ""

    def ask(self, request: Request) -> Future[Any]:
        self.got.append(request)
        if self.refuses:
            raise AmiError(self.refuses)
        if isinstance(request, requests.History):
            return done({"history": []})
        if isinstance(request, requests.Thumbnail):
            return done({"place": request.place, "label": "", "src": data_url(encode_png(MAP[:8, :8, :3].copy()))})
        if isinstance(request, requests.Parameters):
            about = {
                "name": "gate.max_linear",
                "value": 0.5,
                "unit": "m/s",
                "words": "forwards",
                "low": 0.0,
                "high": 2.0,
            }
            return done({"node": request.node, "parameters": [about, {**about, "name": "gate.stop", "value": True}]})
        return done("accepted")

    def steer(self, linear: float, angular: float) -> None:
        self.steered.append((linear, angular))

    def let_go(self) -> None:
        self.steered.append((0.0, 0.0))

    def newest(self, kind: type[Request]) -> Request | None:
        """The newest request of a kind."""
        return next((request for request in reversed(self.got) if isinstance(request, kind)), None)


class Bench:
    """A server with a scene of a robot in a room of 5 m by 3 m."""

    def __init__(self) -> None:
        self.robot, self.scene, self.pictures = Asked(), Scene(), Pictures()
        self.desk = Desk(self.robot, Keys.new())
        self.server = ConsoleServer(self.desk, self.scene, self._keep, port=0)
        scene = self.scene
        scene.heard, scene.planner_state, scene.decision = float("inf"), "idle", "no goal"
        scene.located(np.array([1.0, 1.0, 0.5]), np.zeros(3), True, 0.95)
        scene.moved(np.zeros(3))
        scene.mission = Mission("driving", 0, 2, 60.0, 600.0, float("inf"))
        picture = cv2.imencode(".png", MAP)[1].tobytes()
        grid = {"src": data_url(picture), "origin": [-0.5, -0.5], "resolution": 0.05, "size": [120, 80]}
        scene.documents.put("map", grid)
        places = {
            "places": [[1, 1.0, 1.0, 0.0], [2, 3.0, 1.0, 0.0]],
            "ways": [[0, 1, 0, 2]],
            "labels": {"2": "kitchen"},
        }
        scene.documents.put("places", places)

    def _keep(self, data: bytes, title: str) -> Any:
        picture = self.pictures.add(data, title)
        self.scene.documents.put("pictures", {"pictures": self.pictures.listed()})
        return picture


@pytest.fixture
def browser() -> Iterator[Browser]:
    if find_browser() is None:
        pytest.skip("no chromium is installed: apt-get install chromium-headless-shell")
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.server.close()


@pytest.fixture
def show(browser: Browser, bench: Bench) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end none of them may have complained."""
    pages: list[Page] = []

    def make(key: str = "", **options: Any) -> Page:
        page = browser.page(bench.server.url(key or bench.desk.keys.drive), **options)
        pages.append(page)
        page.wait("document.getElementById('doing').textContent === 'No goal'")
        return page

    yield make
    for page in pages:
        problems = [text for text in page.problems if "ERR_CONNECTION_REFUSED" not in text]
        page.close()
        assert not problems


def newest(bench: Bench, kind: type[Request]) -> Request:
    found = wait_until(lambda: bench.robot.newest(kind), 10.0, kind.__name__)
    assert found is not None
    return found


def test_buttons_and_forms_ask_for_what_they_say(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    assert page.eval("location.hash") == ""  # the key is not left in the address bar
    page.click("[data-ask=home]")
    assert newest(bench, requests.GoHome)
    page.click("#explore button")
    assert newest(bench, requests.Explore) == requests.Explore(10.0)
    page.type("#places", "kitchen")
    page.click("#place button")
    assert newest(bench, requests.GoToPlace) == requests.GoToPlace("kitchen")
    page.eval("document.getElementById('places').value = 'kitchen, hall'")
    page.click("#place button")
    assert newest(bench, requests.Patrol) == requests.Patrol(("kitchen", "hall"))
    page.type("#label", "desk")
    page.click("#name button")
    assert newest(bench, requests.NamePlace) == requests.NamePlace("desk")
    page.click("#stop")
    assert newest(bench, requests.Stop)
    bench.scene.stopped = True
    page.wait("!document.getElementById('release').hidden && document.getElementById('stop').ariaPressed === 'true'")
    page.click("#release")
    assert newest(bench, requests.Release)
    assert page.eval("document.getElementById('countdown').textContent") == "9:00 left"
    bench.robot.refuses = "goal: not today"
    page.click("[data-ask=cancel]")
    page.wait("document.getElementById('toast').textContent === 'goal: not today'")


def test_escape_stops_wherever_the_focus_is(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    page.eval("document.getElementById('places').focus()")
    page.key("Escape")
    assert newest(bench, requests.Stop)


def test_a_click_on_the_map_is_a_goal_and_a_drag_a_heading(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    page.wait("document.getElementById('empty').hidden")
    left, top, width, height = page.box("#canvas")
    middle = left + width / 2, top + height / 2
    page.click("[data-tool=goal]")
    page.drag(middle, middle)
    goal = newest(bench, requests.GoTo)
    assert isinstance(goal, requests.GoTo) and goal.yaw is None
    assert (goal.x, goal.y) == (pytest.approx(2.5, abs=0.3), pytest.approx(1.5, abs=0.3))  # the middle of the map
    bench.robot.got.clear()
    page.click("[data-tool=goal]")
    page.drag(middle, (middle[0], middle[1] - 80))
    goal = newest(bench, requests.GoTo)
    assert isinstance(goal, requests.GoTo) and goal.yaw == pytest.approx(np.pi / 2, abs=0.05)
    page.click("[data-tool=keep]")
    page.drag(middle, (middle[0] + 120, middle[1]))
    stroke = newest(bench, requests.KeepOut)
    assert isinstance(stroke, requests.KeepOut) and len(stroke.points) >= 2 and stroke.radius == 0.3
    page.click("[data-tool=goal]")
    page.eval("document.getElementById('canvas').focus()")
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        page.key(key)
    assert isinstance(goal := newest(bench, requests.GoTo), requests.GoTo) and goal.x > 1.0 and goal.y > 1.0


def test_an_area_to_explore_is_dragged_or_clicked(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    page.wait("document.getElementById('empty').hidden")
    left, top, width, height = page.box("#canvas")
    x, y = left + width / 2, top + height / 2
    page.click("[data-tool=area]")
    page.drag((x - 60, y - 60), (x + 60, y + 60))
    page.wait("document.getElementById('area_words').textContent.includes('4 corners')")
    page.click("#explore button")
    asked = newest(bench, requests.Explore)
    assert isinstance(asked, requests.Explore) and len(asked.area) == 4
    xs, ys = zip(*asked.area, strict=True)
    assert min(xs) < 2.5 < max(xs) and min(ys) < 1.5 < max(ys)  # around the middle of the map
    page.wait("document.getElementById('area_words').textContent === ''")  # it was sent
    for spot in ((x, y), (x + 50, y), (x, y + 50)):
        page.drag(spot, spot)
    page.wait("document.getElementById('area_words').textContent.includes('3 corners')")
    page.click("#unarea")
    page.wait("document.getElementById('area_words').textContent === ''")


def test_a_parameter_is_set_and_one_that_is_refused_is_shown_as_it_was(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    page.eval("document.querySelector('#tune').open = true")
    page.wait("document.querySelectorAll('#tune_list input').length === 2")
    change = "(() => {{ const i = document.querySelector('#tune_list input'); i.value = {}; i.onchange(); }})()"
    page.eval(change.format("0.3"))
    assert newest(bench, requests.Tune) == requests.Tune("planner", "gate.max_linear", 0.3)
    page.wait("document.getElementById('toast').textContent === 'accepted'")
    bench.robot.refuses = "safety: at most 0.5"
    page.eval(change.format("7"))
    page.wait("document.getElementById('toast').textContent === 'safety: at most 0.5'")
    assert page.eval("document.querySelector('#tune_list input').value") == "0.3"
    page.eval("(i => { i.value = 'stop'; i.oninput(); })(document.getElementById('tune_find'))")
    assert page.eval("[...document.querySelectorAll('#tune_list label')].map(e => e.hidden)") == [True, False]


def test_memorys_picture_is_shown_where_the_mouse_rests(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    page.wait("document.getElementById('empty').hidden")
    left, top, width, height = page.box("#canvas")
    scale = min(160.0, (width - 40) / 6.8, (height - 130) / 4.8)  # the map is 6 m by 4 m, with a border
    page.mouse("mouseMoved", (left + width / 2 + 0.5 * scale, top + height / 2 + 0.5 * scale))  # at 3, 1 m
    assert newest(bench, requests.Thumbnail)
    page.wait("!document.getElementById('thumbnail').hidden")


def test_keys_drive_while_they_are_held_and_a_page_that_loses_the_focus_lets_go(
    bench: Bench, show: Callable[..., Page]
) -> None:
    page = show()
    page.eval("document.getElementById('pad').focus()")
    page.key("w", down=True)
    wait_until(lambda: bench.robot.steered.count((1.0, 0.0)) >= 3, 10.0, "some commands")
    page.eval("document.getElementById('pad').blur()")
    wait_until(lambda: bench.robot.steered[-1] == (0.0, 0.0), 5.0)
    count = len(bench.robot.steered)
    page.eval("new Promise(done => setTimeout(done, 400))")
    assert len(bench.robot.steered) <= count + 1
    page.wait("document.getElementById('driver').textContent === 'you drive'")


def test_a_second_viewer_sees_who_drives_and_who_only_watches_can_stop(bench: Bench, show: Callable[..., Page]) -> None:
    first, second, watcher = show(), show(), show(bench.desk.keys.watch)
    first.click("[data-ask=home]")
    second.wait("document.getElementById('driver').textContent === 'viewer 1 drives'")
    second.click("[data-ask=cancel]")
    second.wait("document.getElementById('toast').textContent.includes('take over first')")
    second.click("#take")
    first.wait("document.getElementById('driver').textContent === 'viewer 2 drives'")
    assert watcher.eval(
        "document.querySelector('[data-ask=home]').disabled && !document.getElementById('stop').disabled"
    )
    watcher.click("#stop")
    assert newest(bench, requests.Stop)


def test_a_page_finds_its_server_again(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    port = bench.server.port
    bench.server.close()
    page.wait("!document.getElementById('banner').hidden")
    bench.server = ConsoleServer(bench.desk, bench.scene, bench.pictures.add, port=port)
    page.wait("document.getElementById('banner').hidden")


def test_a_wrong_key_is_told(bench: Bench, browser: Browser) -> None:
    page = browser.page(bench.server.url("wrong"))
    page.wait("document.getElementById('banner').textContent.includes('wrong key')")
    page.close()


def test_robots_of_the_site_are_listed_with_what_each_has_and_refuses(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    assert page.eval("document.getElementById('site').hidden")
    told = {"name": "amr1", "site": "ward", "places": 12, "heard": time.time() + 1e6, "copies": [["amr2", "10 of 30"]],
            "refused": [["odd", "its model is another"]], "here": 0}  # fmt: skip
    away = {**told, "name": "<i>2", "heard": time.time() - 75.0, "copies": [], "refused": [], "here": 7}
    bench.scene.documents.put("site", {"robots": [told, away]})
    page.wait("document.querySelectorAll('#robots li').length === 2")
    first, second = (page.eval(f"document.querySelectorAll('#robots li')[{k}].innerText") for k in range(2))
    assert first.split("\n") == ["amr1 12 places", "has of amr2: 10 of 30", "refuses odd: its model is another"]
    assert second.startswith("<i>2 12 places · 7 on this map\nhas nothing of others")
    page.wait("document.querySelectorAll('#robots li')[1].innerText.includes('not heard for 1:')")


def test_names_from_outside_are_text_and_never_run(bench: Bench, show: Callable[..., Page]) -> None:
    evil = "<img src=x onerror=document.title='owned'>"
    page = show()
    bench.scene.mission_words = bench.scene.gate_words = evil
    bench.scene.documents.put("places", {"places": [[1, 0, 0, 0]], "ways": [], "labels": {"1": evil}})
    bench.desk.say(evil)
    page.wait("document.getElementById('mission').textContent.includes('onerror')")
    page.wait("document.getElementById('log').textContent.includes('onerror')")
    assert (
        page.eval("document.title") == "ami_ros console"
        and page.eval("document.querySelectorAll('img[src=x]').length") == 0
    )


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_hangs_over_the_edge_and_stop_is_in_sight(width: int, show: Callable[..., Page]) -> None:
    page = show(width=width, height=800, dark=width == 768)
    assert page.eval("document.documentElement.scrollWidth") <= width
    x, y, w, h = page.box("#stop")
    assert x >= 0 and y >= 0 and x + w <= width and y + h <= 800 and w >= 150 and h >= 50
    if width > 940:  # all in one window: nothing of the timeline is cut off
        assert sum(page.box("footer")[1::2]) <= 800 and page.box("main")[3] > 500
    unnamed = page.eval(
        "[...document.querySelectorAll('button, input, [role=application]')].filter(e => !e.textContent.trim()"
        " && !e.ariaLabel && !e.labels?.length).map(e => e.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [960, 1280])
def test_the_release_of_a_stop_covers_nothing_that_a_second_viewer_needs(
    width: int, bench: Bench, show: Callable[..., Page]
) -> None:
    show(width=width).click("#keep_view")
    second = show(width=width)
    second.click("[data-ask=home]")
    first = show(width=width)
    bench.scene.stopped = True
    first.wait("!document.getElementById('release').hidden && !document.getElementById('take').hidden")
    for name in ("take", "theme", "release", "stop"):
        x, y, w, h = first.box(f"#{name}")
        assert first.eval(f"document.elementFromPoint({x + w / 2}, {y + h / 2}).closest('button').id") == name


@pytest.mark.parametrize("width", [390, 1280])
def test_the_list_of_layers_lies_within_the_map(width: int, show: Callable[..., Page]) -> None:
    page = show(width=width)
    page.click("[data-tool=keep]")
    page.click("#layers summary")
    (x, y, w, h), (left, top, wide, high) = page.box("#layer_list"), page.box("#map")
    assert left <= x and x + w <= left + wide and y + h <= top + high


def test_what_it_does_is_in_words_without_names_for_programs(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    for said, shown in (
        ("follow_path: turning to the way", "Turning to the way"),
        ("memory: no place is remembered", "Memory: no place is remembered"),
    ):
        bench.scene.decision = said
        page.wait(f"document.getElementById('doing').textContent === '{shown}'")


def test_a_recording_is_called_one_and_has_nothing_to_stop(bench: Bench, show: Callable[..., Page]) -> None:
    page = show()
    assert not page.eval("document.getElementById('stopbar').hidden")
    bench.scene.recording = True
    page.wait("document.getElementById('state').textContent === 'a recording'")
    assert page.eval("document.getElementById('stopbar').hidden")


def test_colours_of_words_have_contrast(show: Callable[..., Page]) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    for dark in (False, True):
        page = show(dark=dark)
        for name in ("ink", "soft", "accent", "bad", "good", "warm"):
            page.eval(
                f"(() => {{ const p = document.createElement('p'); p.id = 'probe_{name}'; p.textContent = 'x';"
                f"p.style.color = 'var(--{name})'; p.style.background = 'var(--card)'; document.body.append(p); }})()"
            )
            colours = page.eval(
                f"(() => {{ const s = getComputedStyle(document.getElementById('probe_{name}'));"
                "return [s.color, s.backgroundColor]; })()"
            )
            assert contrast(*colours) >= 4.5, (name, dark, colours)


def contrast(first: str, second: str) -> float:
    """Of two colours as a browser writes them."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    values = [float(v) / 255 for v in re.findall(r"[\d.]+", colour)[:3]]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_a_picture_that_is_chosen_is_sent_and_gone_to(bench: Bench, show: Callable[..., Page], tmp_path: Path) -> None:
    page = show()
    file = tmp_path / "hall.png"
    file.write_bytes(encode_png(np.zeros((40, 60, 3), np.uint8)))
    page.files("#file", [file])
    assert newest(bench, requests.GoToPicture) == requests.GoToPicture(1)
    page.wait("document.querySelectorAll('#pictures button').length === 1")
    file.write_bytes(b"no picture")
    page.files("#file", [file])
    page.wait("document.getElementById('toast').textContent.includes('neither JPEG nor PNG')")
    page.problems.clear()  # the browser notes each answer of 400
