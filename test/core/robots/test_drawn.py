from __future__ import annotations

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.ranges import ranges
from ami_ros.core.robots.description import load_robot


def test_each_seed_is_another_robot_within_the_ranges_and_the_same_one_again() -> None:
    robots = [load_robot(f"drawn:{seed}") for seed in range(30)]
    assert robots[:5] == [load_robot(f"drawn:{seed}") for seed in range(5)]
    assert (
        len({robot.shape.radius for robot in robots}) > 10
        and len({robot.laser.fov for robot in robots if robot.laser}) > 2
    )
    limits = ranges("drawn_robots")
    for robot in robots:
        assert robot.camera is not None and robot.camera.mount is not None and robot.camera.fov is not None
        assert limits["camera"]["height"][0] <= robot.camera.mount.z <= limits["camera"]["height"][1]
        assert limits["camera"]["fov"][0] <= robot.camera.fov <= limits["camera"]["fov"][1]
        assert limits["radius"][0] <= robot.shape.radius <= limits["radius"][1]
    biases = [robot.simulated.noise["odometry_error"] for robot in robots]
    assert min(biases) < -0.01 and max(biases) > 0.01


@pytest.mark.parametrize("name", ["drawn:", "drawn:x", "drawn:-1"])
def test_what_names_no_robot_is_refused(name: str) -> None:
    with pytest.raises(AmiError, match="names no robot"):
        load_robot(name)
