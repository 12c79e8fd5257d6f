"""The particle filter: finds itself, stays found, is found again when carried away, says when it is not sure."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose
from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.particle_filter import Estimate, FilterConfig, PlaceFilter
from harness.exact_model import ExactModel, latent_of

CIRCLE = np.array([0.08, 0.0, 0.08])  # one step of a circle of one metre radius
SURE = FilterConfig().confident


def grid(width: float) -> Array:
    """Poses every 0.4 m of a room `width` x 3.2 m, in eight headings."""
    axes = np.arange(0.2, width, 0.4), np.arange(0.2, 3.2, 0.4), np.arange(8) * np.pi / 4
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def index_of(model: ExactModel, poses: Array, latents: np.ndarray) -> PlaceIndex:
    index = PlaceIndex(model)
    index.extend(np.arange(len(poses)) + 1, latents, poses)
    return index


@pytest.fixture
def index(model: ExactModel) -> PlaceIndex:
    poses = grid(4.0)
    return index_of(model, poses, latent_of(poses))


def walk(
    particles: PlaceFilter, index: PlaceIndex, pose: Array, steps: int, odometry_gain: float = 1.0
) -> tuple[Array, Estimate]:
    """Goes round and looks; returns where the robot truly is, and what the filter believes."""
    rng = np.random.default_rng(1)
    for _ in range(steps):
        pose = compose(pose, CIRCLE)
        particles.move(CIRCLE * odometry_gain * rng.normal(1.0, 0.02, 3))
        particles.observe(index, latent_of(pose) + rng.normal(0.0, 0.02, 4).astype(np.float32))
    return pose, particles.estimate()


def error(estimate: Estimate, pose: Array) -> tuple[float, float]:
    return float(np.hypot(*(estimate.pose - pose)[:2])), float(abs(np.angle(np.exp(1j * (estimate.pose - pose)[2]))))


START = np.array([2.0, 0.6, 0.0])


@pytest.mark.parametrize("seed", range(3))
def test_a_lost_robot_finds_itself(index: PlaceIndex, seed: int) -> None:
    particles = PlaceFilter(FilterConfig(seed=seed))
    particles.start_lost(index)
    lost = particles.estimate()
    assert lost.confidence < 0.3
    pose, found = walk(particles, index, START, 25)
    distance, turn = error(found, pose)
    assert distance < 0.2 and turn < 0.2
    assert found.confidence > SURE and found.entropy < lost.entropy - 2.0


def test_it_stays_found_although_odometry_is_wrong(index: PlaceIndex) -> None:
    particles = PlaceFilter(FilterConfig())
    particles.start_at(START)
    pose = START
    for _ in range(6):
        pose, found = walk(particles, index, pose, 20, odometry_gain=1.05)
        distance, turn = error(found, pose)
        assert distance < 0.25 and turn < 0.2 and found.confidence > SURE


@pytest.mark.parametrize("seed", range(3))
def test_a_kidnapped_robot_is_found_again(index: PlaceIndex, seed: int) -> None:
    particles = PlaceFilter(FilterConfig(seed=seed))
    particles.start_at(START)
    walk(particles, index, START, 10)
    pose, found = walk(particles, index, np.array([1.0, 2.4, -2.5]), 60)
    distance, turn = error(found, pose)
    assert distance < 0.25 and turn < 0.2 and found.confidence > SURE


@pytest.mark.parametrize("seed", range(3))
def test_a_kidnapped_robot_is_never_sure_of_the_wrong_place(index: PlaceIndex, seed: int) -> None:
    particles = PlaceFilter(FilterConfig(seed=seed))
    particles.start_at(START)
    _, found = walk(particles, index, START, 10)
    assert found.confidence > SURE
    pose = np.array([1.0, 2.4, -2.5])
    for _ in range(15):
        pose, found = walk(particles, index, pose, 1)
        distance, turn = error(found, pose)
        assert (distance < 0.5 and turn < 0.5) or found.confidence < 0.3


def test_new_ground_is_no_contradiction(index: PlaceIndex) -> None:
    """Nothing there is known, so nothing speaks for elsewhere: the robot may go on learning."""
    particles = PlaceFilter(FilterConfig())
    particles.start_at(np.array([3.0, 1.5, 0.0]))
    for step in range(8):
        particles.move(np.array([0.15, 0.0, 0.0]))
        particles.observe(index, latent_of([3.15 + 0.15 * step, 1.5, 0.0]))
        assert particles.estimate().confidence > 0.7


def test_it_is_not_sure_where_two_places_look_alike(model: ExactModel) -> None:
    """Two rooms of 4 m that cannot be told apart."""
    poses = grid(8.0)
    twins = poses.copy()
    twins[:, 0] %= 4.0
    index = index_of(model, poses, latent_of(twins))
    particles = PlaceFilter(FilterConfig())
    particles.start_lost(index)
    pose, found = walk(particles, index, START, 12)
    assert 0.2 < found.confidence < 0.85
    for room in (0.0, 4.0):
        near = np.hypot(*(particles.particles[:, :2] - pose[:2] - [room, 0.0]).T) < 0.5
        assert particles.weights[near].sum() > 0.1


def test_without_latents_it_becomes_less_sure_with_every_metre(model: ExactModel) -> None:
    particles, nothing = PlaceFilter(FilterConfig()), PlaceIndex(model)
    particles.start_at(START)
    confidences = [walk(particles, nothing, START, 60)[1].confidence for _ in range(5)]
    assert confidences[0] > confidences[1] > 2 * confidences[-1]


def test_standing_still_and_looking_again_is_no_news(index: PlaceIndex) -> None:
    """The same wrong match, seen a hundred times at one spot, must not convince it."""
    particles = PlaceFilter(FilterConfig())
    particles.start_at(START)
    elsewhere = latent_of([3.4, 2.6, 3.0])
    for _ in range(100):
        particles.move(np.zeros(3))
        particles.observe(index, elsewhere)
    distance, turn = error(particles.estimate(), START)
    assert distance < 0.1 and turn < 0.1


def test_one_seed_gives_one_belief(index: PlaceIndex) -> None:
    beliefs = []
    for _ in range(2):
        particles = PlaceFilter(FilterConfig(seed=4))
        particles.start_lost(index)
        beliefs.append(walk(particles, index, START, 10)[1])
    np.testing.assert_array_equal(beliefs[0].pose, beliefs[1].pose)
    assert beliefs[0].confidence == beliefs[1].confidence


def test_weights_remain_a_distribution_even_if_nothing_matches(index: PlaceIndex) -> None:
    particles = PlaceFilter(FilterConfig())
    particles.start_lost(index)
    for k in range(10):
        particles.move(CIRCLE)
        particles.observe(index, latent_of([50.0 + k, 50.0, 0.0]))
        assert particles.weights.sum() == pytest.approx(1.0) and np.isfinite(particles.particles).all()
    estimate = particles.estimate()
    assert np.isfinite(estimate.pose).all() and 0.0 <= estimate.confidence < 0.5


def test_the_belief_moves_with_the_map(index: PlaceIndex) -> None:
    particles = PlaceFilter(FilterConfig())
    particles.start_at(START)
    shift = np.array([1.0, -2.0, 0.0])
    particles.transform(lambda poses: poses + shift)
    np.testing.assert_allclose(particles.estimate().pose, START + shift, atol=1e-6)
