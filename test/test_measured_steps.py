"""Steps with a covariance: they add up, and turn round, as samples do."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import compose, inverse
from ami_ros.measured_steps import combined, inverted


def test_covariances_of_steps_add_up_as_samples_do() -> None:
    rng = np.random.default_rng(0)
    first, second = np.array([1.0, 0.5, 0.7]), np.array([2.0, -0.3, -0.4])
    spread = np.array([[4e-4, 1e-4, 0.0], [1e-4, 9e-4, 1e-4], [0.0, 1e-4, 4e-4]])
    a, b = (
        first + rng.multivariate_normal(np.zeros(3), spread, 40_000),
        second + rng.multivariate_normal(np.zeros(3), spread, 40_000),
    )
    pose, covariance = combined((first, spread), (second, spread))
    assert np.allclose(covariance, np.cov(compose(a, b).T), atol=6e-5) and np.allclose(pose, compose(first, second))
    back, covariance = inverted((first, spread))
    assert np.allclose(covariance, np.cov(inverse(a).T), atol=6e-5) and np.allclose(back, inverse(first))
