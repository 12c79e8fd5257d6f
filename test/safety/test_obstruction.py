"""What is in the way of a command: how near it may lead to what stands, what moves, and where it has not seen."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.motion import Motion
from ami_ros.safety.observations import Observation, Observations
from ami_ros.safety.obstruction import Obstruction
from ami_ros.safety.snapshot import Snapshot
from ami_ros.safety.surroundings import Surroundings
from ami_ros.safety.tracks import Track, of_frame
from ami_ros.scan import Scan

RADIUS, MARGIN = 0.18, 0.03
REST = (0.0, 0.0, 0.0)


class Scene:
    """A robot at rest at the origin, which may have odometry, other sensors, a laser, and areas to keep out of."""

    def __init__(self, odometry: bool = True, keep_out: KeepOut | None = None, **config: Any) -> None:
        self.config = SafetyConfig(**config)
        footprint = Footprint(self.config)
        self.motion, self.around = Motion(self.config), Surroundings(self.config, footprint)
        self.others = Observations({})
        self.obstruction = Obstruction(
            self.config, footprint, self.motion, self.around, self.others, KeepOut() if keep_out is None else keep_out
        )
        if odometry:
            self.at(0.0)

    def at(self, now: float, *pose: float, velocity: Command = REST) -> None:
        """Odometry says where it is."""
        self.motion.odometry(np.array(pose or REST), velocity, now)

    def shows(
        self, points: Any, stamp: float = 0.0, error: float = 0.0, pose: Command = REST, name: str = "depth"
    ) -> None:
        """Another sensor shows points (n, 2) [m]."""
        points = np.array(points, dtype=np.float64).reshape(-1, 2)
        self.others.put(name, Observation(np.array(pose), error, stamp, stamp, points))

    def sees(self, half_angle: float = math.pi, ranges: float = math.inf, stamp: float = 0.0) -> None:
        """The laser looks so far [rad] to either side."""
        beams = np.full(2 * round(math.degrees(half_angle)) + 1 - (half_angle == math.pi), ranges, np.float32)
        scan = Scan(beams, -half_angle, math.pi / 180, max_range=8.0)
        assert self.around.add(Snapshot.of(scan, self.motion.at(stamp)[0], 0.0, stamp)) == ""

    def moves(self, *things: Track, stamp: float = 0.0) -> None:
        """A tracker tells of things."""
        self.obstruction.tracks = of_frame([*things], self.motion.at(stamp)[0], stamp)

    def what(self, command: Command, now: float = 0.0) -> str:
        """What is in the way."""
        return self.obstruction.what(command, now, self.obstruction.near(command, now))


def way(speed: float) -> float:
    """How far [m] a robot comes that stood, is told to drive, and stopped the next time; looked at in eight steps."""
    step = max(0.25 + abs(speed) / 0.8, 0.4) / 8
    middles = step * (np.arange(8) + 0.5)
    return float((np.maximum(0.0, abs(speed) - 0.8 * np.maximum(0.0, middles - 0.25)) * step).sum())


def thing(x: float, y: float, *velocity: float, radius: float = 0.3) -> Track:
    """Somebody who moves."""
    return Track(np.array([x, y]), np.array(velocity or (0.0, 0.0)), radius)


@pytest.mark.parametrize("command", [(0.3, 0.0, 0.0), (-0.3, 0.0, 0.0), (0.0, 0.0, 0.3), (0.0, 0.0, -0.3)])
def test_a_command_keeps_the_margin_from_what_stands_until_it_is_stopped(command: Command) -> None:
    for spare, problem in ((0.001, ""), (-0.001, "obstacle ahead")):
        scene = Scene(max_lateral=0.3)
        gap = RADIUS + MARGIN + way(0.3) + spare
        scene.shows([np.sign(command[0]) * gap, np.sign(command[2]) * gap])
        assert scene.what(command) == problem
        assert scene.what(REST) == ""


def test_it_may_drive_along_what_it_comes_no_nearer_to() -> None:
    scene = Scene()
    scene.shows([[0.0, RADIUS + MARGIN + 0.001], [0.4, -RADIUS - MARGIN - 0.001], [-0.22, 0.0]])
    assert scene.what((0.3, 0.0, 0.0)) == ""
    scene.shows([[0.1, RADIUS + MARGIN - 0.01]])
    assert scene.what((0.3, 0.0, 0.0)) == "obstacle ahead"
    scene.shows([[-0.1, RADIUS + MARGIN - 0.01]])
    assert scene.what((0.3, 0.0, 0.0)) == "", "away from it"


@pytest.mark.parametrize(
    ("distance", "nearer", "free"),
    [
        (0.028, 0.0049, True),  # within the margin, by half a centimetre
        (0.028, 0.0051, False),
        (0.017, 0.0019, True),  # and not within half of the margin
        (0.017, 0.0021, False),
        (0.012, 0.0001, False),  # and nearer than that not at all
        (0.03, 0.0001, False),
    ],
)
def test_within_the_margin_it_may_come_a_little_nearer(distance: float, nearer: float, free: bool) -> None:
    scene = Scene()
    speed = next(v for v in np.linspace(0.0, 0.1, 20_001) if way(v) >= nearer)
    scene.shows([RADIUS + distance, 0.0])
    assert (scene.what((float(speed), 0.0, 0.0)) == "") == free


def test_what_may_come_closer_by_itself_is_kept_off_for_the_time_that_it_takes_to_stand() -> None:
    for spare, problem in ((0.0002, ""), (-0.0002, "obstacle ahead")):
        scene = Scene(obstacle_speed=0.2)
        lasts = 0.25 + 0.3 / 0.8
        scene.shows([RADIUS + MARGIN + way(0.3) + 0.2 * lasts + spare, 0.0])
        assert scene.what((0.3, 0.0, 0.0)) == problem
        assert scene.what((-0.3, 0.0, 0.0)) == "", "it may always go away"


def test_the_margin_grows_by_what_the_way_errs_and_what_comes_closer_since_it_was_seen() -> None:
    scene = Scene(obstacle_speed=0.2)
    assert scene.obstruction.near(REST, 0.1).margin == pytest.approx(MARGIN), "nothing is shown"
    scene.shows([], stamp=-5.0)
    assert scene.obstruction.near(REST, 0.1).margin == pytest.approx(MARGIN)
    scene.shows([1.0, 0.0], stamp=0.0, error=-0.04)
    assert scene.obstruction.near(REST, 0.1).margin == pytest.approx(MARGIN + 0.02 + 0.04)
    scene.shows([1.0, 0.0], stamp=0.3, error=-0.07, name="early")
    assert scene.obstruction.near(REST, 0.1).margin == pytest.approx(MARGIN + 0.07), "the most of them counts"
    scene.sees(ranges=3.0, stamp=-0.9)
    assert scene.obstruction.near(REST, 0.1).margin == pytest.approx(MARGIN + 0.2)


def test_it_looks_at_what_it_may_come_upon_and_no_farther() -> None:
    scene = Scene(obstacle_speed=0.1)
    command = (0.4, 0.0, 0.0)
    lasts = 0.25 + 0.4 / 0.8
    reach = 0.4 * lasts + RADIUS + MARGIN + 0.01 * 2**0.5 + 0.1 * lasts
    scene.shows([[reach - 1e-6, 0.0], [0.0, -reach + 1e-6], [reach + 1e-6, 0.0], [0.0, -reach - 1e-6]])
    near = scene.obstruction.near(command, 0.0)
    assert len(near.points) == 2 and near.distance == pytest.approx([reach - RADIUS] * 2, abs=1e-5)
    with pytest.raises(FrozenInstanceError):
        near.margin = 0.0  # type: ignore[misc]


def test_what_was_shown_stays_where_it_was_while_the_robot_moves() -> None:
    scene = Scene()
    scene.shows([0.5, 0.0])
    scene.at(1.0, 0.1, 0.0, math.pi / 2)
    near = scene.obstruction.near((0.3, 0.0, 0.0), 1.0)
    assert near.points == pytest.approx(np.array([[0.0, -0.4]])) and near.here == pytest.approx([0.1, 0.0, math.pi / 2])
    assert near.odom == pytest.approx([0.1, 0.0, math.pi / 2])
    scene.shows([0.5, 0.0], pose=(0.2, 0.0, 0.0))
    assert scene.obstruction.near((0.5, 0.0, 0.0), 1.0).points == pytest.approx(np.array([[0.0, -0.6]]))


def test_what_has_vanished_is_there_as_long_as_odometry_says_where() -> None:
    for odometry in (True, False):
        scene = Scene(odometry)
        beams = np.full(360, np.inf, np.float32)
        for stamp, ranges in ((0.0, 0.3), (0.1, np.inf)):
            beams[175:186] = ranges
            scan = Scan(beams.copy(), -math.pi, math.pi / 180, max_range=8.0)
            beams[0] = 3.0
            scene.around.add(Snapshot.of(scan, np.zeros(3), 0.0, stamp), measured=True)
        assert len(scene.around.gone) == 11 // 3 + 1 or len(scene.around.gone) > 0
        assert (scene.what((0.3, 0.0, 0.0), 0.1) == "obstacle ahead") == odometry


def cloud(count: int, x: float) -> Array:
    """Points (n, 2) [m], each in a cell of 1 cm of its own, within 0.4 m of the way, none nearer ahead than `x`."""
    cells = np.stack(np.meshgrid(np.arange(80), np.arange(-40, 40)), -1).reshape(-1, 2)
    return np.array([x, 0.0]) + 0.01 * cells[np.argsort(np.abs(cells).sum(1), kind="stable")][:count]


def test_of_more_than_500_points_each_stands_for_a_cell_and_1_4_cm_more_are_kept() -> None:
    command = (0.3, 0.0, 0.0)
    for count, more in ((500, 0.0), (501, 0.01 * 2**0.5)):
        for spare, problem in ((0.001, ""), (-0.001, "obstacle ahead")):
            scene = Scene()
            points = np.zeros((count, 2)) + [RADIUS + MARGIN + way(0.3) + more + spare, 0.0]
            scene.shows(points)
            assert scene.what(command) == problem, (count, spare)


def test_what_stands_beside_the_end_of_the_way_is_free_if_it_is_farther_than_that() -> None:
    for aside, problem in ((0.16, ""), (0.155, "obstacle ahead")):  # 0.046 and 0.039 m from the outline
        scene = Scene()
        scene.shows(np.tile([way(0.3) + aside, aside], (501, 1)))
        assert scene.what((0.3, 0.0, 0.0)) == problem


def test_a_round_robot_may_turn_on_the_spot_beside_anything() -> None:
    scene = Scene()
    angles = np.linspace(0.0, 6.0, 40)
    for gap in (0.01, 0.02, 0.2):
        scene.shows((RADIUS + gap) * np.column_stack([np.cos(angles), np.sin(angles)]))
        assert scene.what((0.0, 1.8, 0.0)) == ""


def test_with_more_than_3000_cells_by_the_way_it_does_not_drive_there() -> None:
    fast: dict[str, Any] = {"max_linear": 3.0, "max_linear_acceleration": 9.0}
    for count, problem in ((3000, "obstacle ahead"), (3001, "too much to look at")):
        scene = Scene(**fast)
        cells = np.stack(np.meshgrid(np.arange(40), np.arange(80)), -1).reshape(-1, 2)[:count, ::-1]
        scene.shows(np.array([0.503, -0.197]) + 0.01 * cells)
        assert scene.what((1.5, 0.0, 0.0)) == problem
        assert scene.what((-1.5, 0.0, 0.0)) == "", "what is not by the way does not count"


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_points_count_as_many_only_where_it_may_come_to_them(turn: int) -> None:
    """By its way lie the outline, the margin and a cell to each side; others change nothing."""
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][turn]
    turned = np.array([[c, -s], [s, c]])
    command = 0.5 * c, 0.0, 0.5 * s
    end, aside = way(0.5) + RADIUS + MARGIN + 0.01 * 2**0.5, RADIUS + MARGIN + 0.01 * 2**0.5
    for x, y, counts in (
        (end - 1e-4, 0.0, True),
        (end + 1e-4, 0.0, False),
        (0.2, aside - 1e-4, True),
        (0.2, aside + 1e-4, False),
        (0.2, -aside + 1e-4, True),
        (0.2, -aside - 1e-4, False),
        (-aside + 1e-4, 0.0, True),
        (-aside - 1e-4, 0.0, False),
    ):
        scene = Scene(max_lateral=0.5)
        ahead = np.array([way(0.5) + RADIUS + MARGIN + 0.001, 0.0])  # free, unless it stands for a cell
        scene.shows((np.concatenate([np.tile([x, y], (500, 1)), ahead[None]])) @ turned.T)
        assert (scene.what(command) == "obstacle ahead") == counts, (x, y)


def test_out_of_a_keep_out_area_it_may_go_and_not_farther_into_one() -> None:
    keep_out = KeepOut(margin=0.03)
    scene = Scene(False, keep_out)
    scene.at(0.1, 5.0, 1.0, math.pi / 2)
    keep_out.circles("area", "odom", np.array([[5.0, 1.6, 0.2]]))
    # It stands 0.22 m before the area, less the margin and half the distance between points of the outline.
    assert scene.what((0.2, 0.0, 0.0), 0.1) == ""
    assert scene.what((0.4, 0.0, 0.0), 0.1) == "keep-out: ahead"
    assert scene.what((-0.4, 0.0, 0.0), 0.1) == ""
    assert len(Scene(False).obstruction.near((0.3, 0.0, 0.0), 0.0).points) == 0
    keep_out.circles("area", "odom", np.array([[5.0, 1.3, 0.2]]))
    assert scene.what((0.3, 0.0, 0.0), 0.1) == "keep-out: ahead" and scene.what((-0.4, 0.0, 0.0), 0.1) == ""
    keep_out.circles("area", "odom", np.array([[5.0, 1.42, 0.2]]))
    assert scene.what((-0.05, 0.0, 0.0), 0.1) == "", "with only its front inside, even slowly"
    keep_out.circles("area", "odom", np.array([[5.0, 1.0, 3.0]]))
    assert scene.what((0.3, 0.0, 0.0), 0.1) == "", "all of it is inside"


@pytest.mark.parametrize(
    ("half_angle", "command", "free"),
    [
        (math.pi, (0.5, 0.0, 0.0), True),
        (math.radians(60.0), (0.5, 0.0, 0.0), True),
        (math.radians(40.0), (0.5, 0.0, 0.0), False),
        (math.radians(48.0), (0.5, 0.0, 0.0), False),
        (math.radians(50.0), (0.2, 0.0, 0.0), True),  # what is beside it, within 4 cm, it need not have seen
        (math.radians(30.0), (0.2, 0.0, 0.0), False),
        (math.radians(60.0), (-0.1, 0.0, 0.0), False),
        (math.radians(60.0), (0.0, 1.5, 0.0), True),
        (math.radians(60.0), (0.3, 1.5, 0.0), False),
        (math.radians(90.0), (0.3, 1.0, 0.0), True),
    ],
)
def test_it_drives_over_ground_that_was_seen_to_be_free(half_angle: float, command: Command, free: bool) -> None:
    scene = Scene()
    assert scene.what(command) == "", "without a laser it is not asked"
    scene.sees(half_angle)
    assert scene.what(command) == ("" if free else "unseen ahead")


def test_sideways_too_it_need_not_have_seen_what_is_just_beside_it() -> None:
    for half_angle, free in ((54, True), (36, False)):
        for middle, command in ((0.0, (0.4, 0.0, 0.0)), (math.pi / 2, (0.0, 0.0, 0.3))):
            scene = Scene(max_lateral=0.3)
            beams = np.full(2 * half_angle + 1, np.inf, np.float32)
            scan = Scan(beams, middle - math.radians(half_angle), math.pi / 180, max_range=8.0)
            scene.around.add(Snapshot.of(scan, np.zeros(3), 0.0, 0.0))
            assert scene.what(command) == ("" if free else "unseen ahead")


def test_ground_that_it_saw_counts_where_it_was_seen_from() -> None:
    scene = Scene()
    scene.sees(math.radians(60.0))
    scene.at(1.0, 0.0, 0.0, math.pi / 2)
    assert scene.what((0.3, 0.0, 0.0), 1.0) == "unseen ahead"
    scene.at(2.0, 0.0, 0.0, 0.0)
    assert scene.what((0.3, 0.0, 0.0), 2.0) == ""


@pytest.mark.parametrize(
    ("x", "y", "velocity", "command", "free"),
    [
        (1.2, 0.0, (0.0, 0.0), (0.3, 0.0, 0.0), True),
        (0.9, 0.0, (0.0, 0.0), (0.3, 0.0, 0.0), False),  # 0.18 + 0.03 + 0.2 + 0.3 m, the way, and how it may sway
        (0.9, 0.0, (0.0, 0.0), (-0.3, 0.0, 0.0), True),
        (0.9, 0.0, (0.0, 0.0), (0.0, 1.0, 0.0), True),
        (0.9, 0.0, (-1.0, 0.0), (0.0, 0.0, 0.0), True),
        (0.9, 0.0, (-1.0, 0.0), (0.05, 0.0, 0.0), False),
        (1.5, 0.0, (-1.0, 0.0), (0.3, 0.0, 0.0), False),
        (1.5, 0.0, (1.0, 0.0), (0.3, 0.0, 0.0), True),
        (0.0, 0.75, (0.0, -0.3), (0.4, 0.0, 0.0), True),  # past them
        (0.25, 0.65, (0.0, -0.3), (0.4, 0.0, 0.0), False),
        (0.1, 0.65, (0.0, -0.3), (0.4, 0.0, 0.0), False),
        (-0.9, 0.0, (2.0, 0.0), (0.4, 0.0, 0.0), True),
    ],
)
def test_it_does_not_drive_at_what_moves(
    x: float, y: float, velocity: tuple[float, float], command: Command, free: bool
) -> None:
    scene = Scene()
    scene.moves(thing(x, y, *velocity))
    assert (scene.what(command, 0.0) == "") == free
    assert scene.what(command, 0.61) == "", "an old message counts no more"


def test_how_near_it_comes_to_what_moves_is_margin_and_track_margin_and_what_may_change() -> None:
    lasts = 0.25 + 0.3 / 0.8
    for age in (0.0, 0.2):
        reached = way(0.3) + RADIUS + 0.03 + 0.2 + 0.3 + 0.25 * (lasts + age) ** 2
        for spare, problem in ((0.003, ""), (-0.003, "moving thing ahead")):
            scene = Scene()
            scene.moves(thing(reached + spare, 0.0))
            if age:
                scene.at(age)
            assert scene.what((0.3, 0.0, 0.0), age) == problem, (age, spare)


def test_what_a_tracker_says_of_a_moment_ahead_counts_as_of_now() -> None:
    lasts = 0.25 + 0.3 / 0.8
    reached = way(0.3) + RADIUS + 0.03 + 0.2 + 0.3 + 0.5 * lasts + 0.25 * lasts**2
    for spare, problem in ((0.003, ""), (-0.003, "moving thing ahead")):
        scene = Scene()
        scene.moves(thing(reached + spare, 0.0, -0.5, 0.0), stamp=0.2)
        assert scene.what((0.3, 0.0, 0.0)) == problem


@pytest.mark.parametrize(("ahead", "free"), [(0.0, True), (0.03, True), (0.1, False)])
def test_past_somebody_it_may_come_nearer_by_a_tenth_of_its_way(ahead: float, free: bool) -> None:
    for sign in (1.0, -1.0):
        scene = Scene(max_lateral=0.3)
        scene.moves(thing(sign * ahead, 0.55))
        assert (scene.what((sign * 0.3, 0.0, 0.0)) == "") == free
        scene.moves(thing(0.55, sign * ahead))
        assert (scene.what((0.0, 0.0, sign * 0.3)) == "") == free


def test_what_its_rolling_adds_to_a_command_leads_at_nobody() -> None:
    """Neither a stop nor the command alone leads at who stands at the end of both."""
    scene = Scene(max_lateral=0.5)
    scene.motion.told((0.5, 0.0, 0.0), 0.0)
    scene.moves(thing(0.9, 0.9))
    assert scene.what((0.0, 0.0, 0.5)) == "moving thing ahead" and scene.what((0.0, 0.0, -0.5)) == ""
    scene.moves(thing(1.0, 0.0), thing(0.0, 9.0), thing(0.0, -9.0))
    assert scene.what((-0.3, 0.0, 0.0)) == "", "of three it rolls at one"


def test_pressed_from_one_side_it_may_go_as_near_to_the_other_but_not_within_the_margin() -> None:
    for gap, free in ((0.12, True), (0.03, False)):
        scene = Scene()
        scene.moves(thing(-0.56, 0.0, 0.6, 0.0), thing(0.18 + 0.3 + way(0.1) + gap, 0.0))
        assert (scene.what((0.1, 0.0, 0.0)) == "") == free, gap


def test_one_that_still_rolls_may_turn_back_but_not_go_on() -> None:
    scene = Scene()
    scene.motion.told((0.5, 0.0, 0.0), 0.0)
    scene.moves(thing(1.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == "moving thing ahead"
    assert scene.what((0.05, 0.0, 0.0)) == "moving thing ahead"
    assert scene.what(REST) == "moving thing ahead", "even stopped it rolls there"
    assert scene.what((-0.3, 0.0, 0.0)) == "" and scene.what((0.0, 1.0, 0.0)) == ""


def test_nobody_walks_through_a_robot_that_stands() -> None:
    """One who comes from behind stops where they touch it: the way ahead is free."""
    scene = Scene()
    scene.moves(thing(-0.6, 0.0, 2.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == ""
    scene.moves(thing(-0.6, 0.0, 2.0, 0.0), thing(0.85, 0.0, 0.0, 0.0))
    assert scene.what((0.5, 0.0, 0.0)) == "moving thing ahead"


def test_things_are_where_they_are_from_the_robot_now() -> None:
    scene = Scene()
    scene.at(1.0, 0.1, 0.0, math.pi / 2)
    scene.moves(thing(0.9 * math.cos(0.8), 0.9 * math.sin(0.8)), stamp=1.0)
    assert scene.what((0.3, 0.0, 0.0), 1.0) == ""
    scene.at(1.2, 0.1, 0.0, math.pi / 2 + 0.8)
    assert scene.what((0.3, 0.0, 0.0), 1.2) == "moving thing ahead" and scene.what((-0.3, 0.0, 0.0), 1.2) == ""
