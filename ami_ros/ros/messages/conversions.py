"""ROS messages to plain values and back. Everything from outside is checked here; a message that cannot be used raises
`AmiError`."""

from __future__ import annotations

import array
import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import (
    Point,
    Point32,
    Polygon,
    PolygonStamped,
    Pose,
    Pose2D,
    Quaternion,
    Transform,
    Twist,
    TwistStamped,
    Vector3,
)
from nav_msgs.msg import Odometry
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ami_interfaces.msg import GoalView, Latent, NavigationGoal, Surprise
from ami_interfaces.msg import MovingThing as ThingMessage
from ami_interfaces.msg import MovingThings as ThingsMessage
from ami_ros.core.commands import Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.sensors import LensSensor
from ami_ros.memory.types import View
from ami_ros.planning.types import Reading
from ami_ros.safety.moving_things import MOST_THINGS, Kind, MovingThing, MovingThings, checked

# ROS messages to plain values and back: the only place that knows the layout of messages.
#
# Everything from outside is checked here; a message that cannot be used raises `AmiError`.

T = TypeVar("T")
FARTHEST = 1e100  # [m] that a coordinate may be: squares stay finite


def message_class(type_name: str) -> Any:
    """The class of a message type, as "nav_msgs/msg/Path".

    Raises:
        AmiError: its package is not installed.
    """
    package, kind, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError):
        raise AmiError(f"the Python module of {type_name} cannot be imported: install {package}") from None


def stamp_to_seconds(stamp: Time | Duration) -> float:
    """Seconds [s] in a stamp or duration."""
    return float(stamp.sec + stamp.nanosec * 1e-9)


def seconds_to_stamp(seconds: float) -> Time:
    """A stamp from seconds [s]."""
    return Time(**_split(seconds))


def seconds_to_duration(seconds: float) -> Duration:
    """A duration from seconds [s]."""
    return Duration(**_split(seconds))


def _split(seconds: float) -> dict[str, int]:
    if not math.isfinite(seconds) or not -(2**31) <= seconds < 2**31 - 1:
        raise AmiError(f"a time of {seconds} s does not fit a stamp")
    whole = math.floor(seconds)
    nanoseconds = round((seconds - whole) * 1e9)
    return {"sec": whole + nanoseconds // 10**9, "nanosec": nanoseconds % 10**9}


def stamp_of(message: Any) -> float:
    """The time in a message's header [s]."""
    return stamp_to_seconds(message.header.stamp)


def bytes_of(values: ArrayLike) -> array.array[int]:
    """`values` as the type that a uint8[] field takes without a copy per element (a list is 100 times slower)."""
    data = array.array("B")
    found = np.ascontiguousarray(values, dtype=np.uint8)
    if found.size:  # a view of nothing cannot be cast
        data.frombytes(found.data.cast("B"))
    return data


def floats_of(values: ArrayLike) -> array.array[float]:
    """`values` as the type that a float32[] field takes without a copy per element."""
    return array.array("f", np.asarray(values, dtype=np.float32).tobytes())


def image_to_message(image: NDArray[np.uint8], header: Header) -> Image:
    """An rgb8 Image from a picture (H, W, 3) RGB."""
    height, width, _ = image.shape
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=bytes_of(image))


def depth_to_message(depth: NDArray[np.float32], header: Header, encoding: str) -> Image:
    """An Image, 16UC1 [mm] or 32FC1 [m], from depths (H, W) [m]; of mm, what was not measured is 0."""
    height, width = depth.shape
    if encoding == "32FC1":
        values = np.asarray(depth, "<f4")
    else:
        values = np.rint(np.nan_to_num(1000 * depth, nan=0.0, posinf=0.0).clip(0, 65535)).astype("<u2")
    data = bytes_of(np.frombuffer(values.tobytes(), np.uint8))
    return Image(header=header, height=height, width=width, encoding=encoding, step=values.itemsize * width, data=data)


def compressed_message(data: bytes, kind: str) -> CompressedImage:
    """A CompressedImage that holds `data`, a file of `kind` jpeg or png."""
    return CompressedImage(format=kind, data=array.array("B", data))


def pose_from_transform(transform: Transform) -> Array:
    """The planar pose (3,) in a Transform."""
    move = transform.translation
    return pose_from_message(Pose(position=Point(x=move.x, y=move.y, z=move.z), orientation=transform.rotation))


