"""Whether what is heard of a robot, live or from a bag, fits its description: findings, each with the line to write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ami_ros.core.camera import camera_of
from ami_ros.core.config import from_mapping
from ami_ros.core.depth import DepthConfig, DepthScanner, depth_of
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import mount_of
from ami_ros.core.images import ENCODINGS
from ami_ros.core.robots.derived import depth_settings
from ami_ros.core.robots.derived import topics as topics_of
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.observation import (
    COMPRESSED,
    IMAGE,
    IMU,
    ODOMETRY,
    SCAN,
    TWIST,
    TWIST_STAMPED,
    Observation,
    Topic,
)
from ami_ros.core.robots.sensors import (
    INTRINSICS_TOLERANCE,
    CameraSensor,
    DepthSensor,
    ImuSensor,
    LaserSensor,
    LensSensor,
    OdometrySensor,
    Sensor,
)

Severity = Literal["ok", "warning", "error"]

OLD = 0.5  # [s] age of a stamp from which on nodes take a sensor for silent (`agent.watchdog.Patience`)
FUTURE = 0.1  # [s] by which a stamp may lie ahead
SLOWEST = 4.3  # [Hz] below which a sensor gives no moments every 0.2 s (`learning.alignment.SLOW`)
RATES = 0.6, 1.7  # share of the described rate that is no finding


@dataclass(frozen=True)
class Finding:
    """One thing that fits or does not.

    Attributes:
        severity: error: the stack cannot drive with it; warning: it may; ok.
        topic: that it is about, or another name.
        text: what is so.
        remedy: the line to write, or what to do; empty if it is fine.
    """

    severity: Severity
    topic: str
    text: str
    remedy: str = ""


def examine(robot: RobotDescription, seen: Observation, namespace: str = "") -> list[Finding]:
    """All findings about `robot` in what was seen, in the order of its description.

    Args:
        robot: what is expected.
        seen: what is there.
        namespace: below which the robot's relative topics lie, as "/robot1".
    """
    findings: list[Finding] = []
    for sensor in robot.sensors:
        if isinstance(sensor, LaserSensor) and sensor.is_made:
            continue  # it comes from perception, which need not run yet
        if not (seen.live or sensor.recorded or full_name(sensor.topic, namespace) in seen.topics):
            continue  # ./ami record leaves it out
        found = _sensor(robot, sensor, seen, namespace)
        if isinstance(sensor, ImuSensor):  # nothing here needs it
            found = [replace(f, severity="warning") if f.severity == "error" else f for f in found]
        findings += found
    return [*findings, *_command(robot, seen, namespace), *_clocks(robot, seen, namespace)]


def full_name(topic: str, namespace: str) -> str:
    """The absolute name of a topic of the robot."""
    return topic if topic.startswith("/") else f"/{namespace.strip('/')}/{topic}".replace("//", "/")


def _sensor(robot: RobotDescription, sensor: Sensor, seen: Observation, namespace: str) -> list[Finding]:
    name, wanted = full_name(sensor.topic, namespace), _type_of(sensor)
    if not seen.live and wanted == IMAGE and (packed := f"{name}/compressed") in seen.topics:
        name, wanted = packed, COMPRESSED  # as ./ami record prefers it
    topic = seen.topics.get(name)
    if topic is None or not (topic.publishers or topic.arrivals):
        return [_missing(name, wanted, seen, f"topic: {{}}  # of sensor {sensor.name}")]
    if topic.type != wanted:
        remedy = "type: compressed" if topic.type == COMPRESSED else "type: raw" if topic.type == IMAGE else ""
        remedy = remedy or f"name the topic of sensor {sensor.name} that is a {wanted}"
        return [Finding("error", name, f"is a {topic.type}, and the description expects {wanted}", remedy)]
    if not topic.arrivals:
        who = ", ".join(topic.publishers)
        return [Finding("error", name, f"{who} offers it, and nothing arrives", "is the sensor on? do domains match?")]
    findings = [*_publishers(name, topic), *_rate(name, topic, sensor), *_stamps(name, topic, sensor, seen.live)]
    findings += _frame(robot, name, topic, sensor, seen)
    if isinstance(sensor, CameraSensor):
        findings += [*_picture(name, topic, sensor), *_intrinsics(sensor, seen, namespace)]
        findings += _height(robot, name, topic, sensor, seen)
    elif isinstance(sensor, DepthSensor):
        findings += _depth(robot, name, topic, sensor, seen, namespace)
    elif isinstance(sensor, LaserSensor):
        findings += _scan(name, topic, sensor)
    elif wanted == ODOMETRY:
        findings += _odometry(robot, name, topic)
    rate = "" if math.isnan(topic.rate) else f", {topic.rate:.1f} Hz"
    return findings or [Finding("ok", name, f"{wanted.rsplit('/', 1)[1]}{rate}, frame {topic.frame or 'none'}")]


def _type_of(sensor: Sensor) -> str:
    if isinstance(sensor, LensSensor):
        return COMPRESSED if isinstance(sensor, CameraSensor) and sensor.type == "compressed" else IMAGE
    return SCAN if isinstance(sensor, LaserSensor) else ODOMETRY if isinstance(sensor, OdometrySensor) else IMU


def _missing(name: str, wanted: str, seen: Observation, line: str) -> Finding:
    others = seen.of_type(wanted, *({IMAGE, COMPRESSED} if wanted in (IMAGE, COMPRESSED) else ()))
    if others:
        return Finding(
            "error", name, f"nobody publishes it; of its type there are {_list(others)}", line.format(others[0])
        )
    return Finding(
        "error", name, f"nobody publishes it, nor any other {wanted}", "start the sensor; same ROS_DOMAIN_ID?"
    )


def _publishers(name: str, topic: Topic) -> Iterator[Finding]:
    if len(topic.publishers) > 1:
        who = _list(topic.publishers)
        yield Finding("error", name, f"{len(topic.publishers)} nodes publish it: {who}", "stop all but one, or remap")


def _rate(name: str, topic: Topic, sensor: Sensor) -> Iterator[Finding]:
    rate = topic.rate
    if rate < SLOWEST and not isinstance(sensor, ImuSensor):
        text = f"{rate:.1f} messages a second: models that come with ami_ros want a moment every 0.2 s"
        yield Finding(
            "error", name, text, f"raise the driver's rate, or train one with --set spec.period={1 / rate:.2f}"
        )
    elif math.isfinite(rate) and not RATES[0] <= rate / sensor.rate <= RATES[1]:
        text = f"{rate:.1f} messages a second, and the description says {sensor.rate:g}"
        yield Finding("warning", name, text, f"rate: {rate:.1f}  # of sensor {sensor.name}, or mend the driver")


def _stamps(name: str, topic: Topic, sensor: Sensor, live: bool) -> Iterator[Finding]:
    stamps = np.array(topic.stamps)
    if not len(stamps):
        return
    if (stamps == 0).mean() > 0.05:  # simulated time begins at 0
        yield Finding("error", name, "its stamps are 0", "the driver has to stamp with the time of the measurement")
        return
    if len(stamps) > 2 and (np.diff(stamps) <= 0).mean() > 0.05:
        yield Finding("error", name, "its stamps repeat or run backwards", "one clock and one publisher; use_sim_time?")
    age = float(np.median(np.array(topic.arrivals) - stamps))
    if age > OLD:
        where = "use_sim_time, or set the clocks alike (chrony)" if live else "set the clocks alike (chrony)"
        yield Finding("error", name, f"stamps are {age:.2f} s old when they arrive; nodes take it for silent", where)
    elif age < -FUTURE:
        text = f"stamps lie {-age:.2f} s in the future, and nodes refuse them"
        yield Finding("error", name, text, "set the clocks alike (chrony); use_sim_time on all nodes or on none")


def _frame(robot: RobotDescription, name: str, topic: Topic, sensor: Sensor, seen: Observation) -> Iterator[Finding]:
    wanted = robot.frames.odom if isinstance(sensor, OdometrySensor) else sensor.frame or robot.frames.base
    frame = topic.frame.lstrip("/")
    if frame != wanted.lstrip("/"):
        line = (
            f"frames: {{odom: {frame}}}"
            if wanted == robot.frames.odom
            else f"frame: {frame}  # of sensor {sensor.name}"
        )
        yield Finding("error" if not frame else "warning", name, f"frame_id '{frame}', and not '{wanted}'", line)
    if isinstance(sensor, LaserSensor) and sensor.mount is None and frame != robot.frames.base:
        pose = seen.frames.pose_of(frame, robot.frames.base)
        if pose is None:
            text = f"/tf_static does not lead from {robot.frames.base} to {frame}: the gate would not look through it"
            yield Finding("error", name, text, f"mount: {{x: 0.0, yaw: 0.0}}  # of sensor {sensor.name}, as it sits")
            return
        try:
            mount_of(pose, frame)
        except AmiError as error:
            yield Finding("error", name, str(error), "mount the laser level")


def _picture(name: str, topic: Topic, sensor: CameraSensor) -> Iterator[Finding]:
    image = topic.last
    if topic.type == COMPRESSED:
        return
    if image.encoding not in ENCODINGS:
        yield Finding("error", name, f"encoding {image.encoding} is not known here", "set the driver to rgb8 or bgr8")
    elif image.encoding != sensor.encoding:
        yield Finding(
            "warning", name, f"encoding {image.encoding}, and not {sensor.encoding}", f"encoding: {image.encoding}"
        )
    if (image.width, image.height) != (sensor.width, sensor.height):
        text = f"pictures of {image.width}x{image.height} px, and not {sensor.width}x{sensor.height}"
        yield Finding("error", name, text, f"width: {image.width}, height: {image.height}  # of camera {sensor.name}")


def _height(
    robot: RobotDescription, name: str, topic: Topic, sensor: CameraSensor, seen: Observation
) -> Iterator[Finding]:
    """Whether it is said how high the camera sits, which tells the model how far away the floor is."""
    if sensor.mount is not None and sensor.mount.z > 0:
        return
    line = "mount: {x: 0.1, z: 0.2, pitch: 0.0}  # measure: ahead, up [m], down [rad]"
    pose = seen.frames.pose_of(topic.frame, robot.frames.base)
    if pose is not None:
        (x, y, z), ahead = pose[:3, 3], pose[:3, 2]
        pitch, yaw = math.asin(-float(np.clip(ahead[2], -1, 1))), math.atan2(ahead[1], ahead[0])
        line = f"mount: {{x: {x:.3f}, y: {y:.3f}, z: {z:.3f}, pitch: {pitch:.3f}, yaw: {yaw:.3f}}}  # by /tf_static"
    text = "nothing says how high it sits: pictures of goals are recognised much less often"
    yield Finding("warning", name, text, line)


def _depth(
    robot: RobotDescription, name: str, topic: Topic, sensor: DepthSensor, seen: Observation, namespace: str
) -> Iterator[Finding]:
    """Whether it can be read, and the floor is where the mount says."""
    info = seen.topics.get(full_name(sensor.info_topic, namespace))
    if info is None or info.last is None:
        text = f"no calibration arrives at {full_name(sensor.info_topic, namespace)}: without it depth is not used"
        yield Finding("error", name, text, "let the driver publish camera_info")
        return
    yield from _intrinsics(sensor, seen, namespace)
    try:
        scanner = DepthScanner(from_mapping(DepthConfig, depth_settings(robot)), camera_of(info.last))
        depth = depth_of(topic.last)
        floor = scanner.floor(depth)
    except AmiError as error:
        yield Finding("error", name, str(error), "set the driver to raw depth, in mm or m")
        return
    if not np.isfinite(depth).any():
        yield Finding("error", name, "nothing is measured anywhere in the picture", "is the camera covered?")
    elif floor is not None and (abs(floor.tilt) > scanner.rules.tilt or abs(floor.height) > sensor.min_height / 2):
        at = scanner.config.mount
        text = f"the floor lies {100 * floor.height:.0f} cm off, and {math.degrees(floor.tilt):.1f} degrees tilted"
        line = f"mount: {{z: {at.z - floor.height:.3f}, pitch: {at.pitch + floor.tilt:.3f}}}  # of {sensor.name}"
        yield Finding("warning", name, text, line)


def _intrinsics(sensor: LensSensor, seen: Observation, namespace: str) -> list[Finding]:
    name = full_name(sensor.info_topic, namespace)
    topic = seen.topics.get(name)
    if topic is None or topic.last is None:
        text = "no calibration arrives: pictures are taken for those of the description"
        return [Finding("warning", name, text, "let the driver publish camera_info, from a calibration")]
    k = np.asarray(topic.last.k, float)
    if k[0] <= 0:
        return [
            Finding("warning", name, "the camera is not calibrated: its matrix is 0", "calibrate (camera_calibration)")
        ]
    scale = (topic.last.width or sensor.width) / sensor.width  # of pictures that are shrunk: they show the same
    wanted, found = [scale * v for v in sensor.matrix], (k[0], k[4], k[2], k[5])
    if abs(found[0] / wanted[0] - 1) > INTRINSICS_TOLERANCE or abs(found[1] / wanted[1] - 1) > INTRINSICS_TOLERANCE:
        text = f"focal length {found[0]:.0f}, {found[1]:.0f} px, and not {wanted[0]:.0f}, {wanted[1]:.0f}"
        line = f"intrinsics: [{', '.join(f'{v:.1f}' for v in found)}]  # of camera {sensor.name}, instead of fov"
        return [Finding("error", name, text, line)]
    return []


def _scan(name: str, topic: Topic, sensor: LaserSensor) -> Iterator[Finding]:
    scan = topic.last
    ranges = np.asarray(scan.ranges, float)
    valid = np.isfinite(ranges) & (ranges >= scan.range_min) & (ranges <= scan.range_max)
    if not valid.any():
        yield Finding(
            "error", name, "no beam measures anything", "is the laser covered, or is everything out of reach?"
        )
    if len(ranges) != sensor.beams:
        line = f"beams: {len(ranges)}  # of laser {sensor.name}"
        yield Finding("warning", name, f"{len(ranges)} beams, and not {sensor.beams}", line)
    view = math.degrees(abs(scan.angle_increment) * (len(ranges) - 1))
    if abs(view - sensor.fov) > max(3.0, 2 * 360.0 / max(len(ranges), 1)):
        line = f"fov: {view:.0f}  # of laser {sensor.name}"
        yield Finding("warning", name, f"it looks over {view:.0f} degrees, and not {sensor.fov:.0f}", line)
    for what in ("range_min", "range_max"):
        told, wanted = float(getattr(scan, what)), float(getattr(sensor, what))
        if told > 0 and abs(told - wanted) > 0.05 + 0.05 * wanted:  # drivers that do not know say 0
            yield Finding("warning", name, f"{what} {told:g}, and not {wanted:g}", f"{what}: {told:g}")


def _odometry(robot: RobotDescription, name: str, topic: Topic) -> Iterator[Finding]:
    odometry = topic.last
    child = odometry.child_frame_id.lstrip("/")
    if child != robot.frames.base.lstrip("/"):
        line = f"frames: {{base: {child}}}"
        yield Finding("warning", name, f"child_frame_id '{child}', and not '{robot.frames.base}'", line)
    q = odometry.pose.pose.orientation
    if abs(math.hypot(q.x, q.y, q.z, q.w) - 1.0) > 0.01:
        yield Finding("error", name, "its orientation is no quaternion of length 1", "mend the driver")


# Who may send commands: the gate, alone or composed with others, and who sends zero in its place when it hangs.
OURS = "safety", "composed", "supervisor"


def _command(robot: RobotDescription, seen: Observation, namespace: str) -> list[Finding]:
    name = full_name(topics_of(robot)["cmd_vel"], namespace)
    wanted = TWIST_STAMPED if robot.command.stamped else TWIST
    topic = seen.topics.get(name)
    if not seen.live:
        if topic is None:
            return [
                Finding("warning", name, "there are no commands in the bag: it gives a map, and no model", "record it")
            ]
        return []
    if topic is None or not topic.subscribers:
        others = [n for n in seen.of_type(TWIST, TWIST_STAMPED) if seen.topics[n].subscribers]
        remedy = f"command: {{topic: {others[0]}}}" if others else "start the base's driver"
        heard = f"; commands are heard at {_list(others)}" if others else ""
        return [Finding("error", name, f"nobody listens to commands there{heard}", remedy)]
    if topic.type != wanted:
        line = f"command: {{stamped: {str(topic.type == TWIST_STAMPED).lower()}}}"
        return [Finding("error", name, f"takes {topic.type}, and the description says {wanted}", line)]
    rivals = [node for node in topic.publishers if node.rsplit("/", 1)[-1] not in OURS]
    if rivals:
        text = f"{_list(rivals)} publishes commands as well: they pass by the safety gate"
        return [Finding("warning", name, text, "stop it, or let it publish to cmd_vel_raw")]
    return [Finding("ok", name, f"{wanted.rsplit('/', 1)[1]}, heard by {_list(topic.subscribers)}")]


def _clocks(robot: RobotDescription, seen: Observation, namespace: str) -> Iterator[Finding]:
    clock = seen.topics.get("/clock")
    if clock is not None and len(clock.publishers) > 1:
        yield Finding("error", "/clock", f"{_list(clock.publishers)} both tell the time", "one world has one clock")
    elif seen.simulated_time:
        yield Finding(
            "ok", "/clock", "simulated time: ./ami drive needs --sim-time, and ros2 launch use_sim_time:=true"
        )
    ages: dict[str, float] = {}
    for sensor in robot.sensors:
        topic = seen.topics.get(full_name(sensor.topic, namespace))
        if topic is not None and topic.stamps and min(topic.stamps) > 0:
            ages[sensor.topic] = float(np.median(np.array(topic.arrivals) - np.array(topic.stamps)))
    if ages and max(ages.values()) - min(ages.values()) > OLD:
        late, early = max(ages, key=lambda k: ages[k]), min(ages, key=lambda k: ages[k])
        text = f"stamps of {late} and {early} are {ages[late] - ages[early]:.2f} s apart: nothing could be put together"
        yield Finding("error", "clocks", text, "set the clocks of all computers alike (chrony)")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
