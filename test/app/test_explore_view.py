"""What a page shows of a robot that explores in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ami_ros.app.demo_explore import ExploreSettings
from ami_ros.app.demo_view import DemoView
from ami_ros.app.explore_view import ExploreView
from ami_ros.app.scenery import Backdrop
from ami_ros.app.web_view import WebView
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.parts.config import AgentConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.particle_filter import FilterConfig
from ami_ros.slam.place_memory import MemoryConfig
from ami_ros.world_model.checkpoint import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel

Read = Callable[[WebView, str], Any]
EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)
BACKDROP = Backdrop(np.zeros((30, 40, 3), np.uint8), (0.0, 4.0, 0.0, 3.0), 0.18)
ASKED = ExploreSettings("home", None, None, 8, 0, 1.0, 0, None, None, True, None, 0.5)


def driving() -> ClosedLoop:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE)
    robot.reset(np.array([0.8, 1.0, 0.3]))
    config = LoopConfig(agent=AgentConfig(memory=MemoryConfig(filter=FilterConfig(particles=200))))
    return ClosedLoop(EXACT, cast(Simulator, robot), None, config, 0)


def test_the_map_grows_on_the_page_and_lies_where_the_robot_was(web: WebView, read: Read) -> None:
    view, loop = (
        ExploreView(DemoView(web, BACKDROP, {"world": "two_rooms", "robot": "r", "seed": 0, "total": 1})),
        driving(),
    )
    view.begin(loop)
    loop.commanded = lambda: (0.3, 0.9)
    loop.wait(1.0)
    view.finish()
    first = len(read(web, "scene")["places"])
    loop.wait(6.0)
    view.finish()
    places = np.array(read(web, "scene")["places"])
    assert len(places) > first >= 1
    way = np.array([pose[:2] for pose in view._way])
    assert np.hypot(*(places[:, None] - way[None]).transpose(2, 0, 1)).min(axis=1).max() < 0.1
    assert read(web, "state")["finished"] is True and view.places is not None
    goal = loop.goals.sample(0, loop.simulator.ground_truth().pose)
    view.set_out(0, goal, 30.0)
    view.finish()
    assert read(web, "state")["goal"]["allowance"] == 30.0 and len(view.explored) > 10


def test_without_a_page_the_way_and_the_drives_are_kept_for_a_picture() -> None:
    view, loop = ExploreView(None), driving()
    view.begin(loop)
    loop.commanded = lambda: (0.3, 0.9)
    loop.wait(2.0)
    goal = loop.goals.sample(0, loop.simulator.ground_truth().pose)
    view.set_out(0, goal, 30.0)
    loop.commanded = None
    view.arrived(loop.drive("near", loop.simulator.ground_truth().pose, goal.pose, goal.path_length, 2.0))
    view.finish()
    assert len(view.trials) == 1 and view.places is not None and len(view.places.xy)


def test_what_does_not_go_with_exploring_is_named(tmp_path: Path) -> None:
    ASKED.check({"--composed": False})
    with pytest.raises(AmiError, match="does not go with --composed"):
        ASKED.check({"--composed": True})
