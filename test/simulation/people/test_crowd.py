"""Who moves about: where they go, what they mind, what sensors meet of them, and who touched whom."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.contacts import Touch, TouchJudge, counts
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.people.bodies import KINDS, draw_body
from ami_ros.simulation.people.crowd import Crowd
from ami_ros.simulation.people.walkers import RobotDisc, Walking
from ami_ros.simulation.robot import CONTROL_PERIOD
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import People, World

from ..conftest import PERFECT

FINE = load_robot("ami_bot").with_sensor("scan", beams=360)
NOWHERE = RobotDisc(np.array([-50.0, -50.0]), 0.18, np.zeros(2))


@pytest.mark.parametrize("driven, moving", [(0.0, False), (-0.3, False), (0.4, True)])
def test_a_robot_that_somebody_pushed_into_another_did_not_move_into_them(driven: float, moving: bool) -> None:
    judge = TouchJudge()
    for k in range(30):
        judge.note(0.02 * k, np.array([0.01 * k, 0.0]), np.array([[1.0, 0.0]]), np.array([driven, 0.0]))
    judge.touch(0.6, 0, "another", True)
    assert judge.touches[0].robot_moving == moving


def gap(robot: Loopback | Simulator) -> float:
    """From the robot to the nearest body [m]."""
    return float(robot._company.gaps(robot.ground_truth().pose).min())


def walked(crowd: Crowd, seconds: float, robot: RobotDisc = NOWHERE) -> np.ndarray:
    """Poses (t, n, 3) of everybody, step by step."""
    found = []
    for _ in range(round(seconds / CONTROL_PERIOD)):
        crowd.advance(CONTROL_PERIOD, robot)
        found.append(crowd.manner.poses.copy())
    return np.array(found)


@pytest.mark.parametrize("people", [People(4), People(4, manner="blind", speed=1.2), People(6, group=3, trolleys=1)])
def test_nobody_walks_through_walls_furniture_or_others(home: World, people: People) -> None:
    sim = Loopback(replace(home, people=people), robot="ami_bot", seed=3)
    crowd = Crowd(sim.world, 3, 0.2)
    poses = walked(crowd, 60.0)
    radii = np.array([body.radius for body in crowd.bodies])
    for index, radius in enumerate(radii):
        assert sim._doors.plan.clearance(poses[::5, index, :2]).min() > radius - 0.03
    steps = np.hypot(*np.diff(poses[:, :, :2], axis=0).transpose(2, 1, 0))
    # Who pushes a trolley may be swung about it by a corner.
    assert steps[: people.count].max() <= people.speed * CONTROL_PERIOD * 1.05
    persons = poses[:, : people.count, :2]
    apart = np.linalg.norm(persons[:, :, None] - persons[:, None], axis=-1) - radii[: people.count, None]
    apart = apart - radii[: people.count] + 10 * np.eye(people.count)
    assert apart.min() > -0.03
    assert (steps.sum(axis=1) > 3.0).all(), "everybody gets somewhere"


def test_the_same_seed_walks_the_same_ways_and_another_seed_others(home: World) -> None:
    world = replace(home, people=People(3))
    ways = [walked(Crowd(world, seed, 0.2), 10.0) for seed in (1, 1, 2)]
    assert np.array_equal(ways[0], ways[1]) and not np.array_equal(ways[0], ways[2])


def test_polite_persons_stop_short_of_a_robot_and_blind_ones_touch_it(home: World) -> None:
    gaps = {}
    for manner in ("polite", "blind"):
        robot = Loopback(replace(home, people=People(6, manner=manner)), robot="ami_bot", seed=1)
        robot.reset(np.array([3.5, 2.6, 0.0]))  # before a door
        nearest = []
        for _ in range(40 * 50):
            robot.step((0.0, 0.0), CONTROL_PERIOD)
            nearest.append(gap(robot))
            if robot.touches:
                break
        gaps[manner] = min(nearest)
        found = counts(robot.touches)
        assert found["robot_moving"] == 0
        assert (found["robot_standing"] > 0) == (manner == "blind")
        assert robot.ground_truth().contacts == len(robot.touches)
    assert 0.1 < gaps["polite"] <= Walking().short_of_robot + 0.1 and -0.12 < gaps["blind"] < 0.0


def test_a_robot_that_drives_into_somebody_is_stopped_and_the_contact_is_its_own(empty: World) -> None:
    world = replace(empty, people=People(1, children=0.0, speed=0.05))
    for robot in (Loopback(world, seed=1, noise=PERFECT), Simulator(world, seed=1, noise=PERFECT, pictures=False)):
        person = robot.moving_truth()[0]
        robot.place(np.array([person.position[0] - 0.9, person.position[1], 0.0]))
        assert np.hypot(*(robot.moving_truth()[0].position - person.position)) < 0.01
        robot.step((0.4, 0.0), 3.0)
        found = counts(robot.touches)
        assert (found["robot_moving"], found["robot_standing"]) == (1, 0)
        assert gap(robot) > -0.05, "it does not get through"


def test_a_robot_touches_what_its_laser_sees_and_no_more(empty: World) -> None:
    """Who passes a standing person keeps its distance from the legs: shoulders are higher up than a robot."""
    world = replace(empty, people=People(1, children=0.0, speed=0.05))
    for robot in (Loopback(world, seed=1, noise=PERFECT), Simulator(world, seed=1, noise=PERFECT, pictures=False)):
        person = robot.moving_truth()[0]
        robot.place(np.array([person.position[0] - 0.9, person.position[1] + 0.38, 0.0]))
        robot.step((0.4, 0.0), 4.0)
        assert not robot.touches and robot.ground_truth().contacts == 0
        assert 0.0 < robot.nearest_approach() < 0.2


def test_laser_sees_two_legs_that_stand_and_leap_and_a_trunk_higher_up() -> None:
    body = draw_body("a", "adult", np.random.default_rng(1))
    pose = np.array([1.0, 2.0, 0.5])
    assert [o.shape for o in body.met(pose, 0.2, 1.0, 0.2)] == ["cylinder"] * 2
    assert len(body.met(pose, 0.2, 1.0, 1.2)) == 1 and not body.met(pose, 0.2, 1.0, 2.0)
    # At the floor, the foot that stands stays where it is while the body goes on.
    phases = np.linspace(0.05, 0.4, 8)
    left = [body.feet(phase, 1.0)[0] + phase * body.stride(1.0) for phase in phases]
    assert np.ptp(left) < 1e-9
    assert max(abs(body.feet(phase, 0.0)[0]) for phase in phases) == 0.0, "who stands has his feet together"


def test_every_kind_of_body_is_seen_by_camera_and_laser(empty: World) -> None:
    everybody = People(1, children=0.0), People(1, children=1.0), People(trolleys=1), People(robots=1)
    for kind, people in zip(KINDS, everybody, strict=True):
        robot = Simulator(replace(empty, people=people), FINE, seed=2, noise=PERFECT)
        alone = Simulator(empty, FINE, seed=2, noise=PERFECT)
        thing = next(t for t in robot.moving_truth() if t.kind == kind)
        x, y = thing.position
        pose = np.array([x - 1.05, y, 0.0]) if x > 2.0 else np.array([x + 1.05, y, np.pi])
        robot.place(pose)
        alone.place(pose)
        both, empty_view = robot.observe(), alone.observe()
        assert both.image is not None and empty_view.image is not None
        changed = (np.abs(both.image.astype(int) - empty_view.image).max(axis=-1) > 40).sum()
        assert changed > 20, kind
        assert (both.scan.ranges < empty_view.scan.ranges - 0.2).sum() >= 1, kind
        picture = robot.photograph(pose).astype(int)
        assert np.abs(picture - alone.photograph(pose)).max() < 3, "a goal's picture shows nobody"


def test_what_will_be_is_what_then_happens(home: World) -> None:
    robot = Loopback(replace(home, people=People(3)), robot="ami_bot", seed=5)
    robot.reset(np.array([0.6, 3.6, 0.0]))
    robot.step((0.0, 0.0), 2.0)
    times = np.array([0.5, 1.0, 2.0])
    told = robot.moving_future(times)
    happened = []
    for seconds in (0.5, 0.5, 1.0):
        robot.step((0.0, 0.0), seconds)
        happened.append([thing.position for thing in robot.moving_truth()])
    assert np.abs(told - np.array(happened).transpose(1, 0, 2)).max() < 0.1


def test_people_open_closed_doors_on_their_ways_and_these_fall_shut_again(two_rooms: World) -> None:
    robot = Loopback(replace(two_rooms, people=People(3)), robot="ami_bot", seed=1)
    name = next(iter(robot.doors))
    robot.place(np.array([0.3, 0.3, 0.0]))
    robot.set_door(name, False)
    states = [False]
    for _ in range(120 * 10):
        robot.step((0.0, 0.0), 0.1)
        states += [robot.doors[name]] if robot.doors[name] != states[-1] else []
        if states == [False, True, False]:
            break
    assert states == [False, True, False]


def test_the_rule_of_contacts_asks_who_came_to_whom() -> None:
    touches = [Touch(0.0, "a", speed, 1.0, room) for speed in (0.2, 0.01, -0.01, -0.1) for room in (True, False)]
    assert counts(touches) == {"robot_moving": 2, "robot_standing": 6, "leaving": 2, "could_leave": 2}


# Who avoids others

THERE = importlib.util.find_spec("pyrvo") is not None


@pytest.mark.skipif(THERE, reason="pyrvo is installed")
def test_without_the_package_one_line_names_the_extra() -> None:
    with pytest.raises(AmiError, match=r"extra people.*requirements/people\.txt"):
        Loopback("home@people=2,manner=orca", robot="ami_bot")


@pytest.mark.skipif(not THERE, reason="pyrvo is not installed")
def test_who_avoids_others_passes_them_and_touches_nothing(home: World) -> None:
    robot = Loopback(replace(home, people=People(5, manner="orca")), robot="ami_bot", seed=1)
    robot.reset(np.array([3.5, 2.6, 0.0]))
    places = []
    for _ in range(400):
        robot.step((0.0, 0.0), 0.1)
        places.append([thing.position for thing in robot.moving_truth()])
    way, things = np.array(places), robot.moving_truth()
    radii = np.array([thing.radius for thing in things])
    apart = np.linalg.norm(way[:, :, None] - way[:, None], axis=-1) - radii - radii[:, None] + 10 * np.eye(5)
    assert apart.min() > -0.05
    for index, radius in enumerate(radii):
        assert robot._doors.plan.clearance(way[:, index]).min() > radius - 0.02
    assert (np.hypot(*np.diff(way, axis=0).transpose(2, 1, 0)).sum(axis=1) > 5.0).all()
    assert not any(touch.robot_moving for touch in robot.touches)
    assert robot.moving_future(np.array([0.5, 1.0])).shape == (5, 2, 2)
