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
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from ami_interfaces.msg import Latent
from ami_interfaces.msg import MovingThing as ThingMessage
from ami_interfaces.msg import MovingThings as ThingsMessage
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import rigid
from ami_ros.core.geometry import wrap
from ami_ros.core.images import encode_jpeg, encode_png, image_of
from ami_ros.core.robots.sensors import CameraSensor
from ami_ros.ros.messages import conversions
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings

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


def test_latent_of_another_length_or_encoder_is_refused() -> None:
    message = conversions.latent_to_message([1.0, 2.0, 3.0], Header(), "home@abc")
    with pytest.raises(AmiError, match="3 numbers"):
        conversions.latent_from_message(message, "home@abc", length=4)
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


def test_a_twist_of_either_kind_holds_two_numbers_or_three() -> None:
    twist = conversions.twist_message((0.1, 0.2, 0.3))
    assert (twist.linear.x, twist.angular.z, twist.linear.y) == (0.1, 0.2, 0.3)
    assert conversions.command_from_message(twist) == conversions.command_from_message(TwistStamped(twist=twist))
    assert conversions.command_from_message(twist) == (0.1, 0.2)
    assert conversions.command_from_message(TwistStamped(twist=twist), 3) == (0.1, 0.2, 0.3)
    assert conversions.twist_message((0.1, 0.2)).linear.y == 0.0


def test_messages_say_what_was_measured_how_well_and_what_was_not() -> None:
    header = Header(frame_id="laser")
    odometry = conversions.odometry_to_message([1.0, 2.0, 0.5], (0.1, 0.2), header, "base_link", (0.01, 0.02))
    for covariance in (odometry.pose.covariance, odometry.twist.covariance):
        diagonal = np.reshape(covariance, (6, 6)).diagonal()
        assert (diagonal > 0).all() and diagonal[[0, 5]] == pytest.approx([1e-4, 4e-4])


def test_camera_info_has_its_centre_between_the_pixels() -> None:
    info = conversions.camera_info_message(CameraSensor("c", "image", 10.0, width=96, height=64, fov=90.0), Header())
    assert (info.width, info.height) == (96, 64)
    assert (
        [info.k[i] for i in (0, 2, 4, 5)]
        == pytest.approx([48.0, 47.5, 48.0, 31.5])
        == list(np.take(info.p, (0, 2, 5, 6)))
    )


turns = st.tuples(*[st.floats(-4.0, 4.0)] * 3)


@given(turns, turns)
def test_quaternions_are_made_of_angles_and_chained(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    ours = [conversions.quaternion_from_angles(*turn) for turn in (first, second)]
    found = Rotation.from_quat(conversions.turned_quaternion(*ours))
    wanted = Rotation.from_euler("xyz", first) * Rotation.from_euler("xyz", second)
    assert (found.inv() * wanted).magnitude() < 1e-6


def test_things_survive_the_way_through_a_message() -> None:
    covariance = np.diag([0.01, 0.02, 0.03, 0.04])
    covariance[0, 2] = covariance[2, 0] = 0.005
    thing = MovingThing(7, np.array([1.0, -2.0]), np.array([0.5, 0.25]), covariance, 0.25, Kind.PERSON, 0.75)
    message = conversions.things_to_message(MovingThings(12.5, (thing,)), conversions.header_at(12.5, "odom"))
    found = conversions.things_from_message(message)
    assert found.stamp == 12.5 and message.header.frame_id == "odom"
    (back,) = found.things
    assert (back.id, back.kind, back.radius, back.confidence) == (7, Kind.PERSON, 0.25, 0.75)
    assert np.array_equal(back.position, thing.position) and np.array_equal(back.velocity, thing.velocity)
    assert np.array_equal(back.covariance, covariance)


def test_nothing_is_a_message_too_and_a_thousand_or_unknown_things_are_refused() -> None:
    assert conversions.things_from_message(ThingsMessage()).things == ()
    with pytest.raises(AmiError, match="1000 at once"):
        conversions.things_from_message(ThingsMessage(things=[ThingMessage() for _ in range(1000)]))
    with pytest.raises(AmiError, match="9 is no kind"):
        conversions.things_from_message(ThingsMessage(things=[ThingMessage(kind=9, radius=0.3)]))
