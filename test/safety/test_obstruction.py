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
from harness.scene import MARGIN, RADIUS, REST, Scene, way


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