def pose_from_message(pose: Pose) -> Array:
    """The planar pose (3,) in a Pose."""
    q = pose.orientation
    values = (pose.position.x, pose.position.y, q.x, q.y, q.z, q.w)
    if not all(map(math.isfinite, values)):
        raise AmiError("pose has a NaN or infinite number in it")
    if max(abs(pose.position.x), abs(pose.position.y)) > FARTHEST:
        raise AmiError(f"pose is more than {FARTHEST:g} m away from its frame's origin")
    if math.hypot(q.x, q.y, q.z, q.w) < 1e-3:
        raise AmiError("pose has an orientation of length zero; set w to 1 for no rotation")
    return np.array([pose.position.x, pose.position.y, yaw_from_quaternion((q.x, q.y, q.z, q.w))])


def pose_from_pose2d(pose: Pose2D) -> Array:
    """The planar pose (3,) in a Pose2D."""
    return np.array([pose.x, pose.y, pose.theta])


def pose_to_message(pose: ArrayLike) -> Pose:
    """A Pose from a planar pose (3,)."""
    x, y, yaw = (float(v) for v in np.asarray(pose))
    z, w = math.sin(yaw / 2), math.cos(yaw / 2)
    return Pose(position=Point(x=x, y=y), orientation=Quaternion(z=z, w=w))


def polygon_message(corners: ArrayLike, header: Header) -> PolygonStamped:
    """Corners (n, 2) [m] in the frame of `header`."""
    points = [Point32(x=float(x), y=float(y)) for x, y in np.asarray(corners, np.float64).reshape(-1, 2)]
    return PolygonStamped(header=header, polygon=Polygon(points=points))


def odometry_from_message(message: Odometry) -> tuple[Array, Command]:
    """The pose (3,) in odom, and the velocity in base_link, of three numbers."""
    velocity = command_from_message(message.twist.twist, 3)
    if not all(map(math.isfinite, velocity)):
        raise AmiError("odometry has a NaN or infinite velocity in it")
    return pose_from_message(message.pose.pose), velocity


def odometry_to_message(
    pose: ArrayLike, velocity: Command, header: Header, child_frame: str, deviations: Command = (0.0, 0.0)
) -> Odometry:
    """An Odometry from a pose (3,) in the frame of `header` and a velocity in `child_frame`.

    Args:
        deviations: of a linear [m/s] and of an angular velocity [rad/s]. Those of the pose are given as what they come
            to in a second: odometry drifts, and nobody knows how far it is off.
    """
    message = Odometry(header=header, child_frame_id=child_frame)
    message.pose.pose = pose_to_message(pose)
    message.twist.twist = twist_message(velocity)
    least = 1e-3  # a variance of 0 says that nothing is known
    linear, angular = (max(deviation, least) ** 2 for deviation in deviations)
    # x, y, z, roll, pitch, yaw: a robot on a floor neither rises nor tilts.
    covariance = np.diag([linear, linear, least**2, least**2, least**2, angular])
    message.pose.covariance = message.twist.covariance = covariance.ravel()
    return message


def camera_info_message(camera: LensSensor, header: Header) -> CameraInfo:
    """Pinhole intrinsics of a camera without distortion."""
    info = CameraInfo(header=header, height=camera.height, width=camera.width)
    fx, fy, cx, cy = camera.matrix
    info.distortion_model, info.d = "plumb_bob", [0.0] * 5
    info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def command_from_message(message: Twist | TwistStamped, width: int = 2) -> Command:
    """The command of `width` numbers (see `ami_ros.core.commands`) in a Twist or TwistStamped; it may hold NaN, which
    the safety gate judges."""
    twist = message.twist if isinstance(message, TwistStamped) else message
    return (twist.linear.x, twist.angular.z, twist.linear.y)[:width]


def twist_message(command: ArrayLike) -> Twist:
    """A Twist from a command of two or three numbers (see `ami_ros.core.commands`)."""
    twist = Twist()
    twist.linear.x, twist.angular.z, twist.linear.y = of_width(np.asarray(command), 3)
    return twist


def command_type(stamped: bool) -> type[Twist] | type[TwistStamped]:
    """Of the messages that carry commands."""
    return TwistStamped if stamped else Twist


