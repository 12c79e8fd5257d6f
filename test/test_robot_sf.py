"""The example that drives robot_sf's robot, in a hall that this file simulates as robot_sf does."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ami_ros.core.geometry import Array, relative, transform_points
from harness.processes import REPOSITORY

PROGRAM = REPOSITORY / "examples" / "robot_sf" / "planner.py"
STEP, TOUCH = 0.1, 1.4  # [s], [m] between the middles of robot and person
GOAL = np.array([25.0, 5.0])
HALL = [[[0, 0], [30, 0]], [[30, 0], [30, 10]], [[30, 10], [0, 10]], [[0, 10], [0, 0]]]
DOORWAY = [[[15, 0], [15, 3.4]], [[15, 6.6], [15, 10]]]  # 3.2 m for a robot of 2 m


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("robot_sf_planner", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def request(pose: Array, speed: Array, person: Array | None = None, walks: Array | None = None) -> dict[str, Any]:
    """What robot_sf says; a person's velocity is turned to the robot's frame."""
    there = np.zeros((64, 2)), np.zeros((64, 2))
    if person is not None and walks is not None:
        there[0][0], there[1][0] = person, transform_points(relative(np.array([0, 0, pose[2]]), np.zeros(3)), walks)
    return {
        "robot": {
            "position": pose[:2].tolist(), "heading": [pose[2]], "speed": [speed[0], 0.0],
            "angular_velocity": [speed[1]],
        },
        "goal": {"current": GOAL.tolist(), "next": [0.0, 0.0]},
        "pedestrians": {
            "positions": there[0].tolist(), "velocities": there[1].tolist(), "count": [float(person is not None)]
        },
        "static_geometry": {"sha256": "hall", "obstacle_segments": DOORWAY, "boundary_segments": HALL},
    }  # fmt: skip


def moved(pose: Array, speed: Array, asked: tuple[float, float]) -> tuple[Array, Array]:
    """A step of robot_sf's robot, which takes the difference to its speed for an acceleration."""
    after = speed + np.clip(np.array(asked) - speed, -1.0, 1.0) * STEP
    after = np.clip(after, [0.0, -1.0], [2.0, 1.0])
    ahead, turn = (speed + after) / 2 * STEP
    way = pose[2] + turn / 2
    return pose + np.array([ahead * np.cos(way), ahead * np.sin(way), turn]), after


def drive(example: ModuleType, *start: float, steps: int) -> Iterator[tuple[Array, Array]]:
    """Pose and speed after each step from a pose at which it stands; it touches no wall."""
    driver, pose, speed = example.Driver(), np.array(start), np.zeros(2)
    for _ in range(steps):
        pose, speed = moved(pose, speed, driver.command(request(pose, speed)))
        assert gap_to_walls(pose) > example.RADIUS
        yield pose, speed


def gap_to_walls(pose: Array) -> float:
    lines = np.array(HALL + DOORWAY, float)
    along = lines[:, 1] - lines[:, 0]
    share = (((pose[:2] - lines[:, 0]) * along).sum(1) / np.square(along).sum(1)).clip(0, 1)
    return float(np.hypot(*(lines[:, 0] + share[:, None] * along - pose[:2]).T).min())


def test_it_drives_through_a_doorway_to_the_goal_and_touches_no_wall(example: ModuleType) -> None:
    assert any(np.hypot(*(pose[:2] - GOAL)) < 1.0 for pose, _ in drive(example, 4.0, 2.5, 0.0, steps=300))


def test_it_drives_away_from_a_wall_at_which_it_stands(example: ModuleType) -> None:
    """It stood there until the time was over: four of 94 episodes began so."""
    *_, (pose, _) = drive(example, 4.0, 1.01, 0.1, steps=40)
    assert pose[0] > 6.0


def test_it_answers_where_it_stands_at_a_goal(example: ModuleType) -> None:
    """It ended there, was started anew for each step, and stood until the time was over."""
    linear, angular = example.Driver().command(request(np.array([*GOAL, 0.3]), np.array([0.5, 0.0])))
    assert np.isfinite([linear, angular]).all()


@pytest.mark.parametrize("start", [(18.0, 9.0), (13.0, 1.0)], ids=["beyond the doorway", "before it"])
def test_nobody_who_crosses_its_way_is_touched(example: ModuleType, start: tuple[float, float]) -> None:
    driver, pose, speed = example.Driver(), np.array([8.0, 5.0, 0.0]), np.zeros(2)
    person, walks = np.array(start), np.array([0.0, np.sign(5.0 - start[1])])
    for _ in range(100):
        pose, speed = moved(pose, speed, driver.command(request(pose, speed, person, walks)))
        person = person + walks * STEP * (np.hypot(*(person + walks * STEP - pose[:2])) > TOUCH + 0.1)
        assert np.hypot(*(person - pose[:2])) > TOUCH
    assert pose[0] > 9.0


def test_it_stands_before_who_stands_in_the_doorway(example: ModuleType) -> None:
    driver, pose, speed = example.Driver(), np.array([8.0, 5.0, 0.0]), np.zeros(2)
    for _ in range(120):
        pose, speed = moved(pose, speed, driver.command(request(pose, speed, np.array([15.0, 5.0]), np.zeros(2))))
        assert np.hypot(*(np.array([15.0, 5.0]) - pose[:2])) > TOUCH
    assert pose[0] > 11.0 and speed[0] < 0.1


def test_it_touches_no_wall_where_the_doorway_is_as_wide_as_the_robot(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It crept on by centimetres until it touched, in three of three drives."""
    monkeypatch.setattr(sys.modules[__name__], "DOORWAY", [[[15, 0], [15, 4]], [[15, 6], [15, 10]]])
    *_, (pose, _) = drive(example, 11.0, 5.0, 0.0, steps=150)
    assert pose[0] > 13.0


def test_what_is_asked_for_gives_the_wanted_speed_after_a_step(example: ModuleType) -> None:
    speed = np.array([0.5, 0.0])
    _, after = moved(np.zeros(3), speed, (example.asked(0.5, 0.58, 1.0), example.asked(0.0, -0.7, 1.0)))
    np.testing.assert_allclose(after, [0.58, -0.1], atol=1e-6)


def test_people_stop_short_of_the_robot_and_go_on_elsewhere(example: ModuleType) -> None:
    places, velocities = np.array([[3.0, 0.0], [3.0, 4.0]]), np.array([[-1.0, 0.0], [-1.0, 0.0]])
    found = example.forecast(places, velocities, np.array([1.0, 4.0]))
    np.testing.assert_allclose(found.positions[0] * example.SCALE, [[2.0, 0.0], [TOUCH + example.SHORT, 0.0]])
    np.testing.assert_allclose(found.positions[1, 1] * example.SCALE, [-1.0, 4.0])


def test_as_a_program_it_answers_each_line() -> None:
    lines = [json.dumps(request(np.array([4.0, 5.0, 0.0]), np.zeros(2))) for _ in range(2)]
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], input="\n".join(lines), capture_output=True, text=True, cwd=REPOSITORY,
        check=True, env={"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2
    assert all(answer["linear_velocity"] > 0 and abs(answer["angular_velocity"]) <= 1.0 for answer in answers)
