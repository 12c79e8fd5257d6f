"""Surprise compares latents a model's prediction apart, once in a model period, at any rate of the camera."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import compose
from ami_ros.runtime.perception import LatentFrame
from ami_ros.runtime.world_model import Comparison, SurpriseWatch
from ami_ros.world_model.surprise import HORIZON, SurpriseMonitor
from harness.exact_model import SPEC, ExactModel, latent_of

COMMAND = (0.3, 0.2)


def comparisons(rate: float, seconds: float, watch: SurpriseWatch, start: float = 0.0) -> list[Comparison]:
    """Of a robot that drives an arc exactly as it is told."""
    found, pose, stamps = [], np.zeros(3), start + np.arange(round(seconds * rate)) / rate
    watch.commands.add(start, COMMAND)
    for stamp in stamps:
        watch.odometry.add(float(stamp), pose, COMMAND)
        comparison = watch.take_latent(LatentFrame(float(stamp), latent_of(pose)))
        if comparison is not None:
            found.append(comparison)
        pose = compose(pose, [COMMAND[0] / rate, 0.0, COMMAND[1] / rate])
    return found


def new_watch() -> SurpriseWatch:
    return SurpriseWatch(SurpriseMonitor(ExactModel()), SPEC)


@pytest.mark.parametrize("rate", [5.0, 7.0, 10.0, 12.0, 15.0, 25.0, 30.0, 60.0])
def test_readings_come_once_in_a_model_period_at_any_camera_rate(rate: float) -> None:
    watch = new_watch()
    found = [c for c in comparisons(rate, 20.0, watch) if c.before is not None]
    horizon = HORIZON * SPEC.step_duration
    assert found[0].now.stamp <= horizon + 2 * SPEC.period
    gaps = np.diff([c.now.stamp for c in found])
    assert gaps.min() >= 0.8 * SPEC.period - 1e-9 and gaps.max() <= 2 * SPEC.period + 1e-9
    assert all(abs(c.now.stamp - c.before.stamp - horizon) <= SPEC.period / 2 for c in found if c.before)
    assert all(c.commands.shape == (1 + HORIZON * SPEC.chunk, 2) for c in found)
    readings = [watch.judge(c) for c in found]
    assert all(reading is not None and not reading.alarm for reading in readings)


@pytest.mark.parametrize("rate", [5.0, 10.0, 60.0])
def test_a_segment_pairs_commands_with_what_came_of_them(rate: float) -> None:
    segment = comparisons(rate, 4.0, new_watch())[-1].segment
    assert segment is not None and segment.commands.shape == (SPEC.chunk, 2)
    np.testing.assert_allclose(segment.commands, np.tile(COMMAND, (SPEC.chunk, 1)), atol=1e-6)
    np.testing.assert_allclose(np.hypot(*segment.motion[:2]), 0.3 * SPEC.step_duration, rtol=0.2)


def test_after_a_gap_nothing_is_compared_across_it() -> None:
    watch = new_watch()
    comparisons(10.0, 4.0, watch)
    after = comparisons(10.0, 4.0, watch, start=30.0)
    assert after[0].now.stamp >= 30.0 + SPEC.step_duration - SPEC.period / 2
