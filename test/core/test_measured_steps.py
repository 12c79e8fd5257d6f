"""Steps with a covariance: they add up, and turn round, as samples do."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import combined, compose, fused, inverse, inverted, wrap


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


def test_a_step_that_is_measured_twice_lies_where_the_surer_measurement_has_it() -> None:
    sure, vague = np.diag([0.01, 0.01, 0.01]) ** 2, np.diag([0.1, 0.1, 0.1]) ** 2
    pose, covariance = fused((np.array([1.0, 0.0, 3.1]), vague), (np.array([1.2, 0.1, -3.1]), sure))
    assert np.hypot(pose[0] - 1.2, pose[1] - 0.1) < 0.003 and abs(wrap(pose[2] + 3.1)) < 0.002
    assert (np.diag(covariance) < np.diag(sure)).all()
    both, less = fused((np.zeros(3), sure), (np.zeros(3), sure))
    assert both == pytest.approx(np.zeros(3)) and np.allclose(less, sure / 2)