def command_message(command: ArrayLike, stamped: bool, stamp: Time, frame: str) -> Twist | TwistStamped:
    """A command in `frame`, which with its stamp a Twist cannot say."""
    twist = twist_message(command)
    return TwistStamped(header=header_at(stamp, frame), twist=twist) if stamped else twist


def latent_from_message(message: Latent, encoder_id: str, code: int = 0, length: int = 0) -> NDArray[np.float32]:
    """The latent (latent_dim,) in a Latent.

    Args:
        message: given.
        encoder_id: that it must be of.
        code: of the error if it is of another.
        length: latent_dim of that encoder; 0: not known here.

    Raises:
        AmiError: of another encoder, or malformed.
    """
    if message.encoder_id != encoder_id:
        raise AmiError(
            f"latent is of encoder '{message.encoder_id}', this node's is '{encoder_id}'; use one model", code
        )
    latent = np.array(message.data, dtype=np.float32)
    if not len(latent) or not np.isfinite(latent).all():
        raise AmiError("latent is empty, or has a NaN or infinite number in it")
    if length and len(latent) != length:
        raise AmiError(f"latent has {len(latent)} numbers, those of '{encoder_id}' have {length}")
    return latent


def latent_to_message(latent: ArrayLike, header: Header, encoder_id: str, picture: ArrayLike | None = None) -> Latent:
    """A Latent from a latent (latent_dim,), with the code of its picture, if there is one."""
    message = Latent(header=header, encoder_id=encoder_id, data=floats_of(latent))
    if picture is not None:
        message.picture = floats_of(picture)
    return message


def picture_from_message(message: Latent, length: int) -> NDArray[np.float32] | None:
    """The code (length,) of a picture that comes with a latent, whose encoder was checked; None if there is none.

    A model that compares no pictures has a length of 0.

    Raises:
        AmiError: it is not finite, or of another length.
    """
    picture = np.array(message.picture, dtype=np.float32)
    if not np.isfinite(picture).all():
        raise AmiError("the code of a latent's picture has a NaN or infinite number in it")
    if length and len(picture) not in (0, length):
        raise AmiError(f"the code of a latent's picture has {len(picture)} numbers, not {length}")
    return picture if length and len(picture) else None


MOST_VIEWS = 11  # further pictures of a goal; each is encoded before the robot sets out, and compared with places


def views_of(goal: NavigationGoal) -> list[GoalView]:
    """The further pictures of a goal. Raises AmiError: they are too many."""
    if len(goal.views) > MOST_VIEWS:
        raise AmiError(f"the goal has {len(goal.views)} further pictures; at most {MOST_VIEWS} are compared")
    return list(goal.views)


def turn_of(view: GoalView) -> float:
    """How far [rad] the robot had turned from the goal's heading. Raises AmiError: it is not finite."""
    if not math.isfinite(view.turn):
        raise AmiError("the turn of a goal's further picture is not finite")
    return float(view.turn)


def views_from_message(goal: NavigationGoal, encoder_id: str, code: int, length: int, picture_code: int) -> list[View]:
    """The pictures of a goal of latents, as it looks first; see `latent_from_message` and `picture_from_message`."""

    def view(latent: Latent, turn: float) -> View:
        values = latent_from_message(latent, encoder_id, code, length)
        return View(values, picture_from_message(latent, picture_code), turn)

    return [view(goal.latent, 0.0), *(view(other.latent, turn_of(other)) for other in views_of(goal))]


def header_at(stamp: Any, frame: str) -> Header:
    """A header for `stamp` (a Time message or seconds [s]) in `frame`."""
    return Header(stamp=stamp if isinstance(stamp, Time) else seconds_to_stamp(stamp), frame_id=frame)


def quaternion_from_yaw(yaw: float) -> tuple[float, float, float, float]:
    """The quaternion that turns by `yaw` [rad] about z."""
    return 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)


def quaternion_from_angles(roll: float, pitch: float, yaw: float) -> tuple[float, ...]:
    """The quaternion (x, y, z, w) that turns about fixed x, y and z in turn [rad]."""
    (a, x), (b, y), (c, z) = ((math.cos(angle / 2), math.sin(angle / 2)) for angle in (roll, pitch, yaw))
    return x * b * c - a * y * z, a * y * c + x * b * z, a * b * z - x * y * c, a * b * c + x * y * z


