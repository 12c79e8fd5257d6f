"""A lost robot is found where its surroundings fit one spot only, and where what it sees is not something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from ami_ros.bench.logs import laser_config
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse, pose_gap, relative, transform_points
from ami_ros.core.submaps import Submap, free_distance, points_of, submap_of
from ami_ros.memory.laser_model import ENCODER, LaserModel, describe
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.relocalisation import Compare
from harness.carmen import RING, around, box, scan_at

# Turned by half a turn it is the same: every spot has a twin.
TWINS = np.array(
    [
        *box(0, 0, 16, 12),
        *box(2, 2, 14, 10),
        *box(4, 0, 4.6, 0.5),
        *box(11.4, 11.5, 12, 12),
        *box(15.5, 4, 16, 4.8),
        *box(0, 7.2, 0.5, 8.0),
    ]
)

STILL = np.zeros(3)


@pytest.fixture(scope="module")
def memory() -> Iterator[PlaceMemory]:
    """Of three quarters of a ring, which has no two spots alike."""
    found = toured(RING, around(0.75))
    yield found
    found.close()


def toured(walls: Array, truth: Array) -> PlaceMemory:
    memory, rng = PlaceMemory(LaserModel(), ENCODER, None, laser_config()), np.random.default_rng(3)
    for k, pose in enumerate(truth):
        memory.observe(0.2 * k, None, pose, scan=scan_at(walls, pose, rng))
    memory.finish()
    return memory


def seen_from(walls: Array, pose: Array) -> Submap:
    """What a robot has seen that came from a metre behind."""
    rng, points = np.random.default_rng(5), list[Array]()
    for behind in (1.0, 0.5, 0.0):
        back = np.array([-behind, 0.0, 0.0])
        scan = scan_at(walls, compose(pose, back), rng)
        points.append(transform_points(back, points_of(scan)))
    return submap_of(np.concatenate(points), free_distance(scan))


def look(
    memory: PlaceMemory,
    submap: Submap,
    odometry: Array,
    compare: Compare,
    expected: tuple[Array, float] | None = None,
) -> Array | None:
    """Where in the map the robot then is."""
    memory.front_end.relocaliser.look(submap, odometry, compare, describe(submap), expected)
    found = memory.front_end.relocaliser.found
    if found is None:
        return None
    place_id, match = found
    return compose(memory.map.index.poses[memory.map.index.row(place_id)], inverse(match.pose))


def find(
    memory: PlaceMemory,
    walls: Array,
    pose: Array,
    said: Array | None = None,
    expected: Array | None = None,
    ways: Sequence[float] = (-2.0, -1.0, 0.0),
) -> Array | None:
    """Where in the map a robot is that comes to `pose` (3,) among walls, and looks around at `ways` [m] from there;
    `expected` is that pose by odometry."""
    memory.front_end.relocaliser.restart()
    found = None
    for way in ways:
        motion = np.array([way, 0.0, 0.0])
        by_odometry = None if expected is None else (compose(expected, motion), 1.0)
        found = look(memory, seen_from(walls, compose(pose, motion)), motion, lambda ids: said, by_odometry)
    return found


def test_where_it_has_been_it_is_found(memory: PlaceMemory) -> None:
    """One look leaves it open; two more, a metre farther on each, do not."""
    start, asked, found = around(0.75)[0], around(0.75)[10::6], 0
    for pose in asked:
        truth = compose(pose, np.array([0.2, 0.1, 0.3]))
        where = find(memory, RING, truth, ways=(0.0, 1.0, 2.0))
        if where is not None:
            gap, turn = pose_gap(compose(start, where), compose(truth, np.array([2.0, 0.0, 0.0])))
            assert gap < 0.4 and turn < 0.15
            found += 1
    assert found >= 4, f"of {len(asked)}"


def test_in_another_building_it_is_found_nowhere(memory: PlaceMemory) -> None:
    hall = np.array(box(-4.0, -6.0, 7.0, 5.0))
    for x in (-2.0, 0.0, 2.0, 4.0):
        assert find(memory, hall, np.array([x, 1.0, 0.3])) is None


def test_what_pictures_do_not_show_is_not_believed(memory: PlaceMemory) -> None:
    pose = next(pose for pose in around(0.75)[10::6] if find(memory, RING, pose) is not None)
    assert find(memory, RING, pose, np.array([0.05, 0.1])) is None
    assert find(memory, RING, pose, np.array([0.1, 0.9])) is not None


def test_a_spot_elsewhere_than_odometry_has_the_robot_needs_pictures_that_show_it(memory: PlaceMemory) -> None:
    """Between shelves that are alike a robot was found 9 m off, and the map went on from there."""
    pose = next(pose for pose in around(0.75)[10::6] if find(memory, RING, pose) is not None)
    where = find(memory, RING, pose)
    assert where is not None
    away, unlike, shown = where + [9.0, 0.0, 0.0], np.array([0.45]), np.array([0.95])
    assert find(memory, RING, pose, unlike, expected=where) is not None
    assert find(memory, RING, pose, unlike, expected=away) is None
    assert find(memory, RING, pose, shown, expected=away) is not None, "it was carried"


def test_of_two_spots_that_are_alike_neither_is_believed() -> None:
    memory = toured(TWINS, around(1.0))
    assert len(memory) > 30
    assert all(find(memory, TWINS, pose) is None for pose in around(1.0)[10::20])
    memory.close()


def drive(
    memory: PlaceMemory, walls: Array, truth: Array, shown: Callable[[Array, Array], Array] | None = None
) -> list[tuple[Array, Array]]:
    """What is found on the way: where in the map, and where that is in truth; `shown` says how alike pictures from
    places (k, 3) and from the robot (3,) are."""
    start, found, index = truth[0], [], memory.map.index
    memory.front_end.relocaliser.restart()
    for pose in truth:

        def compare(ids: list[int], pose: Array = pose) -> Array | None:
            places = np.array([index.poses[index.row(i)] for i in ids])
            return None if shown is None else shown(compose(around(1.0)[0], places), pose)

        where = look(memory, seen_from(walls, pose), relative(start, pose), compare)
        if where is not None:
            found.append((where, pose))
    return found


def test_rooms_that_differ_a_little_are_told_apart_by_driving_on() -> None:
    apart = [*box(0, 3.0, 0.35, 3.6), *box(6.0, 0, 6.6, 0.3), *box(9.0, 11.7, 9.6, 12), *box(2.5, 11.6, 3.1, 12)]
    walls = np.array([*TWINS, *apart])  # the twins of these are not there
    memory, start = toured(walls, around(1.0)), around(1.0)[0]
    way = around(1.0)[-40::4]
    alone = [find(memory, walls, pose, ways=[0.0]) for pose in way]
    found = drive(memory, walls, way)
    assert len(found) > sum(where is not None for where in alone), "one look tells less"
    assert all(pose_gap(compose(start, where), pose)[0] < 0.4 for where, pose in found)
    memory.close()


def test_rooms_that_do_not_differ_are_not_told_apart_by_driving_on() -> None:
    memory = toured(TWINS, around(1.0))
    assert not drive(memory, TWINS, around(1.0)[10:90:5])
    memory.close()


def test_of_two_spots_that_are_alike_somebody_may_tell_which_it_is() -> None:
    memory, start, scans = toured(TWINS, around(1.0)), around(1.0)[0], np.random.default_rng(5)
    off = np.array([0.3, -0.2, 0.25])
    for k, pose in enumerate(around(1.0)[10::20]):
        memory.set_initial_pose(compose(relative(start, pose), off))
        location = memory.observe(1e3 + k, None, STILL, scan=scan_at(TWINS, pose, scans))
        assert location.localised, "who says it errs by some decimetres"
        gap, turn = pose_gap(compose(start, location.pose), pose)
        assert gap < 0.1 and turn < 0.05
    memory.close()


def test_who_says_that_the_robot_is_where_it_cannot_be_is_not_believed(memory: PlaceMemory) -> None:
    start, pose, elsewhere = (around(0.75)[k] for k in (0, 10, 60))
    memory.set_initial_pose(relative(start, elsewhere))
    hall = np.array(box(-4.0, -6.0, 7.0, 5.0))
    location = memory.observe(1e3, None, STILL, scan=scan_at(hall, pose, np.random.default_rng(5)))
    assert not location.localised
    with pytest.raises(AmiError, match="three finite numbers"):
        memory.set_initial_pose(np.array([0.0, np.nan, 0.0]))
    with pytest.raises(AmiError, match="empty"):
        PlaceMemory(LaserModel(), ENCODER, None, laser_config()).set_initial_pose(STILL)


def test_of_two_spots_that_are_alike_pictures_tell_which_it_is() -> None:
    memory, start = toured(TWINS, around(1.0)), around(1.0)[0]
    found = drive(memory, TWINS, around(1.0)[10::4], lambda at, pose: np.where(pose_gap(at, pose)[0] < 1.5, 0.95, 0.1))
    assert len(found) >= 2
    assert all(pose_gap(compose(start, where), pose)[0] < 0.5 for where, pose in found)
    memory.close()
