"""What is in the way of a command: how near it may lead to what stands, what moves, and where it has not seen."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.observations import Snapshot
from ami_ros.safety.obstruction import Track, Tracks, largest_sigma, of_frame, usable
from harness.gate import person
from harness.scene import MARGIN, RADIUS, REST, Scene, thing, way


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


@pytest.mark.parametrize(("turn", "problem"), [(1.8, "unseen ahead"), (-1.8, "")])
def test_what_is_ahead_is_judged_by_where_the_way_ends_and_not_by_how_it_sets_out(turn: float, problem: str) -> None:
    """The laser looks 60 degrees to the left, and 90 to the right."""
    scene = Scene()
    scan = Scan(np.full(151, np.inf, np.float32), -math.pi / 2, math.pi / 180, max_range=8.0)
    scene.around.add(Snapshot.of(scan, np.zeros(3), 0.0, 0.0))
    assert scene.what((0.18, turn, 0.0)) == problem


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
    scene.moves(thing(1.0, 0.0), thing(-9.0, 0.0))
    assert scene.what((-0.3, 0.0, 0.0)) == "", "and the one that it goes to is far away"


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


NAN = math.nan


def things(count: int) -> list[Track]:
    return [person(0.1 * k, 0.0) for k in range(count)]


def test_a_thing_is_seen_from_where_the_robot_was() -> None:
    seen = Track(np.array([3.0, 2.0]), np.array([1.0, 0.5]), 0.3, 0.1, 0.2).seen_from(np.array([1.0, 1.0, math.pi / 2]))
    assert seen.position == pytest.approx([1.0, -2.0]) and seen.velocity == pytest.approx([0.5, -1.0])
    assert (seen.radius, seen.position_sigma, seen.velocity_sigma) == (0.3, 0.1, 0.2)
    turned = Track(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.3).seen_from(np.array([0.0, 0.0, 0.3]))
    assert turned.position == pytest.approx([math.cos(0.3), -math.sin(0.3)])
    assert turned.velocity == pytest.approx([math.sin(0.3), math.cos(0.3)])
    shapes = ((3, 2), (2, 3), (1, 2), (2, 1))
    for wrong in (Track(np.zeros(a), np.zeros(b), 0.3) for a, b in shapes):
        assert wrong.seen_from(np.array([1.0, 1.0, 1.0])) is wrong
    with pytest.raises(FrozenInstanceError):
        seen.radius = 0.0  # type: ignore[misc]
    assert (person(0.0, 0.0).position_sigma, person(0.0, 0.0).velocity_sigma) == (0.0, 0.0)


def test_the_largest_deviation_is_no_less_than_along_the_worst_axis() -> None:
    assert largest_sigma(np.array([[0.04, 0.0], [0.0, 0.09]])) == pytest.approx(0.3)
    assert largest_sigma(np.array([[0.04, -0.05], [-0.05, 0.02]])) == pytest.approx(0.3)


def test_things_move_with_the_gates_frame_and_grow_by_what_is_not_known_of_them() -> None:
    given = [
        Track(np.array([1.0, 0.5]), np.array([-1.0, 0.2]), 0.3, 0.1, 0.2),
        Track(np.array([2.0, 0.0]), np.array([0.0, 1.0]), 0.4, 0.6, 1.5),
    ]
    tracks = of_frame(given, np.array([5.0, 3.0, math.pi / 2]), 7.0)
    assert len(tracks) == 2 and tracks.stamp == 7.0
    assert tracks.positions == pytest.approx(np.array([[4.5, 4.0], [5.0, 5.0]]))
    assert tracks.velocities == pytest.approx(np.array([[-0.2, -1.0], [-1.0, 0.0]]))
    assert tracks.bodies.tolist() == [0.3, 0.4]
    assert tracks.radii == pytest.approx([0.5, 1.4]), "two deviations, of half a metre at most"
    assert tracks.doubts == pytest.approx([0.4, 2.0]), "of 1 m/s at most"
    middles, radii = tracks.at(0.2, np.array([0.0, 0.8]))
    assert middles == pytest.approx(np.array([[[4.46, 3.8], [4.8, 5.0]], [[4.3, 3.0], [4.0, 5.0]]]))
    assert radii == pytest.approx(
        np.array([[0.5 + 0.08 + 0.01, 1.4 + 0.4 + 0.01], [0.5 + 0.4 + 0.25, 1.4 + 2.0 + 0.25]])
    )
    turned = of_frame(given, np.array([0.0, 0.0, 0.3]), 7.0)
    assert turned.positions[1] == pytest.approx([2.0 * math.cos(0.3), 2.0 * math.sin(0.3)])
    with pytest.raises(FrozenInstanceError):
        tracks.stamp = 8.0  # type: ignore[misc]


def test_tracks_last_for_six_tenths_of_a_second() -> None:
    tracks = of_frame([person(1.0, 0.0)], np.zeros(3), 0.0)
    assert tracks.lasts(0.6) and tracks.lasts(-0.1) and not tracks.lasts(0.61)
    none = of_frame([], np.zeros(3), 5.0)
    assert len(none) == 0 and none.stamp == 5.0 and not none.lasts(5.0)
    empty = Tracks()
    assert empty.positions.shape == empty.velocities.shape == (0, 2)
    assert empty.bodies.shape == empty.radii.shape == empty.doubts.shape == (0,)
    assert Tracks().stamp == -math.inf and len(Tracks()) == 0 and Tracks().at(0.0, np.zeros(3))[0].shape == (3, 0, 2)


def test_what_is_thirty_metres_away_is_of_no_matter() -> None:
    for x, y, counts in ((30.0, 0.0, 1), (-18.0, 24.0, 1), (30.1, 0.0, 0), (-18.1, 24.0, 0)):
        assert len(of_frame([person(x, y)], np.array([100.0, 0.0, 0.0]), 0.0)) == counts, (x, y)


def test_the_nearest_64_count_the_nearest_first() -> None:
    near, problem = usable(reversed(things(64)))
    assert [thing.position[0] for thing in near] == pytest.approx([0.1 * k for k in range(64)]) and problem == ""
    near, problem = usable(reversed(things(65)))
    assert len(near) == 64 and near[-1].position[0] == pytest.approx(6.3)
    assert problem == "moving things: 65 at once; the nearest 64 count"
    near, problem = usable(things(300))
    assert len(near) == 64 and problem == "moving things: 300 at once; the nearest 64 count"
    near, problem = usable([*things(66), person(NAN, 0.0), person(0.0, NAN)])
    assert len(near) == 64 and problem == "moving things: 2 of 68 have numbers that cannot be"


@pytest.mark.parametrize(
    ("thing", "counts"),
    [
        (person(1.0, 0.0, 15.0, 0.0), True),
        (person(1.0, 0.0, 9.0, -12.0), True),
        (person(1.0, 0.0, 15.1, 0.0), False),
        (person(1.0, 0.0, 9.1, -12.1), False),
        (person(1.0, 0.0, 0.0, NAN), False),
        (person(1.0, 0.0, position_sigma=-0.1), False),
        (person(1.0, 0.0, position_sigma=0.1, velocity_sigma=0.2), True),
        (person(1.0, 0.0, velocity_sigma=math.inf), False),
        (Track(np.array([1.0, 0.0]), np.zeros(2), 5.0), True),
        (Track(np.array([1.0, 0.0]), np.zeros(2), 5.1), False),
        (Track(np.array([1.0, 0.0]), np.zeros(2), -0.3), False),
        (Track(np.array([1.0, 0.0]), np.zeros(3), 0.3), False),
        (Track(np.array([1.0, 0.0]), np.zeros(1), 0.3), False),
        (Track(np.array([1.0]), np.zeros(2), 0.3), False),
        (Track(np.array([1.0, math.inf]), np.zeros(2), 0.3), False),
    ],
)
def test_a_thing_counts_if_it_can_be(thing: Track, counts: bool) -> None:
    assert len(usable([thing])[0]) == counts
