"""What other robots remember is taken into a map while its robot drives."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.logs import laser_config, with_drift
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, register, relative
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import GoalQuery, is_own, local_id
from harness.carmen import RING, box, driven, scan_at
from harness.exact_model import pose_of

from ..conftest import Opener, Walker

CORNERS = np.array([(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0), (1.0, 1.0)])
ELSEWHERE = np.array([*box(-4.0, -6.0, 7.0, 5.0), *box(1.0, -1.0, 2.5, 0.5), *box(-4.0, 2.0, -2.0, 2.4)])
Truths = dict[int, Array]


def drive(memory: PlaceMemory, walls: Array, truth: Array, seed: int, first: float = 0.0) -> Truths:
    """A robot drives; where places were founded."""
    odometry = with_drift(truth, 0.03, np.random.default_rng(seed))
    rng, founded = np.random.default_rng(seed), Truths()
    for k, pose in enumerate(truth):
        memory.observe(first + 0.2 * k, None, relative(odometry[0], odometry[k]), scan=scan_at(walls, pose, rng))
        founded |= {i: pose for i in memory.map.index.ids.tolist() if i not in founded and is_own(i)}
    return founded


def make(path: Path | None, robot: str = "mine") -> PlaceMemory:
    memory = PlaceMemory(LaserModel(), ENCODER, path, laser_config())
    memory.share_as(robot)
    return memory


def toured(path: Path, walls: Array, corners: Array, seed: int) -> Truths:
    memory = make(path)
    founded = drive(memory, walls, driven(corners), seed)
    memory.finish()
    memory.close()
    return founded


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, Path, Truths, Truths]]:
    """Two robots' memories of one building, in which they overlap; the one goes round, the other the other way round
    from elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    mine = toured(folder / "mine.memory", RING, CORNERS[:4], 1)
    theirs = toured(folder / "theirs.memory", RING, CORNERS[[2, 1, 0, 3]], 2)
    toured(
        folder / "strange.memory",
        ELSEWHERE,
        np.array([(-2.0, -4.0), (5.0, -4.0), (5.0, 3.0), (-2.0, 3.5), (-2.0, -4.0)]),
        3,
    )

    def copied(into: Path) -> tuple[Path, Path, Truths, Truths]:
        for file in folder.glob("*.memory"):
            shutil.copy(file, into)
        return into / "mine.memory", into / "theirs.memory", mine, theirs

    return copied


def taken_in(memory: PlaceMemory, path: Path, robot: str = "other") -> None:
    memory.take_in(robot, path)
    while memory.prepare():
        pass


def foreign(memory: PlaceMemory) -> list[int]:
    return [i for i in memory.map.index.ids.tolist() if not is_own(i)]


def errors(memory: PlaceMemory, mine: Truths, theirs: Truths, robot: str = "other") -> Array:
    """How far from the truth the places of the other are [m], in the map of this robot's."""
    index = memory.map.index
    own = [i for i in index.ids.tolist() if i in mine]
    frame = register(index.poses[index.rows(np.array(own))], np.array([mine[i] for i in own]))
    assert frame is not None
    there = foreign(memory)
    truth = np.array([theirs[i - local_id(0, robot, "mine")] for i in there])
    return pose_gap(compose(frame, index.poses[index.rows(np.array(there))]), truth)[0]


def test_places_of_another_robot_are_where_they_are(made: Callable, tmp_path: Path) -> None:
    path, other, mine, theirs = made(tmp_path)
    memory = make(path)
    before = len(memory)
    taken_in(memory, other)
    joined = memory.joined["other"]
    assert joined.message == "" and joined.left == 0
    assert joined.taken == len(memory) - before and joined.taken + joined.known == len(theirs)
    assert 5 < joined.taken < len(theirs) - 5  # what both know is there once
    assert errors(memory, mine, theirs).max() < 0.5
    assert len(memory.submaps(foreign(memory))) == joined.taken
    memory.close()
    again = make(path)
    held = {i: again.map.index.poses[again.map.index.row(i)] for i in foreign(again)}
    taken_in(again, other)  # after a restart everything is compared once
    assert {*foreign(again)} == held.keys() and again.joined["other"].message == ""
    again.close()


