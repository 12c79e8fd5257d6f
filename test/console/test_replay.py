import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.client import connect

from ami_ros.console.replay import Replay
from ami_ros.console.scene import Scene
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_writer import BagWriter
from harness import Children


def drive(path: Path, space: str = "") -> Path:
    """Two seconds of a robot that drives 1 m; one message of its laser is none."""
    with BagWriter(path) as bag:
        bag.raw(f"{space}/scan", "sensor_msgs/msg/LaserScan", 0.0, b"\x00\x01")
        for k in range(21):
            bag.odometry(f"{space}/odom", 0.1 * k, [0.05 * k, 0.0, 0.0], (0.5, 0.0))
            bag.command(f"{space}/robot/drive", 0.1 * k, 0.5, 0.1)
            bag.scan(f"{space}/scan", 0.1 * k, np.full(36, 2.0), -math.pi, math.pi / 18)
    return path


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return drive(tmp_path / "bag")


@pytest.mark.parametrize("space", ["", "/fleet/r1"])
def test_a_recorded_run_is_shown_as_a_live_one(tmp_path: Path, space: str) -> None:
    scene, bag = Scene(), drive(tmp_path / "bag", space)
    replay = Replay(bag, scene, {"robot/drive": "cmd_vel"})
    assert replay.play(100.0) == pytest.approx(2.0)
    replay.close()
    state, live = scene.state(), scene.live()
    assert state["robot"] == pytest.approx([1.0, 0.0, 0.0]) and state["command"] == [0.5, 0.1]
    assert len(live["scan"]) == 36


def test_a_bag_without_anything_to_show_is_one_line(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "other") as other:
        other.command("/arm", 0.0, 0.1, 0.1)
    with pytest.raises(AmiError, match="none of the topics"):
        Replay(tmp_path / "other", Scene(), {})
    with pytest.raises(AmiError, match="no bag"):
        Replay(tmp_path / "none", Scene(), {})


def test_nothing_can_be_asked_of_a_recording(bag: Path, children: Children) -> None:
    replay = children.python("-m", "ami_ros.cli", "replay", str(bag), "--speed", "100")
    replay.wait_for_output("look:", 60.0)
    address, key = replay.output().split("look: ")[1].split()[0].split("#")
    with connect(address.replace("http", "ws") + "link") as link:
        link.send(json.dumps({"key": key}))
        link.send(json.dumps({"id": 1, "do": "stop"}))
        while (message := json.loads(link.recv(timeout=10))).get("id") != 1:
            pass
        assert "recording" in message["error"]
    replay.wait_for_output("were shown", 60.0)
    os.kill(replay.pid, signal.SIGINT)
    assert replay.wait() == 0
