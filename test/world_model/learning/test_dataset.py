"""From bags to a data set: alignment, episodes, what is dropped, and broken input."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from ami_ros.cli.train import with_camera
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_writer import BagWriter, message_types
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.spec import ModelSpec

PERIOD = 0.2
FROM_RGB = {
    "bgr8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGB2RGBA,
    "bgra8": cv2.COLOR_RGB2BGRA,
    "mono8": cv2.COLOR_RGB2GRAY,
}


def picture(i: int, size: int = 32) -> np.ndarray:
    image = np.full((size, size, 3), (i % 200, 40, 250 - i % 200), dtype=np.uint8)
    image[: size // 2] = 20
    return image


def drive(path: Path, stamps: np.ndarray, change: Callable[[BagWriter, int, float], None] | None = None) -> Path:
    """A bag of a straight drive at 0.5 m/s: everything at each stamp, as `ami collect` writes it."""
    with BagWriter(path) as bag:
        for i, stamp in enumerate(stamps.tolist()):
            if change:
                change(bag, i, stamp)
            bag.image("image/compressed", stamp, encode_frame(picture(i)))
            bag.scan("scan", stamp, 1.0 + np.arange(8), -np.pi, np.pi / 4)
            bag.odometry("odom", stamp, [0.1 * i, 0.0, 3.1], (0.5, 0.1))
            bag.command("cmd_vel", stamp, 0.01 * i, -0.02 * i)
            bag.pose("ground_truth", stamp, [i, 2.0, 0.5], "world")
    return path


def test_rows_are_the_moments_of_the_bag(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", PERIOD * np.arange(40))
    data = extract([bag], tmp_path / "data")
    assert len(data) == 40 and data.episodes == [(0, 40)] and data.period == PERIOD
    np.testing.assert_allclose(data.stamp, PERIOD * np.arange(40))
    np.testing.assert_allclose(data.command[:, 0], 0.01 * np.arange(40), atol=1e-6)
    np.testing.assert_allclose(data.odometry[7], [0.7, 0.0, 3.1])
    np.testing.assert_allclose(data.velocity[7], [0.5, 0.1])
    np.testing.assert_allclose(data.truth[7], [7.0, 2.0, 0.5])
    assert data.card.has_truth
    np.testing.assert_array_equal(data.scan[3], [5, 6, 7, 8, 1, 2, 3, 4])  # straight ahead first
    np.testing.assert_allclose(data.images([7], 32)[0], picture(7), atol=6)
    images = data.load_images(16)
    assert images.shape == (40, 16, 16, 3)
    np.testing.assert_allclose(images[7], picture(7, 16), atol=6)
    data.verify()


def test_card_tells_where_the_data_came_from_and_what_was_dropped(tmp_path: Path) -> None:
    stamps = PERIOD * np.arange(60)
    stamps[30:] += 5.0
    stamps[55:] += 5.0
    data = extract([drive(tmp_path / "bag", stamps)], tmp_path / "data")
    assert data.episodes == [(0, 30), (30, 55)]
    card = yaml.safe_load((tmp_path / "data/dataset.yaml").read_text())
    assert card["dropped"] == {"cuts at gaps of the images": 2, "frames in episodes shorter than 16": 5}
    assert card["sources"][0]["path"] == str(tmp_path / "bag") and card["sources"][0]["frames"] == 55
    assert card["frames"] == 55 and card["episodes"] == 2


def test_faster_sensors_are_brought_to_the_period(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(1000):  # a 100 Hz clock; images at about 30 Hz with jitter, odometry at 50 Hz, commands at 10 Hz
            stamp = 10 + i / 100
            if i % 10 == 0:
                bag.command("cmd_vel", stamp, 0.1 * (i // 10 % 2), 0.0)
            if i % 10 in (0, 3, 7):
                bag.image("image/compressed", stamp + 0.002 * (i % 3), encode_frame(picture(i)))
            if i % 2 == 0:
                bag.odometry("odom", stamp, [stamp, 0.0, 3.0 * stamp], (1.0, 3.0))
    data = extract([tmp_path / "bag"], tmp_path / "data")
    assert len(data.episodes) == 1 and 48 <= len(data) <= 51
    np.testing.assert_allclose(np.diff(data.stamp), PERIOD, atol=0.04)
    np.testing.assert_allclose(data.odometry[:, 0], data.stamp, atol=1e-6)  # interpolated to the image
    np.testing.assert_allclose(data.command[:-1, 0], 0.05, atol=0.02)  # half of the time 0.1
    assert data.scan.shape == (len(data), 0)


def test_commands_stop_after_their_timeout(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(20):
            bag.image("image/compressed", PERIOD * i, encode_frame(picture(i)))
            bag.odometry("odom", PERIOD * i, [0.0, 0.0, 0.0], (0.0, 0.0))
        bag.command("cmd_vel", 1.1, 0.4, 0.2)
    data = extract([tmp_path / "bag"], tmp_path / "data")
    np.testing.assert_allclose(data.command[4:12, 0], [0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.2, 0], atol=1e-6)


class LateRecorder(BagWriter):
    """Records everything at half the speed of the stamps, whatever these do."""

    clock = 100.0

    def raw(self, topic: str, type_name: str, time: float, data: bytes | memoryview) -> None:
        super().raw(topic, type_name, self.clock, data)


def test_episodes_end_where_odometry_jumps_and_where_the_clock_goes_back(tmp_path: Path) -> None:
    stamps = np.concatenate([PERIOD * np.arange(50), PERIOD * np.arange(20)])
    with LateRecorder(tmp_path / "bag") as bag:
        for i, stamp in enumerate(stamps.tolist()):
            bag.clock += PERIOD / 2
            bag.image("image/compressed", stamp, encode_frame(picture(i)))
            bag.odometry("odom", stamp, [0.1 * i + 9.0 * (i >= 25), 0.0, 0.0], (0.0, 0.0))
            forward, turning = (bag.make("geometry_msgs/msg/Vector3", x=v, y=0.0, z=v) for v in (0.1, 0.01 * i))
            bag.message("cmd_vel", "geometry_msgs/msg/Twist", stamp, linear=forward, angular=turning)
    data = extract([tmp_path / "bag"], tmp_path / "data")
    assert data.episodes == [(0, 25), (25, 50), (50, 70)]
    # A Twist has no stamp: when it was recorded tells, brought to the clock of the images.
    np.testing.assert_allclose(data.command[:, 1], 0.01 * np.arange(70), atol=1e-6)
    assert data.card.dropped["cuts where the clock went back"] == 1
    assert data.card.dropped["cuts at jumps of the odometry"] == 1


def as_sqlite(source: Path, target: Path) -> Path:
    """The same bag in the older storage of rosbag2."""
    with Reader(source) as bag, Writer(target, version=8, storage_plugin=StoragePlugin.SQLITE3) as copy:
        types = message_types()
        connections = {c.topic: copy.add_connection(c.topic, c.msgtype, typestore=types) for c in bag.connections}
        for connection, time, data in bag.messages():
            copy.write(connections[connection.topic], time, data)
    return target


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
def test_raw_images_of_all_encodings_with_padded_rows_from_sqlite(tmp_path: Path, encoding: str) -> None:
    rgb = cv2.resize(picture(100), (48, 32))
    pixels = rgb if encoding == "rgb8" else cv2.cvtColor(rgb, FROM_RGB[encoding])
    padded = np.pad(pixels.reshape(32, -1), ((0, 0), (0, 5)))
    shape = {"height": 32, "width": 48, "encoding": encoding, "is_bigendian": 0, "step": padded.shape[1]}
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(20):
            fields = {"header": bag.header(PERIOD * i, ""), "data": padded.ravel(), **shape}
            bag.message("cam/image_raw", "sensor_msgs/msg/Image", PERIOD * i, **fields)
            bag.odometry("odom", PERIOD * i, [0.0, 0.0, 0.0], (0.0, 0.0))
            bag.command("cmd_vel", PERIOD * i, 0.0, 0.0)
    data = extract([as_sqlite(tmp_path / "bag", tmp_path / "old")], tmp_path / "data", ExtractConfig(max_side=16))
    assert data.card.image_size == (24, 16)
    expected = picture(100, 16)
    if encoding == "mono8":
        expected = cv2.cvtColor(cv2.cvtColor(expected, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    np.testing.assert_allclose(data.images([0], 16)[0], expected, atol=8)


def with_camera_info(focal: float) -> Callable[[BagWriter, int, float], None]:
    """A CameraInfo for each picture of 32x32 px."""

    def add(bag: BagWriter, i: int, stamp: float) -> None:
        roi = bag.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        k = np.array([focal, 0, 15.5, 0, focal, 15.5, 0, 0, 1.0])
        bag.message(
            "camera_info", "sensor_msgs/msg/CameraInfo", stamp, header=bag.header(stamp, "camera"), height=32, width=32,
            distortion_model="plumb_bob", d=np.zeros(5), k=k, r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0,
            binning_y=0, roi=roi,
        )  # fmt: skip

    return add


def test_pictures_are_brought_to_the_camera_of_a_model_by_camera_info(tmp_path: Path) -> None:
    wide = drive(tmp_path / "wide", PERIOD * np.arange(20), with_camera_info(8.0))
    config = ExtractConfig(field_of_view=math.pi / 2)  # the middle 16 of 32 px
    data = extract([wide], tmp_path / "data", config)
    assert data.card.image_size == (16, 16) and data.field_of_view == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(data.images([5], 16)[0][[0, -1]], picture(5)[[8, 23], 8:24], atol=8)
    with pytest.raises(AmiError, match="sees less"):
        extract([drive(tmp_path / "narrow", PERIOD * np.arange(20), with_camera_info(32.0))], tmp_path / "n", config)
    silent = extract([drive(tmp_path / "silent", PERIOD * np.arange(20))], tmp_path / "s", config)
    assert silent.card.image_size == (32, 32) and "no calibrated camera_info" in silent.card.sources[0]["problems"][0]


def test_a_model_takes_on_the_camera_of_its_data_and_none_of_two(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", PERIOD * np.arange(20))
    known, other = (extract([bag], tmp_path / f"{f}", ExtractConfig(field_of_view=f)) for f in (1.5, 1.6))
    unknown = extract([bag], tmp_path / "unknown")
    assert with_camera(ModelSpec(), [unknown]).inputs.field_of_view == 0.0
    assert with_camera(ModelSpec(), [unknown, known]).inputs.field_of_view == pytest.approx(1.5)
    with pytest.raises(AmiError, match=r"1\.5, 1\.6 rad"):
        with_camera(ModelSpec(), [known, other])


def test_a_broken_image_costs_its_row_and_cuts_the_episode(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(60):
            bag.image("image/compressed", PERIOD * i, b"\xff\xd8 no jpeg" if i == 30 else encode_frame(picture(i)))
            bag.odometry("odom", PERIOD * i, [0.0, 0.0, 0.0], (0.0, 0.0))
            bag.command("cmd_vel", PERIOD * i, 0.001 * i, 0.0)
    data = extract([tmp_path / "bag"], tmp_path / "data")
    assert data.episodes == [(0, 30), (30, 59)]
    assert data.card.dropped == {"frames with a broken image": 1}
    np.testing.assert_allclose(data.images([30], 32)[0], picture(31), atol=6)
    assert data.command[30, 0] == pytest.approx(0.031)


def test_several_bags_make_one_data_set(tmp_path: Path) -> None:
    bags = [drive(tmp_path / name, PERIOD * np.arange(20)) for name in "ab"]
    done: list[tuple[int, int]] = []
    data = extract(bags, tmp_path / "data", progress=lambda *now: done.append(now))
    assert data.episodes == [(0, 20), (20, 40)] and data.episode.tolist() == [0] * 20 + [1] * 20
    assert done[-1] == (2 * 20 * 6, 2 * 20 * 6)  # images are read twice


def test_topics_can_be_named_and_must_be_there(tmp_path: Path) -> None:
    def second_camera(bag: BagWriter, i: int, stamp: float) -> None:
        bag.image("left/image/compressed", stamp, encode_frame(picture(0)))

    bag = drive(tmp_path / "bag", PERIOD * np.arange(20), second_camera)
    with pytest.raises(AmiError, match=r"which of .*left/image/compressed.* is the image"):
        extract([bag], tmp_path / "data")
    data = extract([bag], tmp_path / "data", ExtractConfig(topics={"image": "left/image/compressed"}))
    np.testing.assert_allclose(data.images([9], 32)[0], picture(0), atol=6)
    with pytest.raises(AmiError, match="no topic nothing fit for 'scan'"):
        extract([bag], tmp_path / "other", ExtractConfig(topics={"scan": "nothing"}))
    with BagWriter(tmp_path / "poor") as poor:
        poor.command("cmd_vel", 0.0, 0.0, 0.0)
    with pytest.raises(AmiError, match=r"has no image .*it has /cmd_vel \(TwistStamped\)"):
        extract([tmp_path / "poor"], tmp_path / "other")


def test_too_slow_a_camera_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", np.arange(20.0))
    with pytest.raises(AmiError, match=r"nothing usable .* 20 images, which come every 1.00 s, .* set --period 1.00"):
        extract([bag], tmp_path / "data")
    assert [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_damaged_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", PERIOD * np.arange(20))
    extract([bag], tmp_path / "data")
    with pytest.raises(AmiError, match="exists already"):
        extract([bag], tmp_path / "data")
    with pytest.raises(AmiError, match="no data set"):
        Dataset(tmp_path)
    odometry = tmp_path / "data/odometry.npy"
    content = bytearray(odometry.read_bytes())
    content[-1] ^= 1
    odometry.write_bytes(content)
    with pytest.raises(AmiError, match="checksum"):
        Dataset(tmp_path / "data").verify()
    odometry.write_bytes(content[:-8])
    with pytest.raises(AmiError, match=r"odometry\.npy is missing or cut off"):
        Dataset(tmp_path / "data")
    card = tmp_path / "data/dataset.yaml"
    card.write_text(card.read_text().replace("version: 1", "version: 2", 1))
    with pytest.raises(AmiError, match="version 2, this program reads 1"):
        Dataset(tmp_path / "data")
