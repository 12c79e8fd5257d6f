"""Each run's gains are found by a model that sees what is right, and taken out of its odometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.odometry_gains import estimate_gains, with_gains
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import Sensors
from ami_ros.world_model.torch_model import WorldModel
from harness.exact_model import ExactRelativePose, latent_of

EPISODES = [(0, 400), (400, 800), (800, 820)]
PIECES = [(0, 100), (150, 250), (350, 400), (420, 600), (800, 820)]
WRONG = np.array([[1.05, 0.94], [0.95, 1.08], [1.0, 1.0]])  # what odometry multiplies the truth with


def truth() -> Array:
    """Poses (820, 3) of a robot that winds about."""
    rng = np.random.default_rng(0)
    turns = np.convolve(rng.normal(0.0, 0.5, 829), np.ones(10) / 10, "valid")
    yaw = np.cumsum(turns)
    steps = 0.08 * np.stack([np.cos(yaw), np.sin(yaw)], 1)
    return np.column_stack([np.cumsum(steps, 0), wrap(yaw)])


class SeesPoses(WorldModel):
    """Its latent is the true pose, by the row that stands in place of a scan."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.relative_pose = ExactRelativePose()

    def encode(self, sensors: Sensors) -> torch.Tensor:
        assert sensors.scan is not None
        return torch.from_numpy(latent_of(truth()[sensors.scan[:, 0].long().numpy() - 1]))


class Recording:
    """Odometry alone, and the number of each row."""

    period = 0.2
    scanner: Mount | None = None
    scan = 1 + np.arange(820, dtype=np.float32)[:, None]
    command = np.zeros((820, 2), np.float32)
    odometry = with_gains(truth(), EPISODES, WRONG)
    episodes = EPISODES

    def __len__(self) -> int:
        return len(self.odometry)

    def images(self, rows: np.ndarray, size: int) -> np.ndarray:
        raise AssertionError("there are none")

    def load_images(self, size: int) -> np.ndarray:
        raise AssertionError("there are none")


@pytest.fixture
def sampler() -> WindowSampler:
    from ami_ros.world_model.spec import InputSpec, ModelSpec

    return WindowSampler(Recording(), ModelSpec(InputSpec(image_size=0, scan_beams=1)), WindowConfig())


def test_gains_of_each_run_are_found(sampler: WindowSampler) -> None:
    found = estimate_gains(SeesPoses(), sampler, 0)
    np.testing.assert_allclose(found[:2, 1], 1 / WRONG[:2, 1], atol=0.01)
    ratio = found[0, 0] / found[1, 0]
    assert ratio == pytest.approx(WRONG[1, 0] / WRONG[0, 0], abs=0.02)
    assert found[2, 1] == 1.0  # too short to tell


class Divided(Recording):
    """What was left of it: stretches of the first two runs."""

    runs = EPISODES
    episodes = PIECES


def test_what_is_left_of_a_run_has_the_gains_of_one_run(sampler: WindowSampler) -> None:
    divided = WindowSampler(Divided(), sampler.spec, WindowConfig())
    found = estimate_gains(SeesPoses(), divided, 0)
    assert found.shape == (5, 2) and (found[0] == found[2]).all()  # 10 s alone would be too short to tell
    np.testing.assert_allclose(found[:4, 1], 1 / WRONG[[0, 0, 0, 1], 1], atol=0.01)


def test_odometry_without_its_gains_is_the_truth(sampler: WindowSampler) -> None:
    mended = with_gains(sampler.recorded, EPISODES, 1 / WRONG)
    for start, stop in EPISODES:
        first = np.arange(start, stop - 15)
        seen, wanted = relative(mended[first], mended[first + 15]), relative(truth()[first], truth()[first + 15])
        np.testing.assert_allclose(seen, wanted, atol=0.01)


def test_gains_of_one_change_nothing() -> None:
    poses = truth()
    same = with_gains(poses, EPISODES, np.ones((3, 2)))
    np.testing.assert_allclose(same[:, :2], poses[:, :2], atol=1e-9)
    np.testing.assert_allclose(wrap(same[:, 2] - poses[:, 2]), 0.0, atol=1e-9)
