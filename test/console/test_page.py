"""The page in a real browser: each control asks for what it says, and what cannot be asked is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ami_ros.console import requests
from ami_ros.console.requests import Request
from ami_ros.console.server import ConsoleServer
from ami_ros.core.images import encode_png
from harness.browser import Browser, Page
from harness.console_page import Bench
from harness.waiting import wait_until


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
