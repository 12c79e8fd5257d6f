"""Sensors are taken at the rates that they have (row 52 of the faults): 5 to 60 Hz, with stamps that tremble."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.world_model.learning.alignment import AlignmentConfig, Segment, Stream, align, drop_short
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, extract

SECONDS = 30.0
CONFIG = AlignmentConfig()


def stamps_at(rate: float, jitter: float, seed: int) -> Array:
    """Stamps [s] of a sensor of `rate` [Hz], each off by up to `jitter` of a period."""
    rng = np.random.default_rng(seed)
    times = (np.arange(int(SECONDS * rate)) + rng.uniform()) / rate
    return np.sort(times + rng.uniform(-jitter, jitter, len(times)) / rate)


def stream(stamps: Array, values: list[object]) -> Stream:
    return Stream(stamps.tolist(), stamps.tolist(), list(values))


def segment(camera: float, laser: float, odometry: float, jitter: float, seed: int) -> Segment:
    """Of a robot that drives at 0.5 m/s; no pictures where `camera` is 0."""
    wheels, scans = stamps_at(odometry, jitter, seed + 1), stamps_at(laser, jitter, seed + 2)
    scan = SimpleNamespace(ranges=np.ones(8), range_min=0.1, range_max=9.0, angle_min=-np.pi, angle_increment=np.pi / 4)
    found = {
        "odometry": stream(wheels, [(0.5 * t, 0.0, 0.0, 0.5, 0.0) for t in wheels.tolist()]),
        "command": stream(wheels, [(0.5, 0.0)] * len(wheels)),
        "scan": stream(scans, [scan] * len(scans)),
    }
    if camera:
        pictures = stamps_at(camera, jitter, seed)
        found["image"] = stream(pictures, list(range(len(pictures))))
    return found


@settings(max_examples=40, deadline=None)
@given(
    camera=st.one_of(st.just(0.0), st.floats(5.0, 60.0)),
    laser=st.floats(5.0, 40.0),
    odometry=st.floats(10.0, 200.0),
    jitter=st.floats(0.0, 0.5),
    seed=st.integers(0, 10**6),
)
def test_sensors_of_any_rate_and_with_trembling_stamps_make_moments_of_the_period(
    camera: float, laser: float, odometry: float, jitter: float, seed: int
) -> None:
    dropped: Counter[str] = Counter()
    frames = align(segment(camera, laser, odometry, jitter, seed), CONFIG, 8, dropped)
    kept = drop_short(frames, CONFIG, dropped)
    usual = SECONDS / CONFIG.period
    assert len(kept.stamp) > 0.7 * usual, dict(dropped)
    steps = np.concatenate([np.diff(kept.stamp[start:stop]) for start, stop in kept.episodes])
    assert abs(steps.mean() - CONFIG.period) < 0.15 * CONFIG.period and (steps > 0).all()
    np.testing.assert_allclose(kept.odometry[:, 0], 0.5 * kept.stamp, atol=0.06)
    assert np.isfinite(kept.scan).all()


@pytest.mark.parametrize("rate", [7.6, 7.7])
def test_moments_of_a_slow_laser_are_a_period_apart_on_average(rate: float) -> None:
    frames = align(segment(0.0, rate, 20.0, 0.0, 3), CONFIG, 8, Counter())
    assert len(frames.episodes) == 1 and abs(len(frames.stamp) - SECONDS / CONFIG.period) < 6


def test_a_gap_still_ends_an_episode() -> None:
    parts = segment(10.0, 7.6, 20.0, 0.1, 5)
    image = parts["image"]
    late = [t + 3.0 * (t > 15.0) for t in image.stamps]
    parts["image"] = Stream(late, late, image.values)
    assert len(align(parts, CONFIG, 8, Counter()).episodes) == 2


def record(path: Path, rate: float, camera: bool) -> Path:
    with BagWriter(path) as bag:
        for stamp in stamps_at(20.0, 0.0, 1).tolist():
            bag.odometry("odom", stamp, [0.5 * stamp, 0.0, 0.0], (0.5, 0.0))
            bag.command("cmd_vel", stamp, 0.5, 0.0)
        for stamp in stamps_at(rate, 0.2, 2).tolist():
            bag.scan("scan", stamp, 1.0 + np.arange(8), -np.pi, np.pi / 4)
            if camera:
                bag.image("image/compressed", stamp, encode_frame(np.full((32, 32, 3), int(stamp), np.uint8)))
    return path


@pytest.mark.parametrize("camera", [True, False])
def test_a_recording_of_a_turtlebot_4_s_laser_is_extracted(tmp_path: Path, camera: bool) -> None:
    bag = record(tmp_path / "bag", 7.6, camera)
    data = extract([bag], tmp_path / "data", ExtractConfig(pictures=camera))
    assert len(data) > 0.9 * SECONDS / 0.2


def test_a_sensor_that_is_too_slow_is_named_with_what_to_set(tmp_path: Path) -> None:
    bag = record(tmp_path / "bag", 3.0, camera=False)
    with pytest.raises(AmiError, match=r"scans, which come every 0\.33 s.* --period 0\.33"):
        extract([bag], tmp_path / "data", ExtractConfig(pictures=False))
    slower = ExtractConfig(AlignmentConfig(period=0.33), pictures=False)
    assert len(extract([bag], tmp_path / "data", slower)) > 0.8 * SECONDS / 0.33
