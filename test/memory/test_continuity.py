"""A belief that odometry does not allow has to prove itself before anything is learned by it."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose
from ami_ros.memory.growth import Continuity, ContinuityConfig
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Location
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER, Opener, Walker

STEP = np.array([0.1, 0.0, 0.0])


def drive(continuity: Continuity, pose: Array, odometry: Array, metres: float) -> tuple[Array, Array, bool]:
    """Straight on, believing what odometry says."""
    allowed = True
    for _ in range(round(metres / 0.1)):
        pose, odometry = compose(pose, STEP), compose(odometry, STEP)
        continuity.move(odometry)
        allowed = continuity.allows(pose)
    return pose, odometry, allowed


def test_a_belief_that_follows_odometry_is_trusted_and_the_first_always() -> None:
    continuity = Continuity(ContinuityConfig())
    pose, odometry, allowed = drive(continuity, np.array([3.0, 2.0, 0.0]), np.zeros(3), 5.0)
    assert allowed
    continuity.move(odometry)
    assert continuity.allows(pose + [0.3, 0.2, 0.2])  # corrections are no jumps


def test_a_jump_is_trusted_after_some_metres_and_a_return_at_once() -> None:
    continuity = Continuity(ContinuityConfig())
    pose, odometry, _ = drive(continuity, np.zeros(3), np.zeros(3), 1.0)
    there = pose + [4.0, 0.0, 0.0]
    there, odometry, allowed = drive(continuity, there, odometry, 3.0)
    assert not allowed
    back, odometry, allowed = drive(continuity, there - [4.0, 0.0, 0.0], odometry, 0.2)
    assert allowed
    _, odometry, allowed = drive(continuity, back + [4.0, 0.0, 0.0], odometry, 9.0)
    assert not allowed
    _, odometry, allowed = drive(continuity, back + [13.0, 0.0, 0.0], odometry, 1.5)
    assert allowed


def test_after_a_restart_the_next_belief_is_trusted() -> None:
    continuity = Continuity(ContinuityConfig())
    pose, odometry, _ = drive(continuity, np.zeros(3), np.zeros(3), 1.0)
    continuity.restart()
    continuity.move(odometry)
    assert continuity.allows(pose + [4.0, 0.0, 0.0])


class TwinWalker(Walker):
    """Beyond x = 5 m the world looks exactly as it does from x = 0 on."""

    truths: dict[int, Array]

    def look(self, thumbnail: bytes | None = None) -> Location:
        seen, known = self.pose.copy(), len(self.memory)
        if seen[0] >= 5.0:
            seen[0] -= 5.0
        elif seen[0] > 1.6:
            seen[1] += 3.0
        location = self.memory.observe(self.time, latent_of(seen), self.odometry, thumbnail)
        self.truths |= {int(i): self.pose.copy() for i in self.memory.map.index.ids[known:]}
        return location


@pytest.mark.parametrize("seed", range(3))
def test_a_room_that_looks_like_another_makes_no_false_short_cut(model: ExactModel, seed: int) -> None:
    memory = PlaceMemory(model, ENCODER, None, MemoryConfig(filter=FilterConfig(particles=300, seed=seed)))
    walker = TwinWalker(memory, seed=seed)
    walker.truths = {}
    walker.look()
    for _ in range(2):
        walker.drive(6.4)
        walker.drive(0.0, np.pi)
        walker.drive(6.4)
        walker.drive(0.0, np.pi)
    rows = memory.map.graph.connections()
    true = np.array([walker.truths[int(i)] for i in memory.map.index.ids])
    assert len(rows) > 30
    assert np.hypot(*(true[rows[:, 0]] - true[rows[:, 1]])[:, :2].T).max() < 1.5
    memory.close()


def test_what_a_kidnapped_robot_sees_is_learned_once_it_has_driven_some_way(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory)
    walker.look()
    for _ in range(2):
        walker.loop()
    known = len(memory)
    walker.pose = np.array([1.0, 2.0, np.pi])
    walker.drive(1.0)
    walker.drive(0.0, np.pi / 2)
    walker.drive(2.0)
    assert len(memory) == known
    walker.drive(0.0, np.pi / 2)
    for _ in range(2):
        walker.loop()
    walker.drive(3.5)  # beyond what it knew
    assert len(memory) > known and memory.location() is not None
