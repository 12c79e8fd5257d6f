"""What the demo asks of the robot beside goals that it can reach."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ami_interfaces.msg import NavigationGoal
from ami_ros.bench.demo.client import GoalRun, Observed
from ami_ros.bench.demo.course import Course
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.core.images import decode_image
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world


class Client:
    """Of a robot that stands, and says at once how a goal ended."""

    def __init__(self, status: str) -> None:
        self.telemetry = SimpleNamespace(time=10.0, contacts=0, truth=np.array([1.0, 1.0, 0.0]))
        self.observed = Observed()
        self.truth = SimpleNamespace(since=lambda since: (since + np.arange(20) / 10, np.zeros((20, 3))))
        self.status, self.sent = status, list[tuple[NavigationGoal, float]]()

    def send(self, wanted: NavigationGoal, allowance: float) -> GoalRun:
        self.sent.append((wanted, allowance))
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
    assert np.array_equal(decode_image(bytes(sent.image.data)), picture)


def test_a_robot_without_a_camera_is_told_where_a_goal_is_in_its_own_map() -> None:
    client: Any = Client("succeeded")
    frame = np.array([2.0, 1.0, np.pi / 2])  # of the map, in the world
    for x in np.linspace(0.0, 1.0, 5):
        believed = np.array([x, 0.5, 0.1])
        client.observed.frames.add(compose(frame, believed), believed, believed)
    course = Course(client, FreeSpace(load_world("two_rooms")), 0, lambda: None, map_frame="office")
    trial = course.drive(0)
    (sent, _), *more = client.sent
    assert not more and trial.status == "succeeded"
    assert sent.type == NavigationGoal.TYPE_POSE and sent.pose.header.frame_id == "office" and not len(sent.image.data)
    assert np.allclose(compose(frame, pose_from_message(sent.pose.pose)), trial.goal, atol=1e-6)


def test_a_robot_without_a_camera_that_never_knew_where_it_is_gets_no_goal() -> None:
    client: Any = Client("succeeded")
    course = Course(client, FreeSpace(load_world("two_rooms")), 0, lambda: None, map_frame="office")
    with pytest.raises(AmiError, match="never knew where it is"):
        course.drive(0)
    assert not client.sent