def turned_quaternion(first: Sequence[float], second: Sequence[float]) -> tuple[float, ...]:
    """What turns as `second` within a frame that `first` has turned: the product of two quaternions (x, y, z, w)."""
    (a, b, c, d), (e, f, g, h) = first, second
    x, y, z = d * e + a * h + b * g - c * f, d * f - a * g + b * h + c * e, d * g + a * f - b * e + c * h
    return x, y, z, d * h - a * e - b * f - c * g


def yaw_from_quaternion(xyzw: tuple[float, float, float, float]) -> float:
    """The turn about z [rad] in a quaternion of any length but 0: yaw of the angles about fixed x, y, z."""
    largest = max(map(abs, xyzw))  # squares of large numbers are infinite, and those of small ones 0
    x, y, z, w = (number / largest for number in xyzw)
    return math.atan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)


def point_from_message(point: Point | Vector3) -> Array:
    """Its x and y (2,)."""
    return np.array([point.x, point.y])


def _same(value: Any) -> Any:
    return value


# By the type of a message's field: how a value becomes it, and how it becomes a value. All else is as it is.
CARRIED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "float": (float, float),
    "double": (float, float),
    "builtin_interfaces/Time": (seconds_to_stamp, stamp_to_seconds),
    "builtin_interfaces/Duration": (seconds_to_duration, stamp_to_seconds),
    "geometry_msgs/Pose": (pose_to_message, pose_from_message),
    "geometry_msgs/Point": (lambda xy: Point(x=float(xy[0]), y=float(xy[1])), point_from_message),
    "geometry_msgs/Vector3": (lambda xy: Vector3(x=float(xy[0]), y=float(xy[1])), point_from_message),
}


class Record(Generic[T]):
    """A dataclass and a message of the same content, field by field; see `CARRIED`.

    Args:
        cls: the dataclass.
        message: type of the message.
        fields: attribute of the dataclass, by field of the message.
    """

    def __init__(self, cls: Callable[..., T], message: Any, **fields: str) -> None:
        kinds = message.get_fields_and_field_types()
        self._cls, self._message = cls, message
        self._fields = [(name, own, *CARRIED.get(kinds[name], (_same, _same))) for name, own in fields.items()]

    def fill(self, message: Any, value: T) -> None:
        """Writes a value into a message."""
        for name, own, write, _ in self._fields:
            setattr(message, name, write(getattr(value, own)))

    def to_message(self, value: T, **others: Any) -> Any:
        """A message, with what `others` say of its further fields."""
        message = self._message(**others)
        self.fill(message, value)
        return message

    def from_message(self, message: Any, **others: Any) -> T:
        """A value, with what `others` say of its further fields. Raises AmiError: a pose is none."""
        return self._cls(**{own: read(getattr(message, name)) for name, own, _, read in self._fields}, **others)


# How surprising a moment was; with the header of that moment.
SURPRISE = Record(
    Reading, Surprise, surprise="error", baseline="usual", z_score="z_score", alarm="alarm", uncertainty="expected"
)


def reading_from_message(message: Surprise) -> Reading:
    """The surprise in a message."""
    return SURPRISE.from_message(message, stamp=stamp_of(message))


_THING = Record(
    MovingThing, ThingMessage, id="id", position="position", velocity="velocity", radius="radius",
    confidence="confidence",
)  # fmt: skip


def things_to_message(things: MovingThings, header: Header) -> ThingsMessage:
    """`header`: stamp of the scan, frame odom."""
    found = [
        _THING.to_message(thing, kind=int(thing.kind), covariance=np.asarray(thing.covariance, np.float64).ravel())
        for thing in things.things
    ]
    return ThingsMessage(header=header, things=found)


def things_from_message(message: ThingsMessage) -> MovingThings:
    """Raises AmiError on what no tracker can mean: see `safety.moving_things.checked`."""
    if len(message.things) > MOST_THINGS:  # before a thousand of them cost time
        raise AmiError(f"moving things: {len(message.things)} at once; at most {MOST_THINGS}, publish the nearest")
    found = []
    for thing in message.things:
        if thing.kind not in list(Kind):
            raise AmiError(f"moving things: {thing.kind} is no kind of thing; see MovingThing.msg")
        covariance = np.array(thing.covariance, np.float64).reshape(4, 4)
        found.append(_THING.from_message(thing, kind=Kind(thing.kind), covariance=covariance))
    return checked(MovingThings(stamp_of(message), tuple(found)))
