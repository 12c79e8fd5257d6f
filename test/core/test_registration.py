import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose, inverse, register


def drive(rng: np.random.Generator, n: int = 200) -> Array:
    return np.column_stack([rng.uniform(0, 8, n), rng.uniform(0, 6, n), rng.uniform(-np.pi, np.pi, n)])


def test_frame_of_the_memory_is_found_although_the_robot_was_lost_for_a_third_of_the_time() -> None:
    rng = np.random.default_rng(1)
    frame = np.array([2.0, -1.0, 2.5])
    true = drive(rng)
    believed = compose(inverse(frame), true)
    believed[:, :2] += rng.normal(0, 0.05, (200, 2))
    believed[:66] = drive(rng, 66)
    found = register(believed, true)
    assert found == pytest.approx(frame, abs=0.05)


def test_without_a_belief_there_is_no_frame() -> None:
    assert register(np.zeros((0, 3)), np.zeros((0, 3))) is None
