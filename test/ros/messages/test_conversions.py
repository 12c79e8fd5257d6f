"""Whatever a message holds, a conversion gives a usable value or an AmiError."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Pose, Quaternion, TwistStamped
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import MapMetaData, OccupancyGrid, Odometry
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import LaserScan, PointCloud2, PointField, Range
from std_msgs.msg import Header

from ami_interfaces.msg import Latent
from ami_ros.errors import AmiError
from ami_ros.geometry import wrap
from ami_ros.images import encode_jpeg, encode_png, image_of
from ami_ros.robots.sensors import CameraSensor
from ami_ros.ros.messages import conversions
from ami_ros.scan import Scan
from ami_ros.static_frames import rigid

numbers = st.floats(width=32)  # NaN and infinities too


def picture(height: int = 3, width: int = 4) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_image_survives_the_round_trip() -> None:
    image = picture()
    message = conversions.image_to_message(image, Header(frame_id="camera"))
    assert message.header.frame_id == "camera"
    np.testing.assert_array_equal(image_of(message), image)


def test_compressed_picture_survives_as_png_and_nearly_as_jpeg() -> None:
    image = np.full((16, 24, 3), (200, 40, 90), dtype=np.uint8)
    png = image_of(conversions.compressed_message(encode_png(image), "png"))
    jpeg = image_of(conversions.compressed_message(encode_jpeg(image), "jpeg"))
    np.testing.assert_array_equal(png, image)
    assert np.abs(jpeg.astype(int) - image).max() < 8


@given(st.lists(numbers, max_size=8), numbers, numbers, st.floats(0, 1, width=32), st.floats(0, 50, width=32))
def test_a_scan_keeps_its_limits_and_what_is_no_reading_is_not_free(
    ranges: list[float], angle_min: float, increment: float, low: float, high: float
) -> None:
    message = LaserScan(ranges=array.array("f", ranges), angle_min=angle_min, angle_increment=increment)
    message.range_min, message.range_max = low, high
    try:
        scan = conversions.scan_from_message(message)
    except AmiError:
        return
    finite = scan.ranges[np.isfinite(scan.ranges)]
    assert (finite > 0).all() and (finite >= low).all() and (high <= low or (finite < high).all())
    given = np.array(ranges, np.float32)
    free = (given >= high) & (high > low)
    np.testing.assert_array_equal(np.isinf(scan.ranges), free)
    assert np.isnan(scan.ranges[np.isnan(given) | (given == 0) | ((given < low) & ~np.isneginf(given))]).all()


@pytest.mark.parametrize("range_max", [0.0, math.inf, math.nan, 0.1])
def test_where_no_range_is_set_nothing_returned_does_not_mean_free(range_max: float) -> None:
    message = LaserScan(ranges=array.array("f", [math.inf, 1.0]), angle_increment=0.1, range_min=0.12)
    message.range_max = range_max
    scan = conversions.scan_from_message(message)
    assert np.isnan(scan.ranges[0]) and scan.ranges[1] == 1.0


def test_scan_survives_the_round_trip() -> None:
    scan = Scan(np.array([1.0, np.inf, 0.3], dtype=np.float32), -1.5, 0.5)
    back = conversions.scan_from_message(conversions.scan_to_message(scan, Header()))
    np.testing.assert_array_equal(back.ranges, scan.ranges)
    assert (back.angle_min, back.angle_increment) == (-1.5, 0.5)


def test_reading_too_near_to_measure_counts_as_near() -> None:
    message = LaserScan(ranges=array.array("f", [-math.inf]), angle_increment=0.1, range_min=0.12, range_max=5.0)
    assert conversions.scan_from_message(message).ranges[0] == np.float32(0.12)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-10, 10))
def test_pose_survives_the_round_trip(x: float, y: float, yaw: float) -> None:
    pose = conversions.pose_from_message(conversions.pose_to_message([x, y, yaw]))
    np.testing.assert_allclose(pose[:2], [x, y])
    assert abs(wrap(pose[2] - yaw)) < 1e-6


@given(*[numbers] * 8)
def test_odometry_is_finite_or_refused(
    x: float, y: float, a: float, b: float, c: float, w: float, v: float, turn: float
) -> None:
    message = Odometry()
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    q = message.pose.pose.orientation
    q.x, q.y, q.z, q.w = a, b, c, w
    message.twist.twist.linear.x, message.twist.twist.angular.z = v, turn
    try:
        pose, velocity = conversions.odometry_from_message(message)
    except AmiError:
        return
    assert np.isfinite(pose).all() and np.isfinite(velocity).all()


@pytest.mark.parametrize("length", [1e-2, 1.0, 1e200, 1.7e308])
def test_an_orientation_of_any_length_is_the_same_turn(length: float) -> None:
    x, y, z, w = (length * number for number in conversions.quaternion_from_yaw(2.5))
    pose = conversions.pose_from_message(Pose(orientation=Quaternion(x=x, y=y, z=z, w=w)))
    assert pose[2] == pytest.approx(2.5)
    assert rigid((0.0, 0.0, 0.0), (x, y, z, w))[:2, 0] == pytest.approx([math.cos(2.5), math.sin(2.5)])


def test_pose_without_orientation_is_refused() -> None:
    pose = Pose()
    pose.orientation.w = 0.0
    with pytest.raises(AmiError, match="orientation"):
        conversions.pose_from_message(pose)


@given(st.floats(-(2**31), 2**31 - 2))
def test_stamp_survives_the_round_trip(seconds: float) -> None:
    assert conversions.stamp_to_seconds(conversions.seconds_to_stamp(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.sampled_from([math.nan, math.inf, 1e300]))
def test_stamp_that_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(AmiError):
        conversions.seconds_to_stamp(seconds)


def test_command_is_the_same_in_both_kinds_of_twist() -> None:
    twist = conversions.twist_message((0.3, -1.0))
    assert conversions.command_from_message(twist) == (0.3, -1.0)
    assert conversions.command_from_message(TwistStamped(twist=twist)) == (0.3, -1.0)


def test_latent_survives_the_round_trip() -> None:
    latent = np.arange(5, dtype=np.float32)
    message = conversions.latent_to_message(latent, Header(), "home@abc")
    np.testing.assert_array_equal(conversions.latent_from_message(message, "home@abc"), latent)


def test_the_code_of_a_picture_travels_with_its_latent() -> None:
    code = np.array([0.5, -2.0], dtype=np.float32)
    message = conversions.latent_to_message([1.0], Header(), "home@abc", code)
    found = conversions.picture_from_message(message, 2)
    assert found is not None
    np.testing.assert_array_equal(found, code)
    assert conversions.picture_from_message(conversions.latent_to_message([1.0], Header(), "home@abc"), 2) is None
    with pytest.raises(AmiError, match="NaN"):
        conversions.picture_from_message(conversions.latent_to_message([1.0], Header(), "home@abc", [np.nan]), 1)

    with pytest.raises(AmiError, match="2 numbers, not 3"):
        conversions.picture_from_message(message, 3)


def test_latent_of_another_length_is_refused() -> None:
    message = conversions.latent_to_message([1.0, 2.0, 3.0], Header(), "home@abc")
    with pytest.raises(AmiError, match="3 numbers"):
        conversions.latent_from_message(message, "home@abc", length=4)


def test_latent_of_another_encoder_is_refused_with_the_given_code() -> None:
    message = conversions.latent_to_message([1.0], Header(), "home@abc")
    with pytest.raises(AmiError, match="encoder") as caught:
        conversions.latent_from_message(message, "home@def", code=10303)
    assert caught.value.code == 10303


@given(st.lists(numbers, max_size=6))
def test_latent_is_a_finite_vector_or_refused(data: Any) -> None:
    message = Latent(encoder_id="a", data=array.array("f", data))
    try:
        latent = conversions.latent_from_message(message, "a")
    except AmiError:
        return
    assert latent.shape == (len(data),) and len(data) > 0 and np.isfinite(latent).all()


def test_a_twist_holds_two_numbers_or_three() -> None:
    twist = conversions.twist_message((0.1, 0.2, 0.3))
    assert (twist.linear.x, twist.angular.z, twist.linear.y) == (0.1, 0.2, 0.3)
    assert conversions.command_from_message(twist) == (0.1, 0.2)
    assert conversions.command_from_message(TwistStamped(twist=twist), 3) == (0.1, 0.2, 0.3)
    assert conversions.twist_message((0.1, 0.2)).linear.y == 0.0


def test_messages_say_what_was_measured_how_well_and_what_was_not() -> None:
    header = Header(frame_id="laser")
    scan = conversions.scan_to_message(Scan(np.ones(8, np.float32), 0.0, 0.1, max_range=8.0), header, 0.12, 0.1)
    assert (scan.range_min, scan.range_max, scan.scan_time) == pytest.approx((0.12, 8.0, 0.1))
    odometry = conversions.odometry_to_message([1.0, 2.0, 0.5], (0.1, 0.2), header, "base_link", (0.01, 0.02))
    for covariance in (odometry.pose.covariance, odometry.twist.covariance):
        diagonal = np.reshape(covariance, (6, 6)).diagonal()
        assert (diagonal > 0).all() and diagonal[[0, 5]] == pytest.approx([1e-4, 4e-4])
    imu = conversions.imu_message(1.0, 0.03, header)
    assert imu.orientation_covariance[8] == pytest.approx(9e-4) and conversions.heading_from_imu(imu) == pytest.approx(
        1
    )
    assert imu.angular_velocity_covariance[0] == imu.linear_acceleration_covariance[0] == -1.0


def test_camera_info_has_its_centre_between_the_pixels_and_a_camera_over_the_world_none() -> None:
    info = conversions.camera_info_message(CameraSensor("c", "image", 10.0, width=96, height=64, fov=90.0), Header())
    assert (info.width, info.height) == (96, 64)
    assert (
        [info.k[i] for i in (0, 2, 4, 5)]
        == pytest.approx([48.0, 47.5, 48.0, 31.5])
        == list(np.take(info.p, (0, 2, 5, 6)))
    )
    above = CameraSensor("c", "image", 10.0, width=96, height=96, overhead=True)
    assert not any(conversions.camera_info_message(above, Header()).k)


def cloud_of(points: NDArray[np.floating], kind: str = "<f4", padding: int = 3) -> PointCloud2:
    """A cloud (h, w, 3) whose points and rows have some bytes that mean nothing."""
    height, width, _ = points.shape
    size = np.dtype(kind).itemsize
    code = PointField.FLOAT32 if size == 4 else PointField.FLOAT64
    raw = np.zeros((height, width * (3 * size + padding) + padding), dtype=np.uint8)
    cells = raw[:, : width * (3 * size + padding)].reshape(height, width, 3 * size + padding)
    cells[..., : 3 * size] = points.astype(kind).view(np.uint8).reshape(height, width, 3 * size)
    fields = [PointField(name=name, offset=size * k, datatype=code, count=1) for k, name in enumerate("xyz")]
    message = PointCloud2(height=height, width=width, fields=fields, is_bigendian=kind[0] == ">")
    message.point_step, message.row_step = 3 * size + padding, raw.shape[1]
    message.data = conversions.bytes_of(raw)
    return message


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
def test_a_cloud_gives_its_finite_points(kind: str) -> None:
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    points[1, 2, 0], points[3, 4, 2] = np.nan, np.inf
    found = conversions.cloud_from_message(cloud_of(points, kind))
    np.testing.assert_allclose(found, points.reshape(-1, 3)[np.isfinite(points).all(-1).ravel()], rtol=1e-6)
    assert conversions.cloud_from_message(cloud_of(np.zeros((1, 0, 3)))).shape == (0, 3)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 40), st.integers(0, 400), st.integers(0, 400), numbers)
def test_whatever_a_cloud_claims_it_gives_points_or_an_error(
    height: int, width: int, offset: int, step: int, row: int, number: float
) -> None:
    fields = [PointField(name=n, offset=offset + 4 * k, datatype=7, count=1) for k, n in enumerate("xyz")]
    message = PointCloud2(height=height, width=width, fields=fields, point_step=step, row_step=row)
    message.data = conversions.bytes_of(np.full(50, number, np.float32).view(np.uint8))
    try:
        points = conversions.cloud_from_message(message)
    except AmiError:
        return
    assert points.shape[1:] == (3,) and len(points) <= height * width and np.isfinite(points).all()


def test_clouds_that_claim_too_much_or_have_no_coordinates_are_refused() -> None:
    with pytest.raises(AmiError, match="at most"):
        conversions.cloud_from_message(PointCloud2(height=2**31, width=2**31))
    with pytest.raises(AmiError, match="needs x, y and z"):
        conversions.cloud_from_message(PointCloud2(height=1, width=1))


def test_a_range_is_an_arc_nothing_or_no_measurement() -> None:
    sonar = Range(field_of_view=0.5, min_range=0.1, max_range=2.0, range=1.0)
    arc = conversions.arc_from_message(sonar, 0.1)
    assert np.hypot(*arc.T) == pytest.approx(1.0) and np.arctan2(arc[:, 1], arc[:, 0])[[0, -1]] == pytest.approx(
        [-0.25, 0.25]
    )
    for value, count, away in ((math.inf, 0, 0.0), (2.0, 0, 0.0), (-math.inf, 7, 0.1), (0.0, 7, 0.1), (0.01, 7, 0.01)):
        sonar.range = value
        found = conversions.arc_from_message(sonar, 0.1)
        assert len(found) == count and np.hypot(*found.T) == pytest.approx(away)
    for bad in (Range(range=math.nan, max_range=2.0), Range(range=1.0, max_range=2.0, field_of_view=math.nan)):
        with pytest.raises(AmiError, match="no measurement"):
            conversions.arc_from_message(bad, 0.1)


@pytest.mark.parametrize("most", [0.0, -1.0, math.nan, math.inf])
def test_a_range_whose_limit_is_not_set_shows_what_it_measured_and_inf_does_not_mean_free(most: float) -> None:
    sonar = Range(range=0.5, max_range=most)
    assert np.hypot(*conversions.arc_from_message(sonar, 0.1).T) == pytest.approx(0.5)
    sonar.range = math.inf
    with pytest.raises(AmiError, match="set max_range"):
        conversions.arc_from_message(sonar, 0.1)


@pytest.mark.parametrize(
    ("first", "increment", "count"),
    [(0.0, 2 * math.pi, 4), (0.0, 1e30, 2), (-math.pi, 1.0, 360), (1e9, 0.1, 3), (0.0, -0.1, 70)],
)
def test_a_scan_of_more_than_a_turn_or_in_degrees_is_refused(first: float, increment: float, count: int) -> None:
    scan = LaserScan(angle_min=first, angle_increment=increment, range_max=8.0, ranges=array.array("f", [1.0] * count))
    with pytest.raises(AmiError, match="more than a turn"):
        conversions.scan_from_message(scan)


def test_a_scan_may_count_its_first_beam_twice() -> None:
    scan = LaserScan(angle_min=-math.pi, angle_increment=math.pi / 180, range_max=8.0)
    scan.ranges = array.array("f", [1.0] * 361)
    assert len(conversions.scan_from_message(scan).ranges) == 361


def test_a_mask_has_the_cells_that_are_wholly_occupied() -> None:
    info = MapMetaData(resolution=0.5, width=3, height=2)
    info.origin.position.x, info.origin.orientation.w = 4.0, 1.0
    cells, side, origin = conversions.mask_from_message(
        OccupancyGrid(info=info, data=array.array("b", [100, 99, -1, 0, 100, 50]))
    )
    assert cells.tolist() == [[True, False, False], [False, True, False]] and side == 0.5
    assert origin == pytest.approx([4.0, 0.0, 0.0])
    with pytest.raises(AmiError, match="has 1 of them"):
        conversions.mask_from_message(OccupancyGrid(info=info, data=array.array("b", [0])))
    for change in ({"resolution": 0.0}, {"width": 2**31}):
        with pytest.raises(AmiError, match="cannot be used"):
            conversions.mask_from_message(
                OccupancyGrid(info=MapMetaData(**{"resolution": 0.5, "width": 1, "height": 1} | change))
            )


turns = st.tuples(*[st.floats(-4.0, 4.0)] * 3)


@given(turns, turns)
def test_quaternions_are_made_of_angles_and_chained(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    ours = [conversions.quaternion_from_angles(*turn) for turn in (first, second)]
    found = Rotation.from_quat(conversions.turned_quaternion(*ours))
    wanted = Rotation.from_euler("xyz", first) * Rotation.from_euler("xyz", second)
    assert (found.inv() * wanted).magnitude() < 1e-6
