import math

import numpy as np
import pytest

from ami_ros.bench.demo.client import Frames, Leg, Observed, Telemetry, TruthLog
from ami_ros.bench.trials import SampledGoal, Trial
from ami_ros.cli.demo import DemoPage
from ami_ros.console.scene import Scene, dumps
from ami_ros.core.geometry import compose, inverse
from ami_ros.simulation.mjcf import TopView

ABOUT = {"world": "home", "robot": "ami_bot", "seed": 1, "total": 2}
FLOOR = TopView(np.zeros((60, 80, 3), np.uint8), 10.0)
LEG = Leg(0, SampledGoal("near", np.array([2.0, 1.0, 0.5]), 1.2), began=10.0, allowance=30.0)
NOWHERE = (math.nan,) * 3
TRIAL = Trial(
    "near", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 1.0, "succeeded", True, NOWHERE, 9.0, 0, 1, 0, 0, "", allowance_s=30.0
)


def test_before_the_robot_knows_where_it_is_the_truth_cannot_be_shown() -> None:
    scene = Scene()
    DemoPage(scene, FLOOR, ABOUT).update(None, Observed(), [], False)
    state = scene.state()
    assert state["demo"]["goal"] is None and state["demo"]["total"] == 2 and state["truth"] is None
    assert scene.documents.get("truth") is None and dumps(state)


def test_the_truth_is_shown_in_the_map_that_the_robot_made() -> None:
    memory_frame, odom_frame = np.array([3.0, 1.0, 2.0]), np.array([-1.0, 2.0, 0.7])
    frames, truth, scene = Frames(), np.array([1.0, 1.0, 0.2]), Scene()
    believed = compose(inverse(memory_frame), truth)
    frames.add(truth, compose(inverse(odom_frame), truth), believed)
    DemoPage(scene, FLOOR, ABOUT).update(
        LEG, Observed(Telemetry(time=14.0, truth=truth), TruthLog(), frames), [], False
    )
    assert scene.state()["truth"] == pytest.approx(believed, abs=2e-3)
    floor = scene.documents.get("truth")
    assert (
        floor is not None
        and floor["src"].startswith("data:image/png")
        and floor["extent"] == pytest.approx([-0.1, 7.9, -0.1, 5.9])
    )
    assert floor["frame"] == pytest.approx(inverse(memory_frame), abs=2e-3)
    assert scene.state()["demo"]["goal"] == 0


def test_finished_goals_are_counted() -> None:
    scene = Scene()
    view = DemoPage(scene, FLOOR, ABOUT)
    view.update(None, Observed(), [TRIAL], True)
    demo = scene.state()["demo"]
    assert demo["near"] == {"reached": 0, "n": 1} and demo["finished"] is True
    assert demo["trials"] == [{"kind": "near", "success": False, "time": 9.0, "words": ""}]
    assert dumps(scene.state())
