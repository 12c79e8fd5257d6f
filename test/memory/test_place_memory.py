"""The memory of places: it grows, lasts, localises, and refuses nonsense without harm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose, relative
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Code, GoalQuery, Location, PlaceQuery, map_to_odom
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER, PERIOD, Opener, Walker, pose_error


def test_the_map_begins_where_the_robot_stood_first(open_memory: Opener) -> None:
    memory = open_memory()
    assert memory.location() is None
    location = Walker(memory, [2.0, 1.0, 0.7]).look()
    assert location.localised and location.place_id == 1 and len(memory) == 1
    np.testing.assert_allclose(location.pose, 0.0, atol=0.05)
    np.testing.assert_array_equal(location.odometry, [7.0, -3.0, 2.0])
    assert memory.location() is location


def test_places_grow_with_the_way_and_each_is_joined_to_the_last(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    location = walker.drive(3.0)
    assert pose_error(location.pose, np.array([3.0, 0.0, 0.0])) < 0.2 and location.localised
    spacing = memory.config.spacing
    assert 0.5 * 3.0 / spacing < len(memory) <= 3.0 / spacing + 2
    places = memory.places()
    assert {tuple(e) for e in places.edges} == {(k, k + 1) for k in range(1, len(memory))}
    np.testing.assert_allclose(places.poses[:, 1:], 0.0, atol=0.2)


def test_known_ground_makes_no_new_places_but_visits(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    walker.loop()
    first = len(memory)
    location = walker.loop()
    assert len(memory) < 1.35 * first
    assert pose_error(location.pose, walker.pose) < 0.25
    assert max(p.visits for p in memory.map.details.values()) >= 2


def test_turning_on_the_spot_makes_places_too(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    walker.drive(0.0, 2 * np.pi)
    assert 2 * np.pi / memory.config.turn_spacing * 0.5 < len(memory) < 20


def test_a_memory_that_only_serves_grows_nothing(open_memory: Opener) -> None:
    memory = open_memory(config=MemoryConfig(learning=False))
    location = Walker(memory).drive(1.0)
    assert len(memory) == 0 and not location.localised and location.place_id == 0


def test_a_full_memory_learns_on_and_forgets_what_was_not_passed_for_longest(open_memory: Opener) -> None:
    """It learned nothing more, and said nothing."""
    memory = open_memory(config=MemoryConfig(max_places=8))
    walker = Walker(memory)
    walker.look()
    location = walker.drive(6.0)
    ids = memory.map.index.ids
    assert 6 < len(memory) <= 8 and ids.min() > 1 and location.place_id == ids.max()
    assert location.localised and pose_error(location.pose, walker.pose) < 0.3


def test_everything_is_there_after_a_restart_and_the_robot_finds_itself(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look(b"jpeg")
    walker.loop()
    label = memory.remember("home", "by the window")
    before, details = memory.places(), dict(memory.map.details)
    memory.close()
    again = open_memory(path)
    after = again.places()
    np.testing.assert_array_equal(after.ids, before.ids)
    np.testing.assert_allclose(after.poses, before.poses)
    assert {tuple(e) for e in after.edges} == {tuple(e) for e in before.edges}
    assert after.labels == before.labels == {label: "home"}
    assert {i: p.visits for i, p in again.map.details.items()} == {i: p.visits for i, p in details.items()}
    assert again.map.store.thumbnail(1) == b"jpeg"
    fresh = Walker(again, walker.pose, seed=5)
    fresh.odometry = np.array([-20.0, 4.0, -1.0])  # another boot, another origin
    assert not fresh.look().localised
    location = fresh.loop()
    assert location.localised and pose_error(location.pose, fresh.pose) < 0.3
    assert len(again) < 1.35 * len(before.ids)


def test_a_memory_of_another_encoder_is_refused(path: Path, open_memory: Opener) -> None:
    open_memory(path).close()
    with pytest.raises(AmiError, match="belongs to the encoder") as refused:
        open_memory(path, encoder="other@ba9876543210")
    assert refused.value.code == Code.ENCODER_MISMATCH


def test_a_copy_serves_what_is_stored_and_leaves_the_file_as_it_is(
    path: Path, model: ExactModel, open_memory: Opener
) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.drive(2.0)
    memory.remember("end")
    known = memory.places()
    memory.close()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    copy = PlaceMemory.copy_of(model, ENCODER, path, MemoryConfig())
    np.testing.assert_array_equal(copy.places().ids, known.ids)
    assert copy.places().labels == known.labels and len(copy.places().edges) == len(known.edges)
    visitor = Walker(copy)
    visitor.loop()
    copy.forget(labels=["end"])
    copy.close()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_a_copy_of_nothing_is_empty_and_of_a_missing_file_an_error(model: ExactModel, tmp_path: Path) -> None:
    assert len(PlaceMemory.copy_of(model, ENCODER, None, MemoryConfig())) == 0
    with pytest.raises(AmiError, match="cannot be opened"):
        PlaceMemory.copy_of(model, ENCODER, tmp_path / "none.db", MemoryConfig())


NONSENSE: dict[str, Callable[[PlaceMemory], Location]] = {
    "NaN in the latent": lambda m: m.observe(1e3, np.full(4, np.nan, np.float32), np.zeros(3)),
    "Inf in the latent": lambda m: m.observe(1e3, np.array([1, 2, np.inf, 4], np.float32), np.zeros(3)),
    "a long latent": lambda m: m.observe(1e3, np.zeros(5, np.float32), np.zeros(3)),
    "a batch of latents": lambda m: m.observe(1e3, np.zeros((1, 4), np.float32), np.zeros(3)),
    "NaN in odometry": lambda m: m.observe(1e3, np.zeros(4, np.float32), np.array([0.0, np.nan, 0.0])),
    "half a pose": lambda m: m.observe(1e3, np.zeros(4, np.float32), np.zeros(2)),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_and_changes_nothing(open_memory: Opener, name: str) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    location, particles = walker.drive(1.0), memory.filter.particles.copy()
    places, visits = memory.places(), [p.visits for p in memory.map.details.values()]
    with pytest.raises(AmiError, match="finite numbers") as refused:
        NONSENSE[name](memory)
    assert refused.value.code == Code.INVALID_INPUT
    assert memory.location() is location and [p.visits for p in memory.map.details.values()] == visits
    np.testing.assert_array_equal(memory.filter.particles, particles)
    np.testing.assert_array_equal(memory.places().poses, places.poses)


def test_a_kidnapped_robot_is_lost_first_and_found_then(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    for _ in range(2):
        walker.loop()
    known = len(memory)
    walker.pose = np.array([2.0, 1.0, np.pi / 2])  # carried to the other side of the loop
    beliefs = [walker.drive(0.3), walker.drive(0.7)]
    walker.drive(0.0, np.pi / 2)
    beliefs += [walker.drive(0.5) for _ in range(4)]
    walker.drive(0.0, np.pi / 2)
    location = walker.drive(1.5)
    assert location.localised and pose_error(location.pose, walker.pose) < 0.35
    assert len(memory) < 1.5 * known


def test_a_kidnapping_makes_no_way_between_places_that_are_far_apart(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    for _ in range(2):
        walker.loop()
    for k in range(6):
        there = np.array([[2.0, 1.0, np.pi / 2], [0.3, 0.0, 0.0], [1.0, 2.0, np.pi]][k % 3])
        walker.pose = there
        walker.drive(0.8)
        walker.drive(0.0, np.pi / 2)
    true = np.stack([memory.map.details[i].latent[:2] for i in memory.map.index.ids.tolist()])
    rows = memory.map.graph.connections()
    assert np.hypot(*(true[rows[:, 0]] - true[rows[:, 1]]).T).max() < 1.0


def test_a_way_found_blocked_is_remembered_over_a_restart(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.loop(1.0)
    walker.drive(0.4)
    goal = GoalQuery(pose=np.array([1.0, 0.9, np.pi / 2]))
    first = memory.find_route(goal)
    ids = [p.id for p in first.places]
    blocked = (ids[1], ids[2])
    memory.find_route(goal, avoid_edges=[blocked])
    assert memory.find_route(goal).length > first.length
    failed = {k: e for k, e in memory.map.graph.edges.items() if e.failures}
    assert len(failed) == 1
    memory.close()
    assert {k: e.failures for k, e in open_memory(path).map.graph.edges.items() if e.failures} == dict.fromkeys(
        failed, 1
    )


def test_a_memory_that_only_serves_notes_no_failures(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.loop(1.0)
    memory.config = replace(memory.config, learning=False)
    ids = [p.id for p in memory.find_route(GoalQuery(pose=np.array([1.0, 0.5, np.pi / 2]))).places]
    memory.find_route(GoalQuery(pose=np.array([1.0, 0.5, np.pi / 2])), avoid_edges=[(ids[0], ids[1])])
    assert not any(e.failures for e in memory.map.graph.edges.values())


def test_after_a_restart_of_odometry_nothing_is_believed_at_first(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    walker.loop()
    places, ways = len(memory), len(memory.places().edges)
    memory.restart()
    assert memory.location() is None
    walker.odometry = np.array([50.0, 50.0, 0.0])
    walker.look()
    assert (len(memory), len(memory.places().edges)) == (places, ways)


def test_the_map_is_straightened_while_it_grows(open_memory: Opener) -> None:
    """Odometry that turns 5 % too much bends the map; the latents know better."""
    memory = open_memory(config=replace(MemoryConfig(), optimise_growth=1.1, optimise_least=5))
    walker = Walker(memory)
    walker.rng = np.random.default_rng(0)
    walker.look()
    for _ in range(2):
        walker.loop(1.5)
    memory.optimise()
    truth = np.stack([p.latent[:2] for p in memory.map.details.values()])
    poses = np.stack([p.pose[:2] for p in memory.map.details.values()])
    np.testing.assert_array_equal(poses, memory.map.index.poses[:, :2])
    assert np.median(np.hypot(*(poses - truth).T)) < 0.15


def test_the_map_frame_is_found_in_odom() -> None:
    pose, odometry = np.array([1.0, 2.0, 0.5]), np.array([-3.0, 1.0, 2.0])
    frame = map_to_odom(Location(0.0, pose, odometry, 1.0, 0.0, True, 1))
    np.testing.assert_allclose(compose(frame, pose), odometry, atol=1e-12)
    place = np.array([4.0, 4.0, 0.0])
    np.testing.assert_allclose(relative(odometry, compose(frame, place)), relative(pose, place), atol=1e-12)


def test_latents_are_kept_as_they_were_seen(open_memory: Opener) -> None:
    memory = open_memory()
    Walker(memory, [1.0, 2.0, 0.3]).look()
    np.testing.assert_array_equal(memory.map.details[1].latent, latent_of([1.0, 2.0, 0.3]))


def test_visits_are_kept_when_memory_is_closed(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    for _ in range(3):
        walker.drive(0.8)
        walker.drive(-0.8)
    visits = {i: (p.visits, p.last_seen) for i, p in memory.map.details.items()}
    assert sum(v for v, _ in visits.values()) > len(memory) + 3
    memory.close()
    assert {i: (p.visits, p.last_seen) for i, p in open_memory(path).map.details.items()} == visits


def test_a_loaded_map_is_not_relaxed_before_it_has_grown(path: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.loop()
    assert len(memory) > memory.config.optimise_least
    memory.close()
    again = open_memory(path)
    poses = again.places().poses
    fresh = Walker(again, walker.pose)
    fresh.loop()
    np.testing.assert_array_equal(again.places().poses[: len(poses)], poses)


def test_a_surprising_moment_is_kept_though_the_place_is_known(open_memory: Opener, path: Path) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.loop()
    count = len(memory)
    walker.time += PERIOD
    location = memory.observe(walker.time, latent_of(walker.pose), walker.odometry, b"jpeg", surprise=9.0)
    assert len(memory) == count + 1 and memory.map.details[location.place_id].surprise == 9.0
    walker.time += PERIOD  # the same once more is no news, and a little surprise is none
    for surprise in (9.5, 2.0, float("nan")):
        memory.observe(walker.time, latent_of(walker.pose), walker.odometry, surprise=surprise)
    assert len(memory) == count + 1
    assert [p.id for p in memory.recall(PlaceQuery(surprise=6.0))] == [location.place_id]
    memory.close()
    again = open_memory(path)
    assert again.map.details[location.place_id].surprise == 9.0
    assert again.map.store.thumbnail(location.place_id) == b"jpeg"


def test_a_picture_is_made_only_for_a_new_place(open_memory: Opener) -> None:
    memory, made = open_memory(), 0

    def picture() -> bytes:
        nonlocal made
        made += 1
        return b"jpeg"

    walker = Walker(memory)
    for _ in range(40):
        memory.observe(walker.time, latent_of(walker.pose), walker.odometry, picture)
        walker.drive(0.1)
    memory.map.store.flush()
    assert 0 < made == len(memory.map.store.picture_sizes()) <= len(memory)


def test_recall_tells_what_was_driven_at_a_place_and_a_route_does_not(open_memory: Opener, path: Path) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    for k in range(60):
        command = np.array([0.5, 0.0]) if k < 45 else np.zeros(2)
        motion = PERIOD * np.array([command[0], 0.0, command[1]])
        walker.pose, walker.odometry = compose(walker.pose, motion), compose(walker.odometry, motion)
        walker.time += PERIOD
        memory.observe(walker.time, latent_of(walker.pose), walker.odometry, command=command)
    memory.map.store.flush()
    route = memory.find_route(GoalQuery(place_id=1))
    assert route.places[-1].commands is None, "a route may have thousands of places"
    pose = route.places[-1].pose
    recalled = memory.recall(PlaceQuery(pose=pose, radius=0.1, with_experience=True))[0]
    assert recalled.commands is not None and recalled.covariance is not None


def test_a_place_can_be_named_as_one_to_keep_away_from(open_memory: Opener, path: Path) -> None:
    memory = open_memory(path)
    walker = Walker(memory)
    walker.look()
    walker.loop()
    corner = memory.recall(PlaceQuery(pose=np.array([2.0, 2.0, 0.0]), radius=5.0))[0].id
    assert memory.remember("stairs", place_id=corner, keep_away=0.8) == corner
    centre = memory.map.details[corner].pose[:2]
    np.testing.assert_allclose(memory.keep_away(), [[*centre, 0.8]], rtol=1e-6)
    with pytest.raises(AmiError) as refused:
        memory.find_route(GoalQuery(label="stairs"))
    assert refused.value.code == Code.NO_ROUTE
    memory.close()
    again = open_memory(path)
    np.testing.assert_allclose(again.keep_away(), [[*centre, 0.8]], rtol=1e-6)
    again.remember("stairs", place_id=corner)
    assert len(again.keep_away()) == 0
    for place_id, radius, code in ((999, 1.0, Code.NOT_FOUND), (corner, -1.0, Code.INVALID_INPUT)):
        with pytest.raises(AmiError) as refused:
            again.remember("x", place_id=place_id, keep_away=radius)
        assert refused.value.code == code
    with pytest.raises(AmiError):
        again.remember("x", place_id=corner, keep_away=float("nan"))
