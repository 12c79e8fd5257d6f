"""`ami explore` against a mission node that never comes to an end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import OccupancyGrid
from rclpy.action import ActionServer, CancelResponse
from rclpy.task import Future

from ami_interfaces.action import RunMission
from ami_ros.core.images import decode_image
from ami_ros.memory.occupancy_map import FREE, OccupancyMap
from ami_ros.ros.memory_services import grid_message
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.node.qos import LATCHED
from harness import Children, RosPeer


def test_exploring_that_is_ended_by_a_signal_leaves_figures_and_a_picture(
    ros: RosPeer, children: Children, tmp_path: Path
) -> None:
    asked: list[RunMission.Goal] = []
    over: Future = Future()

    async def explore(handle: Any) -> RunMission.Result:
        asked.append(handle.request)
        await over
        handle.canceled()
        return RunMission.Result()

    def cancel(_: Any) -> CancelResponse:
        over.set_result(None)
        return CancelResponse.ACCEPT

    server = ActionServer(ros.node, RunMission, "run_mission", explore, cancel_callback=cancel)
    maps = ros.node.create_publisher(OccupancyGrid, "map", LATCHED)
    drawn = OccupancyMap(np.full((20, 30), FREE, np.int8), 0.05, np.zeros(2))
    maps.publish(grid_message(drawn, header_at(0.0, "map")))
    figures, picture = tmp_path / "explore.json", tmp_path / "explore.png"
    options = ("--area", "0,0,2,1", "--json", str(figures), "--picture", str(picture))
    child = children.python("-m", "ami_ros.cli", "explore", "1", *options)
    ros.spin_until(lambda: asked, 60.0, child.output)
    assert [(corner.x, corner.y) for corner in asked[0].area.polygon.points] == [(0, 0), (2, 0), (2, 1), (0, 1)]
    child.send(signal.SIGTERM)
    ros.spin_until(lambda: child.code is not None, 60.0, child.output)
    assert child.code == 128 + signal.SIGTERM and over.done()  # the robot was told to stand
    assert json.loads(figures.read_text())["end"] == "interrupted"
    assert decode_image(picture.read_bytes()).shape == (80, 120, 3)
    server.destroy()
