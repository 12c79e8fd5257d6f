"""What the demo asks of the robot beside goals that it can reach."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from ami_ros.app.demo_course import Course
from ami_ros.app.demo_goal import GoalRun
from ami_ros.images import decode_image
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world


class Client:
    """Of a robot that stands, and says at once how a goal ended."""

    def __init__(self, status: str) -> None:
        self.telemetry = SimpleNamespace(time=10.0, contacts=0)
        self.truth = SimpleNamespace(since=lambda since: (since + np.arange(20) / 10, np.zeros((20, 3))))
        self.status, self.sent = status, list[tuple[CompressedImage, float]]()

    def send(self, picture: CompressedImage, allowance: float) -> GoalRun:
        self.sent.append((picture, allowance))
        run = GoalRun(threading.Event(), status=self.status)
        run.done.set()
        return run

    def end(self, run: GoalRun) -> None:
        pass


@pytest.mark.parametrize("status", ["aborted", "succeeded"])
def test_a_picture_of_another_building_is_sent_as_it_is_and_its_end_is_told(status: str) -> None:
    client: Any = Client(status)
    course = Course(client, FreeSpace(load_world("two_rooms")), 0, lambda: None)
    picture = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    assert course.look_for(picture, 60.0) == status
    (sent, allowance), *more = client.sent
    assert not more and allowance == 60.0
    assert np.array_equal(decode_image(bytes(sent.data)), picture)
