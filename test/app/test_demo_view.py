import math
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ami_ros.app.demo_view import DemoView
from ami_ros.app.scenery import Backdrop
from ami_ros.app.telemetry import Frames, Leg, Observed, Telemetry, TruthLog
from ami_ros.app.web_view import WebView
from ami_ros.evaluation.goals import SampledGoal
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import compose, inverse

Read = Callable[[WebView, str], Any]
ABOUT = {"world": "home", "robot": "ami_bot", "seed": 1, "total": 2}
BACKDROP = Backdrop(np.zeros((60, 80, 3), np.uint8), (0.0, 8.0, 0.0, 6.0), 0.18)
LEG = Leg(0, SampledGoal("near", np.array([2.0, 1.0, 0.5]), 1.2), b"\x89PNG picture", began=10.0, allowance=30.0)


def test_view_works_before_anything_is_known(web: WebView, read: Read) -> None:
    DemoView(web, BACKDROP, ABOUT).update(None, Observed(), [])
    state = read(web, "state")
    assert state["goal"] is None and state["robot"] is None and state["total"] == 2
    assert read(web, "scene")["extent"] == [0.0, 8.0, 0.0, 6.0]


def test_what_the_robot_believes_is_shown_in_the_world(web: WebView, read: Read) -> None:
    memory_frame, odom_frame = np.array([3.0, 1.0, 2.0]), np.array([-1.0, 2.0, 0.7])
    frames, truth, log = Frames(), np.array([1.0, 1.0, 0.2]), TruthLog()
    believed = compose(inverse(memory_frame), truth)
    frames.add(truth, compose(inverse(odom_frame), truth), believed)
    for k in range(5):
        log.append(10.0 + k, np.array([0.5 + 0.1 * k, 1.0, 0.0]))
    place = compose(inverse(memory_frame), np.array([1.5, 1.0, 0.0]))[:2]
    ahead = compose(inverse(odom_frame), np.array([1.25, 1.0, 0.0]))[:2]
    telemetry = Telemetry(time=14.0, truth=truth, believed=believed, confidence=0.9)
    telemetry.places, telemetry.edges = place[None], np.stack([place, place])[None]
    telemetry.plan, telemetry.image, telemetry.images = ahead[None], np.zeros((8, 8, 3), np.uint8), 1
    DemoView(web, BACKDROP, ABOUT).update(LEG, Observed(telemetry, log, frames), [])
    state, scene = read(web, "state"), read(web, "scene")
    assert state["believed"] == pytest.approx(truth, abs=2e-3)
    assert np.array(state["plan"]) == pytest.approx(np.array([[1.25, 1.0]]), abs=2e-3)
    assert scene["places"] == [pytest.approx([1.5, 1.0], abs=2e-3)]
    assert np.array(scene["edges"]).shape == (1, 2, 2)
    assert state["goal"]["elapsed"] == 4.0 and state["goal"]["allowance"] == 30.0
    assert state["track"][-1] == [0.9, 1.0]
    with urllib.request.urlopen(web.url + "goal?0", timeout=10) as answer:
        assert answer.read() == LEG.picture


def test_finished_goals_are_counted_and_drawn(web: WebView, read: Read) -> None:
    path = np.linspace((0.0, 0.0), (1.0, 0.0), 200)
    trial = Trial(
        "near",
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        1.0,
        "succeeded",
        True,
        (math.nan,) * 3,
        9.0,
        0,
        1,
        0,
        0,
        "",
        path=path,
        allowance_s=30.0,
    )
    view = DemoView(web, BACKDROP, ABOUT)
    view.memory, view.finished = False, True
    view.update(None, Observed(), [trial])
    state, (drawn,) = read(web, "state"), read(web, "scene")["trials"]
    assert state["near"] == {"reached": 0, "n": 1} and state["memory"] is False and state["finished"] is True
    assert drawn["success"] is False and len(drawn["path"]) < 40
