"""A goal's picture is compared with those of places that its latent resembles: what is not recognised is not found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.core.camera import Window
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.core.images import encode_jpeg
from ami_ros.core.scan import Scan
from ami_ros.memory import recognition
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.recognition import Candidates, Recogniser
from ami_ros.memory.types import Code, GoalQuery, SearchState, View
from ami_ros.world_model.by_torch import on_arrays
from harness.colours import AHEAD, BLUE, RED, colour, goal, model_of_colours, walked_from_red_through_blue
from harness.exact_model import latent_of

from .conftest import ENCODER, LIGHT, Walker, pose_error


@pytest.fixture
def model() -> Any:
    return model_of_colours()


@pytest.fixture
def walker(model: Any, path: Path) -> Iterator[Walker]:
    yield from walked_from_red_through_blue(model, path)


def test_a_goal_is_where_its_picture_is_recognised(walker: Walker) -> None:
    route = walker.memory.find_route(goal(RED, near=1.0))
    assert pose_error(route.goal_pose, compose(np.zeros(3), AHEAD)) < 0.05


def test_places_are_compared_anew_as_the_camera_that_is_told_of_sees_them(model: Any) -> None:
    """Calibration may come after the first pictures were encoded: of those a narrow camera sees the middle."""
    picture = np.full((16, 16, 3), BLUE, np.uint8)
    picture[4:12, 4:12] = RED
    recogniser = Recogniser(on_arrays(model).pairs, lambda place_id: encode_jpeg(picture))  # type: ignore[arg-type]
    red = np.array(RED, np.float32)
    (before,) = recogniser.alike([1], red)  # type: ignore[misc]
    model.pairs.window = Window.square(0.4)
    (after,) = recogniser.alike([1], red)  # type: ignore[misc]
    assert before < 0.5 < after and model.pairs.encoded == 2


def test_each_place_is_compared_with_what_the_laser_saw_there(model: Any, monkeypatch: Any) -> None:
    """How far off that is what its picture shows is known from its scan."""
    pairs = on_arrays(model).pairs
    assert pairs is not None
    recogniser = Recogniser(pairs, lambda place_id: colour(RED if place_id < 40 else BLUE))
    recogniser.surroundings = lambda place_id: Scan(np.full(4, place_id, np.float32), 0.0, 1.5)
    told, compare = list[float](), pairs.compare_both_ways

    def listening(here: Any, there: Any, scans: Any, least: float) -> Any:
        told.extend(scan.ranges[0] for scan in scans)
        return compare(here, there, (), least)

    monkeypatch.setattr(recogniser._pairs, "compare_both_ways", listening)
    found = recogniser.alike(range(1, 60), np.array(RED, np.float32))
    assert found is not None and told == list(range(1, 60))
    assert (found[:39] > 0.5).all() and (found[39:] < 0.5).all()


def test_a_long_question_lets_its_node_show_that_it_lives(model: Any) -> None:
    """Where one core is shared it took ten seconds, and the supervisor ended memory. What places see is asked for by
    another thread, which must not speak for that one."""
    pairs = on_arrays(model).pairs
    assert pairs is not None
    recogniser, beats = Recogniser(pairs, lambda place_id: colour(RED)), list[int]()
    recogniser.between = lambda: beats.append(1)
    places: Any = SimpleNamespace(ids=np.arange(1, 31), poses=np.zeros((30, 3)))
    assert recogniser.hypotheses(places, [Candidates(np.arange(30), np.array(RED, np.float32))])
    assert len(beats) == 2 + 2, "pictures are encoded, and compared"
    assert recogniser.alike(range(1, 31), np.array(RED, np.float32)) is not None and len(beats) == 4


def test_a_picture_counts_before_it_is_on_the_disk(model: Any, path: Path) -> None:
    memory = PlaceMemory(model, ENCODER, path, MemoryConfig(filter=LIGHT))
    walker = Walker(memory)
    with memory.map.store._write_lock:  # as on a slow disk
        walker.look(colour(RED))
        walker.drive(3.0, thumbnail=colour(BLUE))
        assert pose_error(memory.find_route(goal(RED, near=1.0)).goal_pose, AHEAD) < 0.05
        assert len(memory.map.thumbnail(1)) > 100
    memory.map.forget([1])
    assert memory.map.thumbnail(1) == b""
    memory.close()


def test_the_share_of_a_goal_is_that_of_the_places_which_are_certain(walker: Walker, model: Any) -> None:
    assert walker.memory.find_route(goal(RED, near=1.0)).goal_confidence == pytest.approx(0.5), "one spot was red"
    assert walker.memory.find_route(goal(BLUE)).goal_confidence <= 1.0
    model.pairs.calibration = torch.full((4,), 9.0)  # nothing is certain
    assert walker.memory.find_route(goal(RED, near=1.0)).goal_confidence == 0.0


def test_one_place_that_is_surer_than_it_has_to_be_outvotes_no_others(model: Any, monkeypatch: Any) -> None:
    """Of two rooms that are alike the wrong one had the surest picture, and memory was sure of it."""
    model.pairs.calibration = torch.full((4,), 2.94)  # odds of 19
    places = SimpleNamespace(ids=np.arange(4), poses=np.array([[0.0, 0, 0], [0.4, 0, 0], [9.0, 0, 0], [9.4, 0, 0]]))
    # Where each sees the goal, the error, and the odds; 19 are enough.
    said = {0: [0.5, 0, 0, 0.2, 900.0], 1: [0.1, 0, 0, 0.2, 20.0], 2: [0.5, 0, 0, 0.2, 30.0], 3: [0.1, 0, 0, 0.4, 25.0]}
    recogniser = Recogniser(on_arrays(model).pairs, lambda place_id: b"")
    monkeypatch.setattr(recogniser, "_looks", lambda ids, picture, most: {i: np.array(said[i]) for i in ids})
    found = recogniser.hypotheses(places, [Candidates(np.arange(4), np.zeros(3, np.float32))])  # type: ignore[arg-type]
    assert found is not None and len(found) == 2
    first, second = found
    assert first.pose[0] == pytest.approx(0.5) and 0.4 < first.share < 0.65 and second.share > 0.15


def test_a_goal_of_two_pictures_is_where_places_that_look_two_ways_have_it(model: Any, monkeypatch: Any) -> None:
    """One place saw what lies ahead of the goal, another what lies to its left; each alone is one spot."""
    model.pairs.calibration = torch.full((4,), 2.94)  # odds of 19
    places: Any = SimpleNamespace(ids=np.arange(2), poses=np.array([[0.0, 0, 0], [1.5, 0, np.pi / 2]]))
    said = {1.0: {0: [0.5, 0, 0, 0.2, 30.0]}, 2.0: {1: [0.0, 1.0, 0, 0.2, 30.0]}}  # as each view's robot stood
    recogniser = Recogniser(on_arrays(model).pairs, lambda place_id: b"")
    monkeypatch.setattr(
        recogniser,
        "_looks",
        lambda ids, picture, most: {i: np.array(v) for i, v in said[picture[0]].items() if i in ids},
    )
    ahead, left = Candidates(np.arange(2), np.full(1, 1.0, np.float32)), np.full(1, 2.0, np.float32)
    alone = recogniser.hypotheses(places, [ahead])
    both = recogniser.hypotheses(places, [ahead, Candidates(np.arange(2), left, turn=np.pi / 2)])
    assert alone is not None and both is not None
    assert alone[0].share == pytest.approx(0.5) and both[0].share == pytest.approx(1.0)
    np.testing.assert_allclose(both[0].pose, [0.5, 0.0, 0.0], atol=1e-6)


def test_places_are_chosen_by_what_their_pictures_show_and_new_ones_by_their_latents(
    model: Any, monkeypatch: Any
) -> None:
    """By latents a narrow picture found its place hardly better than chance."""
    monkeypatch.setattr(recognition, "RECOGNITION", replace(recognition.RECOGNITION, compared=6))
    pairs = on_arrays(model).pairs
    assert pairs is not None
    recogniser = Recogniser(pairs, lambda place_id: colour(RED if place_id in (3, 7, 11) else BLUE))
    ids, by_latent = np.arange(1, 21), np.arange(20)[::-1]  # latents like the newest best
    places: Any = SimpleNamespace(ids=ids, poses=np.zeros((20, 3)), rows=lambda wanted: np.asarray(wanted) - 1)
    places.most_similar = lambda latent, count: (by_latent[:count], np.zeros(count))
    places.keys, places.query = np.zeros((20, 4)), lambda latent: latent  # they say nothing
    recogniser.prepare(ids, 16)
    view, other = (View(latent_of(AHEAD), np.array(rgb, np.float32), turn) for rgb, turn in ((RED, 0.0), (BLUE, 2.0)))
    (alone,) = recogniser.candidates(places, [view])
    assert alone.rows[:3].tolist() == [2, 6, 10] and alone.rows[6:].tolist() == [19, 18, 17, 16]
    both = recogniser.candidates(places, [view, other])
    assert [one.turn for one in both] == [0.0, 2.0]
    looked_at = [row for one in both for row in one.rows.tolist() if row < 16]
    assert len(looked_at) == 6, "a question takes no longer for several pictures"
    recogniser.forget([3])
    assert 2 not in recogniser.candidates(places, [view])[0].rows


def test_what_places_say_of_each_picture_of_a_goal_is_kept(model: Any, monkeypatch: Any) -> None:
    """A question is asked again and again on the way; comparing all pictures each time would take seconds."""
    pairs = on_arrays(model).pairs
    assert pairs is not None
    recogniser, compared = Recogniser(pairs, lambda place_id: colour(RED)), list[int]()
    places: Any = SimpleNamespace(ids=np.arange(1, 9), poses=np.zeros((8, 3)))
    compare = recogniser._compare

    def counting(codes: Any, *rest: Any) -> Any:
        compared.append(len(codes))
        return compare(codes, *rest)

    monkeypatch.setattr(recogniser, "_compare", counting)
    asked = [
        Candidates(np.arange(8), np.array(RED, np.float32)),
        Candidates(np.arange(8), np.array(BLUE, np.float32), 1.0),
    ]
    first, again = (recogniser.hypotheses(places, asked) for _ in range(2))
    assert compared == [8, 8] and first is not None and again is not None
    assert [found.share for found in first] == [found.share for found in again]


def test_many_that_are_none_certain_tell_where_to_look_for_a_goal(model: Any, monkeypatch: Any) -> None:
    """Two at one spot, each as likely as not, outweigh one elsewhere that is likelier."""
    places = SimpleNamespace(ids=np.arange(4), poses=np.array([[0.0, 0, 0], [1.0, 0, 0], [9.0, 0, 0], [9.5, 0, 0]]))
    said = {0: [2.0, 0, 0, 0.4, 1.0], 1: [1.1, 0, 0, 0.4, 1.0], 2: [0.0, 0, 0, 0.4, 1.2]}  # the last has no picture
    recogniser = Recogniser(on_arrays(model).pairs, lambda place_id: b"")
    monkeypatch.setattr(
        recogniser, "_looks", lambda ids, picture, most: {i: np.array(said[i]) for i in ids if i in said}
    )
    points = np.array([[2.0, 0.0], [9.0, 0.0], [4.5, 0.0]])
    first, second, nothing = recogniser.evidence(places, [Candidates(np.arange(4), np.zeros(3, np.float32))])(points)  # type: ignore[arg-type]
    assert first > second > 0.1 and nothing < 0.001


def test_a_picture_that_no_place_shows_is_looked_for_where_little_was_seen_until_nothing_is_left(
    walker: Walker,
) -> None:
    spots = []
    with pytest.raises(AmiError) as error:
        for hypothesis in range(100):
            route = walker.memory.find_route(goal((30, 220, 30)), hypothesis)
            assert route.goal_confidence == 0.0
            spots.append(route.goal_pose)
    assert error.value.code == Code.NOT_FOUND and 2 <= len(spots) <= 4, "3 m were driven, looking ahead"
    walker.memory.find_route(GoalQuery(latent_of(np.array([0.3, 0.0, 0.0]))))  # by the latent alone it is


def test_a_picture_is_looked_for_elsewhere_than_it_was(walker: Walker) -> None:
    def first(search: SearchState) -> float:
        return float(walker.memory.find_route(replace(goal((30, 220, 30)), search=search)).goal_pose[0])

    assert first(SearchState()) > 2.0, "the robot is there"
    assert first(SearchState(looked_from=np.array([[3.0, 0.0], [2.4, 0.0]]))) < 2.0


def test_without_pictures_the_latent_decides(model: Any) -> None:
    memory = PlaceMemory(model, ENCODER, None, MemoryConfig(filter=LIGHT))
    walker = Walker(memory)
    walker.look()
    walker.drive(2.0)
    assert pose_error(memory.find_route(goal(RED)).goal_pose, np.array([0.3, 0.0, 0.0])) < 0.3
    memory.close()
