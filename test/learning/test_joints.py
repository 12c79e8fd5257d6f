"""Positions of joints are columns of a data set; data sets from before there were any still open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from ami_ros.learning.bag_writer import BagWriter
from ami_ros.learning.dataset import Dataset, checksum
from ami_ros.learning.extract import extract
from ami_ros.learning.frames import encode_frame


def record(path: Path, with_joints: bool) -> Path:
    """An arm and, for half of the time, a gripper, published apart."""
    with BagWriter(path) as bag:

        def joints(stamp: float, **positions: float) -> None:
            nothing = np.zeros(0)
            bag.message(
                "joint_states", "sensor_msgs/msg/JointState", stamp, header=bag.header(stamp, ""),
                name=list(positions), position=np.array(list(positions.values())), velocity=nothing, effort=nothing,
            )  # fmt: skip

        for i in range(20):
            stamp = 1.0 + 0.2 * i
            bag.image("image", stamp, encode_frame(np.full((32, 32, 3), i, np.uint8)))
            bag.odometry("odom", stamp, [0.1 * i, 0.0, 0.0], (0.5, 0.0))
            bag.command("cmd_vel", stamp, 0.5, 0.0)
            if with_joints:
                joints(stamp + 0.01, shoulder=0.1 * i, elbow=-0.1 * i)
            if with_joints and i < 10:
                joints(stamp - 0.02, gripper=0.5)
    return path


def test_each_joint_is_a_column_whoever_publishes_it(tmp_path: Path) -> None:
    data = extract([record(tmp_path / "bag", True)], tmp_path / "data")
    assert data.card.joints == ("elbow", "gripper", "shoulder") and data.joints.shape == (20, 3)
    np.testing.assert_allclose(data.joints[:, 2], 0.1 * np.arange(20), atol=1e-6)
    np.testing.assert_allclose(data.joints[:, 0], -data.joints[:, 2])
    assert (data.joints[:10, 1] == 0.5).all() and np.isnan(data.joints[10:, 1]).all()
    data.verify()


def test_a_later_bag_without_joints_has_none_of_them(tmp_path: Path) -> None:
    bags = [record(tmp_path / "arm", True), record(tmp_path / "none", False)]
    data = extract(bags, tmp_path / "data")
    assert data.joints.shape == (40, 3) and np.isnan(data.joints[20:]).all()


def test_a_data_set_from_before_there_were_joints_still_opens(tmp_path: Path) -> None:
    data = extract([record(tmp_path / "bag", False)], tmp_path / "data")
    assert data.joints.shape == (20, 0) and data.card.joints == ()
    (data.folder / "joints.npy").unlink()
    card = yaml.safe_load((data.folder / "dataset.yaml").read_text())
    del card["joints"], card["sizes"]["joints.npy"]
    card["checksum"] = checksum(data.folder)
    (data.folder / "dataset.yaml").write_text(yaml.safe_dump(card))
    old = Dataset(data.folder)
    old.verify()
    assert old.joints.shape == (20, 0) and old.card.joints == ()
