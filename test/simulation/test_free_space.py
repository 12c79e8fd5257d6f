from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import default_robot
from ami_ros.simulation.free_space import FreeSpace, FreeSpaceConfig
from ami_ros.simulation.world import World

ROOM_MIDDLES = {
    "living": (2.5, 2.4), "kitchen": (5.3, 2.6), "study": (1.6, 4.2), "hall": (3.4, 4.2), "bedroom": (6.0, 4.0),
}  # fmt: skip


def test_the_robot_fits_in_the_middle_but_not_at_a_wall_or_outside(empty: World) -> None:
    space = FreeSpace(empty)
    edge = 0.05 + default_robot().shape.radius + FreeSpaceConfig().margin
    fits = space.free([[2.0, 2.0], [edge + 0.01, 2.0], [edge - 0.01, 2.0], [-1.0, 2.0]])
    assert fits.tolist() == [True, True, False, False]


def test_rooms_are_found_by_point_and_by_pose(home: World) -> None:
    space = FreeSpace(home)
    for name, middle in ROOM_MIDDLES.items():
        assert space.room_of(middle) == space.room_of([*middle, 1.0]) == name
    assert space.room_of((-1.0, 0.0)) is None


def test_sampled_poses_are_free_keep_their_clearance_and_stay_in_their_room(home: World) -> None:
    space, rng = FreeSpace(home), np.random.default_rng(0)
    for room in ROOM_MIDDLES:
        poses = np.array([space.sample_pose(rng, room, clearance=0.1) for _ in range(50)])
        assert space.free(poses, clearance=0.1).all()
        assert {space.room_of(pose) for pose in poses} == {room}
        assert np.ptp(poses[:, 2]) > 3.0


def test_an_unknown_room_and_an_impossible_clearance_are_refused(home: World) -> None:
    space, rng = FreeSpace(home), np.random.default_rng(0)
    with pytest.raises(AmiError, match="no room 'attic': known are living"):
        space.sample_pose(rng, "attic")
    with pytest.raises(AmiError, match="fits nowhere"):
        space.sample_pose(rng, "study", clearance=3.0)


def test_a_free_straight_way_is_as_long_as_its_distance_within_three_percent(empty: World) -> None:
    space = FreeSpace(empty)
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = space.sample_pose(rng), space.sample_pose(rng)
        direct = np.hypot(*(a - b)[:2])
        assert direct - 0.05 <= space.path_length(a, b) <= 1.03 * direct + 0.05


def test_a_way_through_a_door_is_longer_than_the_straight_line_and_shut_by_the_door(two_rooms: World) -> None:
    a, b = (1.0, 0.5), (3.0, 0.5)
    assert 2.3 < FreeSpace(two_rooms).path_length(a, b) < 3.0
    assert FreeSpace(two_rooms, {"middle": False}).path_length(a, b) == np.inf
    assert FreeSpace(two_rooms).path_length(a, (2.0, 0.2)) == np.inf  # in the wall


def test_home_has_more_than_one_way_round(home: World) -> None:
    """Closing any one door leaves every room in reach; some rooms then are a longer way off."""
    points = np.array(list(ROOM_MIDDLES.values()))
    before = FreeSpace(home).distances(points[0], points)
    assert np.isfinite(before).all()
    longer = 0
    for door in home.doors:
        after = FreeSpace(home, {door.name: False}).distances(points[0], points)
        assert np.isfinite(after).all(), f"{door.name} cuts home in two"
        longer += int((after > before + 1.0).any())
    assert longer >= 3


def test_nearly_all_of_home_that_is_free_hangs_together(home: World) -> None:
    space = FreeSpace(home)
    assert space.area > 15.0
    for room in home.rooms:
        assert any(space.room_of((0.25 * (i + 0.5), 0.25 * (j + 0.5))) == room.name for i, j in space.cells(0.25))


def test_the_share_within_reach_is_measured_along_the_way_and_not_through_walls(two_rooms: World) -> None:
    space = FreeSpace(two_rooms)
    assert space.share_within(np.zeros((0, 2)), 1.0) == 0.0
    at_the_wall = [1.7, 0.4]  # the door is 0.7 m away
    shut = FreeSpace(two_rooms, {"middle": False})
    west = shut.share_within([at_the_wall], 0.5) * shut.area
    assert space.share_within([at_the_wall], 0.5) * space.area == pytest.approx(west)
    assert 0.0 < space.share_within([at_the_wall], 0.5) < np.pi * 0.25 / 2 / space.area
    assert space.share_within([at_the_wall], 9.0) == 1.0
    assert space.share_within([at_the_wall, [3.6, 2.6]], 0.5) > space.share_within([at_the_wall], 0.5)
