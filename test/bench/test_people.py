"""Goals among people: a small run of the scenario, and what it refuses; the arm that knows the future; ghosts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import Grid
from ami_ros.bench import people as ghosts
from ami_ros.bench.buildings import Change
from ami_ros.bench.people import ExactFuture, People
from ami_ros.bench.scenario import Row, load_scenario
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose, relative, transform_points
from ami_ros.core.robots.description import load_robot
from ami_ros.safety.moving_things import Footprints, MovingThings, PredictionConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.people.bodies import draw_body
from ami_ros.simulation.robot import simulated
from ami_ros.simulation.world import People as Crowd
from ami_ros.simulation.world_file import load_world


def rows(part: str, **options: Any) -> list[Row]:
    kind = People(world="two_rooms", people=1, goals=1, **options)
    return [{"part": part} | row for row in kind.run(part, 7, (), lambda what: None)]


def test_methods_drive_to_the_same_goal_and_only_people_come_near() -> None:
    among, empty = rows("nothing_predicted"), rows("empty")
    assert among[0]["goal"] == empty[0]["goal"] and among[0]["kind"] == "near"
    assert "nearest_m" in among[0] and "nearest_m" not in empty[0] and not empty[0]["encounters"]
    figures = {f.name: f for f in load_scenario("people").figures([*among, *empty])}
    assert figures["empty: near goals reached"].n == figures["nothing_predicted: near goals reached"].n == 1
    assert figures["nothing_predicted: nearest approach [m]"].value == among[0]["nearest_m"]
    assert figures["empty: contacts, the robot stood"].value == 0.0


def test_recorded_people_walk_on_their_own_ground_all_of_them_and_nowhere_else(tmp_path: Path) -> None:
    ways = [(who, 10 * k, 0.5 * k, 1.5 * who) for who in range(5) for k in range(12)]
    file = tmp_path / "crowd.txt"
    file.write_text("\n".join(f"{frame} {who} {x} 0 {y}" for who, frame, x, y in ways))
    kind = People(manner=f"recorded:{file}", goals=1, explore=0.1)
    first, goal = kind.run("constant_velocity", 7, (), lambda what: None)
    assert first["kind"] == "explore" and goal["kind"] == "near" and goal["allowance_s"] == 60.0
    assert "picture" not in goal["error_msg"], "the goal is a pose: a square has little that a picture could tell"
    assert np.isfinite(goal["nearest_m"])
    with pytest.raises(AmiError, match="leave --world out"):
        rows("constant_velocity", manner=f"recorded:{file}")


def test_ghosts_are_a_part_of_their_own() -> None:
    assert [part.name for part in People(baselines=("empty",)).parts()] == ["empty", "ghosts"]
    found = rows("ghosts", ghosts=2)
    assert len(found) == 10 and {row["layer"] for row in found} >= {"occupancy", "blocked by sight"}


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(AmiError, match="rude"):
        rows("empty", manner="rude")
    with pytest.raises(AmiError, match="no baseline 'magic'"):
        People(baselines=("magic",)).parts()
    with pytest.raises(AmiError, match="'noon'"):
        next(Change(days=("noon",)).run("building", 0, (), lambda what: None))


def test_it_says_where_people_come_to_be_and_how_often_they_came_near() -> None:
    world = replace(load_world("empty"), people=Crowd(3, children=0.0, speed=0.9, seed=2))
    robot = Loopback(world, robot="turtlebot4", seed=3, noise=SensorNoise(scale=0.0))
    robot.step((0.0, 0.0), 3.0)  # until all are on their way
    seconds = np.array([0.5, 1.0, 0.25])
    truth, odometry = robot.ground_truth().pose, robot.odometry()[0]
    told = ExactFuture(robot)(MovingThings(robot.time), robot.time - 0.1, seconds, PredictionConfig())  # type: ignore[arg-type]
    assert told is not None and told.positions.shape == (3, 3, 2)
    robot.step((0.0, 0.0), 0.4)
    there = transform_points(
        compose(odometry, relative(truth, np.zeros(3))), np.array([thing.position for thing in robot.moving_truth()])
    )
    np.testing.assert_allclose(told.positions[:, 0], there, atol=0.06)
    robot.step((0.0, 0.0), 20.0)
    assert robot.encounters == 3  # in a room that small everybody stays near


def case(comes: bool, drives: bool) -> ghosts.Case:
    drawn = ghosts.Case.draw(np.random.default_rng(3))
    adult = draw_body("somebody", "adult", np.random.default_rng(3))
    return ghosts.Case(drawn.walls, 1.6, adult, 1.4, 2.0, 0.9, comes, drives, 1)


@pytest.mark.parametrize("comes, drives", [(True, False), (False, True)])
def test_who_left_is_gone_from_every_layer_within_a_second(comes: bool, drives: bool) -> None:
    times = ghosts.watch(case(comes, drives), simulated(load_robot("turtlebot4")), 1)
    assert set(times) == set(ghosts.LAYERS) and max(times.values()) <= 1.0, times


def test_a_ghost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grid, "clear", lambda *_: None)
    monkeypatch.setattr(Footprints, "within", lambda self, points, margin=0.0: np.zeros(len(points), bool))
    times = ghosts.watch(case(False, False), simulated(load_robot("turtlebot4")), 1)
    assert times["occupancy"] > 1.0 and np.isinf(times["blocked_by_touch"])
