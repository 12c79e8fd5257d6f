"""A map of places against the truth of where they were founded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ami_ros.evaluation.expedition import Belief
from ami_ros.evaluation.map_quality import frame_of, is_right, judge, measure_map
from ami_ros.geometry import Array, compose, inverse
from ami_ros.places.types import Location
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory
from harness.exact_model import ExactModel, latent_of

FRAME = np.array([0.6, 0.5, 0.3])  # of the map in the world


@pytest.fixture
def memory() -> Iterator[PlaceMemory]:
    memory = PlaceMemory(ExactModel(), "exact", None, MemoryConfig())
    yield memory
    memory.close()


@pytest.fixture(scope="module")
def space() -> FreeSpace:
    from ami_ros.simulation.world_file import load_world

    return FreeSpace(load_world("two_rooms"))


def remember(memory: PlaceMemory, poses: list[tuple[float, float, float]]) -> dict[int, Array]:
    """Places at poses of the world, each joined to the one before by a driven way."""
    truths: dict[int, Array] = {}
    for stamp, pose in enumerate(np.array(poses)):
        place = memory.map.add(stamp, latent_of(pose), compose(inverse(FRAME), pose), None)
        if truths:
            memory.map.link(place - 1, place, np.zeros(3), 1.0, stamp)
        truths[place] = pose
    return truths


ROW = [(0.5 + 0.4 * k, 1.5, 0.0) for k in range(8)]


def test_a_true_map_has_no_error_and_lies_where_it_lies(memory: PlaceMemory, space: FreeSpace) -> None:
    truths = remember(memory, ROW)
    np.testing.assert_allclose(frame_of(memory, truths), FRAME, atol=1e-9)
    found = measure_map(memory, truths, space)
    assert (found.places, found.edges, found.false_edges) == (8, 7, 0)
    assert found.error_p99 < 1e-6
    assert 0.5 < found.coverage < 0.95


def test_an_edge_between_places_that_are_far_apart_is_false_whether_driven_or_joined(
    memory: PlaceMemory, space: FreeSpace
) -> None:
    truths = remember(memory, ROW)
    memory.map.link(1, 7, np.zeros(3), 1.0, 9.0)
    assert measure_map(memory, truths, space).false_edges == 1
    truths[memory.map.add(10.0, latent_of(ROW[7]), memory.map.place(1).pose, None)] = np.array(ROW[7])
    found = measure_map(memory, truths, space)
    assert found.false_edges == 2 and found.error_p99 > 2.0


def test_right_is_near_in_the_map_and_in_the_same_room(space: FreeSpace) -> None:
    truth = np.array([1.8, 1.5, 0.0])

    def right(pose: tuple[float, float, float]) -> bool:
        return is_right(compose(inverse(FRAME), np.array(pose)), truth, FRAME, space)

    assert right((1.6, 1.5, 0.1))
    assert not right((1.2, 1.5, 0.0))
    assert not right((1.8, 1.5, 0.8))
    assert not right((2.1, 1.5, 0.0))  # through the wall


def test_confidence_is_honest_if_it_is_the_share_that_is_right() -> None:
    def belief(confidence: float) -> Belief:
        location = Location(0.0, np.zeros(3), np.zeros(3), confidence, 2.0 * (1 - confidence), confidence > 0.7, 1)
        return Belief(0.0, np.zeros(3), location)

    beliefs = [belief(0.95)] * 20 + [belief(0.25)] * 20
    honest = judge(beliefs, [True] * 19 + [False] + [True] * 5 + [False] * 15)
    assert honest.calibration_error == pytest.approx(0.0, abs=1e-9)
    assert [(round(at.confidence, 2), at.right, at.moments) for at in honest.curve] == [
        (0.25, 0.25, 20),
        (0.95, 0.95, 20),
    ]
    assert honest.localised == 0.5 and honest.right_when_localised == 0.95 and honest.right == 0.6
    assert honest.confidence_when_right > honest.confidence_when_wrong
    assert honest.entropy_when_right < honest.entropy_when_wrong
    boaster = judge([belief(0.95)] * 20, [True] * 5 + [False] * 15)
    assert boaster.calibration_error == pytest.approx(0.7)
