"""A memory of a laser alone: a place each metre, constraints that are true, and no guess where nothing can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.logs import aligned_error, laser_config, with_drift
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.memory.front_end import LIMITS
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import GoalQuery, Location
from harness.carmen import CORRIDOR, RING, around, box, driven, scan_at

HALL = np.array(box(-4.0, -6.0, 7.0, 5.0))  # another building
LARGE_HALL = np.array([*box(-8.0, -5.5, 12.0, 3.6), *box(10.0, 2.0, 10.1, 2.1), *box(4.0, 2.0, 4.1, 2.1)])
# Aisles of a warehouse between racks that are all alike, 2.5 m apart.
AISLES = np.array(
    [*box(0.0, 0.0, 14.5, 9.0), *(wall for k in range(5) for wall in box(1.8 + 2.5 * k, 1.6, 2.6 + 2.5 * k, 7.4))]
)
Truths = dict[int, Array]


def make(path: Path | None = None) -> PlaceMemory:
    return PlaceMemory(LaserModel(), ENCODER, path, laser_config())


def live(
    memory: PlaceMemory, walls: Array, truth: Array, odometry: Array, first: float = 0.0
) -> tuple[Truths, Location]:
    """Where places were founded, and the last belief."""
    rng, location = np.random.default_rng(2), None
    founded: Truths = {}
    for k, pose in enumerate(truth):
        location = memory.observe(first + 0.2 * k, None, odometry[k], scan=scan_at(walls, pose, rng))
        for place_id in set(memory.map.index.ids.tolist()) - founded.keys():
            founded[place_id] = pose
    assert location is not None
    return founded, location


def drifting(truth: Array, seed: int = 5100) -> Array:
    return with_drift(truth, 0.06, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Path, Truths, Array]]:
    """Once around, and a quarter again: driven once for all tests."""
    path = tmp_path_factory.mktemp("tour") / "ring.memory"
    truth = around(1.25)
    odometry = drifting(truth)
    memory = make(path)
    founded, _ = live(memory, RING, truth, odometry)
    memory.finish()
    memory.close()
    return lambda: (path, founded, odometry)


def test_places_are_at_most_a_metre_apart_and_known_ones_are_used_again(toured: Callable) -> None:
    _, founded, _ = toured()
    truth = around(1.25)
    places = np.array(list(founded.values()))
    distance, _ = pose_gap(truth[:, None], places[None])
    assert distance.min(axis=1).max() < 1.0
    assert len(places) < 75  # of 60 m in steps of 0.6 m


def test_joins_are_true_and_straighten_the_map(toured: Callable) -> None:
    path, founded, odometry = toured()
    memory = make(path)
    edges = memory.map.graph.edges.columns
    constraints = edges[edges["loop"] > 0]
    assert len(constraints) >= 5
    start, stop = (np.array([founded[int(i)] for i in constraints[name]]) for name in ("start", "stop"))
    gap, turn = pose_gap(relative(start, stop), np.column_stack([constraints[name] for name in ("x", "y", "yaw")]))
    assert gap.max() < 0.3 and turn.max() < 0.1
    truth = around(1.25)
    error = aligned_error(memory.map.index.poses, np.array([founded[int(i)] for i in memory.map.index.ids]))
    assert error.max() < 0.3 < 1.0 < aligned_error(odometry, truth).max()
    memory.close()


def test_ways_and_joins_keep_their_covariance_on_disk(toured: Callable) -> None:
    path, *_ = toured()
    memory = make(path)
    edges = list(memory.map.graph.edges.values())
    assert all(edge.covariance is not None for edge in edges)
    assert all(np.linalg.eigvalsh(edge.covariance).min() > 0 for edge in edges if edge.covariance is not None)
    memory.close()


def test_switched_on_somewhere_it_finds_itself_and_the_way(toured: Callable) -> None:
    path, founded, _ = toured()
    memory = PlaceMemory.copy_of(LaserModel(), ENCODER, path, laser_config())
    truth = driven(np.array([(15.0, 3.0), (15.0, 7.0)]))
    _, location = live(memory, RING, truth, relative(truth[0], truth), first=1000.0)
    assert location.localised and location.place_id
    at = pose_gap(founded.get(location.place_id, truth[-1]), truth[-1])
    assert at[0] < 1.5
    route = memory.find_route(GoalQuery(place_id=1))
    assert route.length > 3.0
    memory.close()


def test_who_was_just_found_learns_nothing_until_all_other_poses_are_refuted(toured: Callable) -> None:
    """`localised` decides what the robot may do; confidence is the mass of the pose, as who shows it may expect."""
    path, _, _ = toured()
    memory = PlaceMemory.copy_of(LaserModel(), ENCODER, path, laser_config())
    truth, front_end, places = driven(np.array([(15.0, 3.0), (15.0, 11.0), (9.0, 11.0)])), memory.front_end, len(memory)
    settled: list[bool] = []
    for k in range(len(truth)):
        _, location = live(memory, RING, truth[k : k + 1], relative(truth[0], truth[k : k + 1]), first=1000.0 + 0.2 * k)
        settled.append(front_end.settled)
        if not front_end.settled:
            mass = front_end.relocaliser.belief.mass
            assert len(memory) == places and location.confidence <= min(LIMITS.followed, mass)
            assert not location.localised or mass >= front_end.config.belief.lost
    assert not settled[0] and settled[-1] and location.localised and location.confidence == LIMITS.followed
    memory.close()


def test_a_goal_off_the_map_has_a_way_where_it_was_seen_to_be_free_and_none_through_a_wall(toured: Callable) -> None:
    path, founded, _ = toured()
    memory = PlaceMemory.copy_of(LaserModel(), ENCODER, path, laser_config())
    truth = driven(np.array([(15.0, 3.0), (15.0, 7.0)]))
    live(memory, RING, truth, relative(truth[0], truth), first=1000.0)
    index = memory.map.index
    near = min(founded, key=lambda place: float(np.hypot(*(founded[place][:2] - (15.0, 5.0)))))

    def in_map(x: float, y: float) -> Array:
        return compose(index.poses[index.row(near)], relative(founded[near], np.array([x, y, 0.0])))

    assert memory.find_route(GoalQuery(pose=in_map(14.3, 5.0))).goal_pose is not None
    behind = memory.find_route(GoalQuery(pose=in_map(13.0, 5.0)))  # the wall at 14 m
    assert behind.goal_confidence == 0.0
    assert np.hypot(*(behind.goal_pose - in_map(13.0, 5.0))[:2]) > 1.0  # free ground before it, from where to go on
    with pytest.raises(AmiError, match="nor a frontier"):
        memory.find_route(GoalQuery(pose=in_map(13.0, 5.0)), hypothesis=100)
    memory.close()


def test_in_a_bare_corridor_no_join_is_made_along_it() -> None:
    memory = make()
    truth = driven(np.array([(0.0, 0.0), (14.0, 0.0), (0.0, 0.0)]))
    live(memory, CORRIDOR, truth, drifting(truth))
    memory.finish()
    assert not (memory.map.graph.edges.columns["loop"] > 0).any()
    memory.close()


def test_aisles_that_are_alike_are_not_taken_for_one_another() -> None:
    """A robot that comes up the next aisle sees what it saw in the last one, and has not been where it is."""
    memory = make()
    comb = [(0.9 + 2.5 * k, y) for k in range(5) for y in ((0.8, 8.2) if k % 2 == 0 else (8.2, 0.8))]
    truth = driven(np.array([(0.9, 0.8), *comb, (10.9, 8.2), (0.9, 8.2)]), step=0.1)
    founded, _ = live(memory, AISLES, truth, drifting(truth))
    memory.finish()
    edges = memory.map.graph.edges.columns
    constraints = edges[edges["loop"] > 0]
    assert len(constraints) >= 5
    start, stop = (np.array([founded[int(i)] for i in constraints[name]]) for name in ("start", "stop"))
    gap, _ = pose_gap(relative(start, stop), np.column_stack([constraints[name] for name in ("x", "y", "yaw")]))
    assert gap.max() < 0.5
    assert aligned_error(memory.map.index.poses, np.array([founded[int(i)] for i in memory.map.index.ids])).max() < 0.4
    memory.close()


def test_a_robot_that_was_carried_is_not_where_it_was() -> None:
    memory = make()
    first = driven(np.array([(1.0, 1.0), (12.0, 1.0)]))
    live(memory, RING, first, relative(first[0], first))
    edges = len(memory.map.graph.edges)
    there = driven(np.array([(0.0, 0.0), (1.2, 0.0)]), step=0.2)
    _, location = live(memory, HALL, there, compose(relative(first[0], first[-1]), there), 99.0)
    assert not location.localised and len(memory.map.graph.edges) <= edges + 3
    memory.close()


def test_odometry_says_where_a_lost_robot_is_for_so_much_of_its_way_not_for_so_far_from_where_it_was() -> None:
    """One that was carried and wanders about in a small room is not tied to where it was for ever."""
    memory = make()
    first = driven(np.array([(1.0, 1.0), (12.0, 1.0)]))
    live(memory, RING, first, relative(first[0], first))
    last = relative(first[0], first[-1])
    for k, way in enumerate(([(0.0, 0.0), (1.2, 0.0)], [(1.2, 0.0), (0.0, 0.0)] * 7)):
        there = driven(np.array(way), step=0.2)
        live(memory, HALL, there, compose(last, there), 99.0 + 100.0 * k)
        lost = not memory.front_end.here
        assert lost and (memory.front_end._by_odometry(last) is None) == bool(k)
    memory.close()


def test_few_beams_in_a_large_hall_do_not_look_like_being_carried() -> None:
    memory = make()
    turned = np.column_stack([np.full((20, 2), (5.0, -1.6)), np.arange(-24, -4) * 0.1])
    onward = np.column_stack([5.0 + np.arange(25) * 0.15, np.full(25, -1.6), np.full(25, -0.4)])
    truth = np.concatenate([turned, onward])
    for k, pose in enumerate(truth):
        location = memory.observe(0.2 * k, None, relative(truth[0], pose), scan=few_beams(LARGE_HALL, pose))
        assert location.localised, f"at moment {k}"
    memory.close()


def test_the_way_along_a_join_is_seen_to_be_free_by_a_laser_of_few_beams() -> None:
    memory = make()
    truth = around(1.25)
    for k, (pose, odometry) in enumerate(zip(truth, drifting(truth), strict=True)):
        between = few_beams(RING, pose + [0.0, 0.0, np.pi / 72])  # no beam points straight ahead
        scan = replace(between, angle_min=between.angle_min + np.pi / 72)
        memory.observe(0.2 * k, None, odometry, scan=scan)
    memory.finish()
    edges = memory.map.graph.edges.columns
    constraints = edges[edges["loop"] > 0]
    assert len(constraints) >= 5 and (constraints["traversals"] > 0).mean() > 0.8
    memory.close()


def test_a_robot_whose_laser_was_dazzled_is_where_odometry_has_it() -> None:
    """In a bare corridor nothing else could tell where along it that is."""
    memory = make()
    truth = driven(np.array([(0.0, 0.0), (12.0, 0.0)]), step=0.3)
    odometry = relative(truth[0], truth)
    live(memory, CORRIDOR, truth[:20], odometry[:20])
    elsewhere = driven(np.array([(5.0, 3.5), (5.0, 4.5)]), step=0.1)[:4]
    _, location = live(memory, HALL, elsewhere, odometry[20:24], 99.0)
    assert not location.localised
    _, location = live(memory, CORRIDOR, truth[24:], odometry[24:], 109.0)
    assert location.localised and np.hypot(*(location.pose - odometry[-1])[:2]) < 0.3
    memory.close()


def few_beams(walls: Array, pose: Array) -> Scan:
    """72 beams all round that reach 8 m."""
    halves = [scan_at(walls, pose + [0.0, 0.0, turn]).ranges[:180:5] for turn in (0.0, np.pi)]
    ranges = np.concatenate(halves)
    return Scan(np.where(ranges < 8.0, ranges, np.inf).astype(np.float32), -np.pi / 2, np.pi / 36, max_range=8.0)


def test_without_a_scan_and_without_a_latent_a_moment_is_refused() -> None:
    memory = make()
    with pytest.raises(AmiError, match="a scan"):
        memory.observe(0.0, None, np.zeros(3))
    assert len(memory) == 0
    memory.close()


LOOKS = np.full(LaserModel.spec.latent_dim, 0.1, np.float32)  # what a camera sees, wherever it is


def test_a_place_from_before_the_first_scan_gets_its_surroundings_from_it() -> None:
    memory, truth = make(), around(0.2)
    memory.observe(0.0, LOOKS, truth[0])
    assert len(memory) == 1, "a robot without a laser begins like this"
    memory.remember("dock")
    founded, location = live(memory, RING, truth, truth, first=0.2)
    assert location.localised and len(founded) > 5
    assert memory.places().labels == {1: "dock"} and len(memory.submaps()) == len(memory)
    gap, _ = pose_gap(location.pose, relative(truth[0], truth[-1]))
    assert gap < 0.2


def test_a_place_that_is_forgotten_before_the_first_scan_leaves_a_memory_of_scans() -> None:
    memory, truth = make(), around(0.2)
    memory.observe(0.0, LOOKS, truth[0])
    memory.map.forget([1])
    founded, location = live(memory, RING, truth, truth, first=0.2)
    assert location.localised and len(memory.submaps()) == len(memory) == len(founded)


def test_who_drove_on_before_its_first_scan_goes_on_without_scans() -> None:
    memory, truth = make(), around(0.2)
    memory.observe(0.0, LOOKS, truth[0])
    location = memory.observe(0.2, LOOKS, truth[4], scan=scan_at(RING, truth[4]))
    assert len(memory) and location.place_id and not memory.front_end.here


def test_a_moment_without_its_scan_is_where_odometry_has_it_and_teaches_nothing() -> None:
    memory, truth = make(), around(0.2)
    founded, _ = live(memory, RING, truth[:20], truth[:20])
    location = memory.observe(4.0, LOOKS, truth[21])
    assert location.localised and location.stamp == 4.0 and len(memory) == len(founded)
    assert pose_gap(location.pose, relative(truth[0], truth[21]))[0] < 0.1
    _, location = live(memory, RING, truth[22:], truth[22:], first=4.2)
    assert location.localised and pose_gap(location.pose, relative(truth[0], truth[-1]))[0] < 0.2


def test_what_memory_lets_go_of_is_no_loop_and_no_surroundings_any_more() -> None:
    """The front end was not told which places were forgotten: it took one island for another."""
    memory = PlaceMemory(LaserModel(), ENCODER, None, replace(laser_config(), max_places=12))
    truth = around(1.2)
    founded, location = live(memory, RING, truth, truth)
    left = set(memory.map.index.ids.tolist())
    assert location.localised and 8 < len(left) <= 12 < len(founded) and max(founded) in left
    assert set(memory.front_end.loop_closure.ways) <= left and len(memory.submaps()) == len(left)
    assert pose_gap(location.pose, relative(truth[0], truth[-1]))[0] < 0.2
    memory.close()