def test_ways_lead_through_what_only_the_other_knows(made: Callable, tmp_path: Path) -> None:
    path, other, _, theirs = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    drive(memory, RING, driven(np.array([(1.5, 1.0), (6.0, 1.0)])), 5, 1000.0)
    location = memory.location()
    assert location is not None and location.localised
    only = [i for i in foreign(memory) if np.hypot(*(theirs[i - local_id(0, "other", "mine")][:2] - [1.0, 6.0])) < 1.5]
    route = memory.find_route(GoalQuery(place_id=only[0]))
    assert route.length < 15.0  # by what this robot has driven it is 40 m
    memory.close()


def test_a_map_of_another_building_stays_out(made: Callable, tmp_path: Path) -> None:
    path, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, tmp_path / "strange.memory")
    assert not foreign(memory) and "nothing in common" in memory.joined["other"].message
    memory.close()


def test_a_building_by_the_same_plan_stays_out_and_one_whose_furniture_was_moved_does_not(tmp_path: Path) -> None:
    toured(tmp_path / "mine.memory", RING, CORNERS[:4], 1)
    alike = RING + np.random.default_rng(7).normal(0.0, 0.2, RING.shape)  # each wall is a little elsewhere
    moved = RING.copy()
    for first in (8, 20, 32):  # a third of what stands along the corridor
        moved[first : first + 4] += np.tile([0.0, 0.6] if first == 20 else [0.5, 0.0], 2)
    for walls, is_joined in ((alike, False), (moved, True)):
        theirs = tmp_path / f"{is_joined}.memory"
        toured(theirs, walls, CORNERS[[2, 1, 0, 3]], 2)
        memory = make(tmp_path / "mine.memory")
        taken_in(memory, theirs)
        assert bool(foreign(memory)) == is_joined, memory.joined["other"]
        assert is_joined or "seemed to be were refuted" in memory.joined["other"].message
        memory.close()


def classroom(x: float, seed: int) -> list[tuple[float, ...]]:
    """Walls of a room that begins at `x`, with a door at the top and six desks, each a little elsewhere."""
    walls = [(x, 0, x + 8, 0), (x, 0, x, 7), (x + 8, 0, x + 8, 7), (x, 7, x + 5.5, 7), (x + 6.7, 7, x + 8, 7)]
    desks = [np.array([x + right, up]) for right in (2.0, 4.0, 6.0) for up in (2.2, 4.2)]
    moved = [desk + off for desk, off in zip(desks, np.random.default_rng(seed).normal(0.0, 0.3, (6, 2)), strict=True)]
    return [*walls, *(wall for a, b in moved for wall in box(a - 0.5, b - 0.3, a + 0.5, b + 0.3))]


def test_rooms_of_one_building_that_are_alike_are_not_taken_for_one(tmp_path: Path) -> None:
    corridor = [(-3, 9.5, 20, 9.5), (-3, 7.2, -3, 9.5), (20, 7.2, 20, 9.5), *box(10, 9.1, 11, 9.5)]
    doors = [(-3, 7.2, 5.5, 7.2), (6.7, 7.2, 14.5, 7.2), (15.7, 7.2, 20, 7.2)]
    walls = np.array([*classroom(0.0, 1), *classroom(9.0, 2), *corridor, *doors])
    round_one = np.array([(6.1, 6.2), (1.0, 6.2), (1.0, 1.0), (7.0, 1.0), (7.0, 6.2)])
    round_two = round_one + [9.0, 0.0]
    both = [*round_one, (6.1, 6.2), (6.1, 8.3), (15.1, 8.3), *round_two]
    toured(tmp_path / "one.memory", walls, round_one, 0)
    mine, theirs = (
        toured(tmp_path / f"{name}.memory", walls, np.array(corners), seed)
        for seed, (name, corners) in enumerate((("two", round_two), ("both", both)), 1)
    )
    memory = make(tmp_path / "two.memory")
    taken_in(memory, tmp_path / "one.memory", "one")
    assert not foreign(memory) and memory.joined["one"].known == 0
    taken_in(memory, tmp_path / "both.memory")
    assert memory.joined["other"].left == 0 and errors(memory, mine, theirs).max() < 0.5
    memory.close()


