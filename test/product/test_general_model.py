"""The model of many buildings recognises what it sees in a building that it never saw, and nothing of other ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ami_ros.geometry import Array, compose, from_cos_sin, pose_gap
from ami_ros.share import share
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.array_pairs import ArrayPairs, Compared
from ami_ros.world_model.inference_loading import load_inference
from ami_ros.world_model.perception import Perception

PAIRS = 24
HERE, ELSEWHERE = "building:home:100207", "building:office:100208"


@pytest.fixture(scope="module")
def perception() -> Perception:
    return Perception(load_inference(share("models", "general")).model)


@pytest.fixture(scope="module")
def buildings() -> Iterator[list[Simulator]]:
    made = [Simulator(world, seed=1) for world in (HERE, ELSEWHERE)]
    yield made
    for simulator in made:
        simulator.close()


def pictures(perception: Perception, simulator: Simulator, poses: list[Array]) -> np.ndarray:
    codes = [perception.encode_picture(simulator.photograph(pose)) for pose in poses]
    return np.stack([code for code in codes if code is not None])


def drawn(simulator: Simulator, seed: int) -> list[Array]:
    space = FreeSpace(simulator.world, radius=simulator.description.shape.radius)
    rng = np.random.default_rng(seed)
    return [space.sample_pose(rng, None, 0.15) for _ in range(PAIRS)]


def compared(perception: Perception, here: np.ndarray, there: np.ndarray) -> tuple[ArrayPairs, Compared]:
    pairs = perception.model.pairs
    assert pairs is not None
    return pairs, pairs.compare(here, there)


def test_it_recognises_where_it_is_and_sees_which_way(perception: Perception, buildings: list[Simulator]) -> None:
    move = np.array([0.1, 0.05, 0.2])
    poses = drawn(buildings[0], 2)
    here = pictures(perception, buildings[0], poses)
    there = pictures(perception, buildings[0], [compose(pose, move) for pose in poses])
    pairs, found = compared(perception, here, there)
    known = found.same >= pairs.threshold
    distance, turn = pose_gap(from_cos_sin(found.pose), move)
    assert known.mean() >= 0.5
    assert np.median(distance[known]) < 0.15 and np.median(turn[known]) < 0.1


def test_it_takes_no_other_building_for_this_one(perception: Perception, buildings: list[Simulator]) -> None:
    here, there = (pictures(perception, building, drawn(building, 3)) for building in buildings)
    pairs, found = compared(perception, here.repeat(PAIRS, 0), np.tile(there, (PAIRS, 1)))
    assert (found.same >= pairs.threshold).mean() < 0.03
