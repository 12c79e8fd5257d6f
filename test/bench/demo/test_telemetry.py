import numpy as np
import pytest

from ami_ros.bench.demo.client import Frames, TruthLog
from ami_ros.core.geometry import compose, inverse


def test_true_pose_is_found_by_its_stamp() -> None:
    log = TruthLog()
    for k in range(20):
        log.append(0.1 * k, np.array([k, 0.0, 0.0]))
    found = log.at(0.72)
    assert found is not None and found[0] == 7
    assert log.at(5.0) is None
    stamps, poses = log.since(1.75)
    assert stamps == pytest.approx([1.8, 1.9])
    assert poses.shape == (2, 3)


def test_log_begins_anew_when_time_is_turned_back() -> None:
    log = TruthLog()
    log.append(100.0, np.zeros(3))
    log.append(1.0, np.ones(3))
    assert log.since(0.0)[0] == pytest.approx([1.0])


def test_frames_of_odometry_and_memory_are_found_from_what_the_robot_believes() -> None:
    frames, memory_frame, odom_frame = Frames(), np.array([1.0, 2.0, 0.5]), np.array([-3.0, 1.0, -2.0])
    assert frames.memory() is None
    rng = np.random.default_rng(0)
    for k in range(50):
        truth = np.array([*rng.uniform(0, 6, 2), rng.uniform(-3, 3)])
        believed = compose(inverse(memory_frame), truth) if k % 2 else None
        frames.add(truth, compose(inverse(odom_frame), truth), believed)
    assert frames.odom == pytest.approx(odom_frame)
    assert frames.memory() == pytest.approx(memory_frame)