def test_a_join_that_scans_contradict_is_given_up_whole(made: Callable, tmp_path: Path) -> None:
    """As after a restart with a place of another building that was taken for one of this one."""
    path, *_ = made(tmp_path)
    memory, strange = make(path), make(tmp_path / "strange.memory")
    before = memory.map.index.poses.copy()
    false = replace(strange.map.details[1], id=local_id(1, "other", "mine"), pose=before[8])
    memory.map.adopt([false], [])
    strange.close()
    taken_in(memory, tmp_path / "strange.memory")
    assert not foreign(memory) and "given up" in memory.joined["other"].message
    assert np.abs(memory.map.index.poses - before).max() < 0.05
    taken_in(memory, tmp_path / "strange.memory")
    assert not foreign(memory)
    memory.close()


def test_what_is_new_changed_or_forgotten_at_home_is_so_here(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    here = foreign(memory)
    home = make(other, "other")
    at_home = [i - local_id(0, "other", "mine") for i in here]
    home.map.label(at_home[0], "dock", "seen by the other", keep_away=0.5)
    home.forget(ids=at_home[1:3])
    home.map.store.flush()
    new = drive(home, RING, driven(np.array([(15.0, 11.0), (15.0, 4.0)])), 7, 2000.0)
    home.map.store.flush()
    taken_in(memory, other)
    place = memory.map.details[here[0]]
    assert (place.label, place.note, place.keep_away) == ("dock", "seen by the other", 0.5)
    assert not {*here[1:3]} & {*foreign(memory)}
    assert new
    home.map.label(at_home[0], "", "")
    home.map.store.flush()
    taken_in(memory, other)
    assert memory.map.details[here[0]].label == "" and not memory.map.labelled("dock")
    home.close()
    memory.close()


def test_one_label_at_two_places_stays_where_more_was_driven_on_both_robots(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory, home = make(path, "mine"), make(other, "other")
    taken_in(memory, other)
    far = foreign(memory)[0]
    at_home = far - local_id(0, "other", "mine")
    home.map.label(at_home, "dock", "")
    for _ in range(3):
        home.map.visit(at_home, 500.0)
    home.map.store.flush()
    own = max(i for i in memory.map.index.ids.tolist() if is_own(i))
    memory.map.label(own, "dock", "")
    visits = memory.map.details[own].visits
    taken_in(memory, other)
    taken_in(home, path, "mine")
    assert visits < 4 and memory.map.labelled("dock") == [far] and memory.map.labelled("dock@mine") == [own]
    assert home.map.labelled("dock") == [at_home]
    home.close()
    memory.close()


def test_a_label_on_a_place_of_another_is_this_robots_own(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    there = foreign(memory)[0]
    named = memory.remember("dock", place_id=there)
    assert is_own(named) and memory.map.labelled("dock") == [named]
    index = memory.map.index
    np.testing.assert_allclose(index.poses[index.row(named)], index.poses[index.row(there)])
    assert memory.submaps([named])
    taken_in(memory, other)
    assert memory.map.labelled("dock") == [named]
    memory.close()


@pytest.mark.parametrize("damage", ["gone", "cut", "encoder"])
def test_a_bad_replica_is_told_in_one_line_and_changes_nothing(made: Callable, tmp_path: Path, damage: str) -> None:
    path, other, *_ = made(tmp_path)
    if damage == "gone":
        other.unlink()
    elif damage == "cut":
        other.write_bytes(other.read_bytes()[:5000])
    else:
        other.unlink()
        PlaceMemory(LaserModel(), "another@0", other, laser_config()).close()
    memory = make(path)
    before = memory.places()
    taken_in(memory, other)
    assert memory.joined["other"].message.startswith(("memory", "the memory"))
    assert "\n" not in memory.joined["other"].message
    np.testing.assert_array_equal(memory.places().poses, before.poses)
    memory.close()


def test_a_damaged_row_is_left_out_and_nothing_goes_for_it(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    before = foreign(memory)
    with sqlite3.connect(other) as connection:
        connection.execute("UPDATE places SET x = x + 1 WHERE id = ?", (before[0] - local_id(0, "other", "mine"),))
    connection.close()
    taken_in(memory, other)
    assert foreign(memory) == before and memory.joined["other"].message == ""
    memory.close()


def test_what_this_robot_passed_itself_stays_when_its_founder_forgets_it(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    passed, left = foreign(memory)[:2]
    memory.map.visit(passed, 1000.0)
    home = make(other, "other")
    home.map.forget(ids=[i - local_id(0, "other", "mine") for i in (passed, left)])
    home.close()
    taken_in(memory, other)
    assert passed in memory.map.index and left not in memory.map.index
    memory.close()


def test_what_was_forgotten_here_does_not_come_back(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    taken_in(memory, other)
    gone = foreign(memory)[:3]
    memory.forget(ids=gone)
    home = make(other, "other")
    home.map.label(1, "door", "")
    home.close()
    taken_in(memory, other)
    assert not {*gone} & {*foreign(memory)} and memory.map.labelled("door")
    memory.close()


def test_a_robot_is_followed_while_others_places_come_in(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = make(path)
    truth = driven(np.array([(1.5, 1.0), (14.0, 1.0)]))
    drive(memory, RING, truth, 5, 1000.0)
    memory.take_in("other", other)
    rng, lost = np.random.default_rng(6), 0
    on = driven(np.array([(14.0, 1.0), (15.0, 1.0), (15.0, 10.0)]), 0.2)
    for k, pose in enumerate(on):
        location = memory.observe(1100.0 + 0.2 * k, None, relative(truth[0], pose), scan=scan_at(RING, pose, rng))
        lost += not location.localised
        for _ in range(3):
            memory.prepare()
    while memory.prepare():
        pass
    assert lost == 0 and memory.joined["other"].left == 0
    memory.close()


def test_memories_of_a_camera_alone_are_joined_by_latents(tmp_path: Path, open_memory: Opener) -> None:
    memories = {name: open_memory(tmp_path / f"{name}.memory") for name in ("mine", "other", "strange")}
    for (name, memory), (start, seed) in zip(
        memories.items(), (((0.0, 0.0, 0.0), 1), ((0.8, 0.0, 0.0), 7), ((8.0, 8.0, 0.0), 3)), strict=True
    ):
        walker = Walker(memory, start, seed)
        walker.look(b"picture")
        for _ in range(2):
            walker.loop(2.4)
        memory.share_as(name)
        memory.map.store.flush()
    mine = memories["mine"]
    for name in ("other", "strange"):
        taken_in(mine, tmp_path / f"{name}.memory", name)
    assert mine.joined["strange"].taken == 0 and "nothing in common" in mine.joined["strange"].message
    joined = mine.joined["other"]
    assert joined.known > 5 and joined.taken > 10 and joined.left == 0
    index = mine.map.index
    true = pose_of(index.latents)
    error = pose_gap(relative(index.poses[0], index.poses), relative(true[0], true))[0]
    assert error.max() < 0.4
    assert mine.find_route(GoalQuery(place_id=foreign(mine)[0])).length > 0.0


def test_there_is_never_more_than_the_limit(made: Callable, tmp_path: Path) -> None:
    path, other, *_ = made(tmp_path)
    memory = PlaceMemory(LaserModel(), ENCODER, path, laser_config())
    most = int((len(memory) + 4) / 0.9)
    memory.config = replace(memory.config, max_places=most)
    memory.share_as("mine")
    taken_in(memory, other)
    assert len(memory) <= most and "no room" in memory.joined["other"].message
    memory.close()


def test_who_does_not_share_takes_nothing_in(tmp_path: Path) -> None:
    memory = PlaceMemory(LaserModel(), ENCODER, None, laser_config())
    with pytest.raises(AmiError, match="does not share"):
        memory.take_in("other", tmp_path / "other.memory")
    assert memory.joined == {}
