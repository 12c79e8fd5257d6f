"""Where the scanner sat that a bag was recorded with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import extract
from ami_ros.world_model.learning.windows import Joined

PERIOD = 0.2


def record(path: Path, frame: str = "laser", turn: tuple[float, ...] | None = None, x: float = 0.2) -> Path:
    """A robot that stands for 4 s; with `turn`, a transform tells of its scanner."""
    rng = np.random.default_rng(0)
    with BagWriter(path) as bag:
        if turn is not None:
            make = bag.make
            transform = make(
                "geometry_msgs/msg/Transform",
                translation=make("geometry_msgs/msg/Vector3", x=x, y=0.0, z=0.3),
                rotation=make("geometry_msgs/msg/Quaternion", **dict(zip("xyzw", turn, strict=True))),
            )
            stamped = make(
                "geometry_msgs/msg/TransformStamped",
                header=bag.header(0.0, "base_link"),
                child_frame_id="laser",
                transform=transform,
            )
            bag.message("/tf_static", "tf2_msgs/msg/TFMessage", 0.0, transforms=[stamped])
        for i in range(20):
            stamp = PERIOD * i
            bag.image("image/compressed", stamp, encode_frame(rng.integers(0, 255, (16, 16, 3), np.uint8)))
            bag.scan("scan", stamp, np.full(8, 2.0), 0.0, math.pi / 4, frame=frame)
            bag.odometry("odom", stamp, np.zeros(3), (0.0, 0.0))
            bag.command("cmd_vel", stamp, 0.0, 0.0)
    return path


UPRIGHT, HANGING, TILTED = (0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.5, 0.0, 0.87)


def test_the_data_set_knows_where_it_sat(tmp_path: Path) -> None:
    made = extract([record(tmp_path / "a", turn=HANGING), record(tmp_path / "b")], tmp_path / "data")
    assert made.scanner is not None and made.scanner.upside_down and made.scanner.x == pytest.approx(0.2)
    assert Dataset(tmp_path / "data").scanner == made.scanner
    assert Joined([made, made]).scanner == made.scanner
    assert any("'laser'" in problem for problem in made.card.sources[1]["problems"])


def test_a_bag_that_does_not_tell_gives_no_mount_and_one_in_base_link_gives_the_middle(tmp_path: Path) -> None:
    assert extract([record(tmp_path / "a")], tmp_path / "x").scanner is None
    assert extract([record(tmp_path / "b", "base_link")], tmp_path / "y").scanner == Mount()


def test_recordings_with_the_scanner_elsewhere_are_not_mixed(tmp_path: Path) -> None:
    bags = [record(tmp_path / "a", turn=UPRIGHT), record(tmp_path / "b", turn=UPRIGHT, x=-0.1)]
    with pytest.raises(AmiError, match="sat elsewhere"):
        extract(bags, tmp_path / "data")
    with pytest.raises(AmiError, match="sat elsewhere"):
        Joined([extract([bag], tmp_path / f"{bag.name}_data") for bag in bags])


def test_recordings_of_a_tilted_scanner_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="tilted"):
        extract([record(tmp_path / "a", turn=TILTED)], tmp_path / "data")
