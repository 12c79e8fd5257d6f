"""The model of many buildings recognises what it sees in a building that it never saw, and nothing of other ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose, from_cos_sin, pose_gap
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import camera_mount
from ami_ros.core.scan import Scan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.array_pairs import ArrayPairs, Compared
from ami_ros.world_model.fit import rectifier_for
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.two_views import Turn

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


def test_a_narrow_camera_measures_by_its_laser(perception: Perception) -> None:
    """Of a TurtleBot 4 it saw half of each motion, for it guessed how far off walls are; its laser knows."""
    simulator = Simulator(HERE, "turtlebot4", seed=1)
    robot, pairs = simulator.description, perception.model.pairs
    rectify = rectifier_for(robot, perception.inputs)
    assert pairs is not None and rectify is not None
    whole = pairs.mount, pairs.window
    pairs.mount, pairs.window = camera_mount(robot), rectify.window
    move = np.array([0.3, -0.15, 0.2])
    try:
        here, there, scans = list[np.ndarray](), list[np.ndarray](), list[Scan | None]()
        for pose in drawn(simulator, 4):
            simulator.place(pose)
            scans.append(simulator.observe().scan)
            for codes, at in ((here, pose), (there, compose(pose, move))):
                code = perception.encode_picture(rectify(simulator.photograph(at)))
                assert code is not None
                codes.append(code)
        found = [pairs.compare(np.stack(here), np.stack(there), given) for given in (scans, ())]
        known = np.logical_and(*(each.same >= pairs.threshold for each in found))
    finally:
        pairs.mount, pairs.window = whole
        simulator.close()
    measured, guessed = (pose_gap(from_cos_sin(each.pose), move)[0][known] for each in found)
    assert known.mean() >= 0.4
    assert np.median(measured) < 0.6 * np.median(guessed) and np.median(measured) < 0.12


def scan_at(simulator: Simulator, pose: Array) -> Scan | None:
    simulator.place(pose)
    return simulator.observe().scan


def test_it_sees_how_far_it_turned_on_the_way(perception: Perception, buildings: list[Simulator]) -> None:
    """Between two moments of memory, by pictures alone; wheels had it 0.03 rad off."""
    move, doubt = np.array([0.06, 0.0, 0.25]), 0.03
    poses = drawn(buildings[0], 3)
    here = pictures(perception, buildings[0], poses)
    there = pictures(perception, buildings[0], [compose(pose, move) for pose in poses])
    pairs = perception.model.pairs
    assert pairs is not None
    found = [
        pairs.turn(a, b, move, Turn(0.25 - doubt, doubt), scan_at(buildings[0], pose))
        for a, b, pose in zip(here, there, poses, strict=True)
    ]
    off = [abs(turned.angle - 0.25) / turned.deviation for turned in found if turned is not None]
    assert len(off) > 0.6 * len(poses)
    assert np.median([abs(turned.angle - 0.25) for turned in found if turned is not None]) < 0.4 * doubt
    assert np.median(off) < 1.0
