"""The description of a robot, as its YAML file says it or as it is drawn by a seed, checked against itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import yaml

from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Disc, disc_around
from ami_ros.core.installation import packaged
from ami_ros.core.ranges import Draw, ranges
from ami_ros.core.robots.sensors import (
    CameraSensor,
    DepthSensor,
    LaserSensor,
    OdometrySensor,
    Pose3,
    Sensor,
    sensor_from,
)
from ami_ros.core.scan import Mount

PREFIX = "drawn:"


def is_drawn(name: object) -> bool:
    """Whether a robot is named as a drawn one."""
    return str(name).startswith(PREFIX)


def drawn_robot(name: str) -> dict[str, Any]:
    """The description of `drawn:SEED`, as a file in config/robots would say it. Raises AmiError: it names none."""
    number = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or not number.isascii() or not number.isdigit() or len(number) > 12:
        raise AmiError(f"'{name}' names no robot: write drawn:SEED, as drawn:7")
    draw = Draw(ranges("drawn_robots"), np.random.default_rng([int(number), 3]))
    radius = round(draw.number("radius"), 3)
    linear, angular = draw.number("linear"), draw.number("angular")
    wheels = {"name": "wheels", "kind": "odometry", "topic": "odom", "rate": 25.0}
    return {
        "name": name,
        "shape": {"radius": radius},
        "drive": {"kind": "differential", "track": round(radius * draw.number("track"), 3)},
        "limits": {"linear": linear, "backward": linear / 2, "angular": angular},
        "planned": {"linear": 0.4, "backward": 0.15, "angular": 1.4},
        "sensors": [_camera(draw, radius), _laser(draw, radius), wheels],
        "simulated": {
            "linear_acceleration": draw.number("acceleration"),
            "angular_acceleration": draw.number("angular_acceleration"),
            "lag": draw.number("lag"),
            "dead_time": draw.number("dead_time"),
            "camera_latency": draw.number("camera.latency"),
            "noise": {key: draw.number(f"noise.{key}") for key in draw["noise"]},
        },
    }  # fmt: skip


def _camera(draw: Draw, radius: float) -> dict[str, Any]:
    width, height = draw.choice("camera.sizes")
    angles = {key: round(math.radians(draw.number(f"camera.{key}")), 4) for key in ("pitch", "roll")}
    mount = {"x": round(radius * draw.number("camera.ahead"), 3), "z": draw.number("camera.height"), **angles}
    return {
        "name": "front", "kind": "camera", "topic": "image",
        "width": width, "height": height, "fov": draw.number("camera.fov"),
        "rate": draw.choice("camera.rate"), "frame": "camera_optical_frame", "mount": mount,
    }  # fmt: skip


def _laser(draw: Draw, radius: float) -> dict[str, Any]:
    mount = {"x": round(radius * draw.number("laser.offset"), 3), "z": draw.number("laser.height")}
    return {
        "name": "scan", "kind": "laser", "topic": "scan", "beams": draw.choice("laser.beams"),
        "fov": float(draw.choice("laser.fov")), "range_min": 0.1, "range_max": draw.number("laser.range_max"),
        "rate": draw.choice("laser.rate"), "frame": "laser_frame", "mount": mount,
    }  # fmt: skip


DriveKind = Literal["differential", "ackermann", "omnidirectional"]
SensorT = TypeVar("SensorT", bound=Sensor)
DEFAULT = "ami_bot"


@dataclass(frozen=True)
class Shape:
    """Its outline, seen from above."""

    radius: float  # [m] of the smallest circle around base_link that holds the robot
    polygon: tuple[tuple[float, float], ...] = ()  # corners x, y in base_link [m]; empty: it is a disc

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ValueError(f"radius must be greater than 0, not {self.radius}")
        if self.polygon and len(self.polygon) < 3:
            raise ValueError("a polygon has at least three corners")
        farthest = max((math.hypot(x, y) for x, y in self.polygon), default=0.0)
        if farthest > self.radius + 1e-6:
            raise ValueError(f"radius {self.radius} does not hold the polygon, whose farthest corner is {farthest:.3f}")

    @property
    def disc(self) -> Disc:
        """That holds the polygon; without one, that around base_link."""
        return disc_around(self.polygon) if self.polygon else Disc(self.radius)


@dataclass(frozen=True)
class Drive:
    """How it moves."""

    kind: DriveKind = "differential"  # ackermann steers like a car; omnidirectional also drives sideways
    track: float = 0.26  # [m] between left and right wheels
    turning_radius: float = 0.5  # [m] of the tightest curve of an ackermann drive, to the middle of its rear axle
    wheelbase: float = 0.25  # [m] between the axles of an ackermann drive

    def __post_init__(self) -> None:
        if not min(self.track, self.turning_radius, self.wheelbase) > 0:
            raise ValueError("track, turning_radius and wheelbase must be greater than 0")
        if self.kind == "ackermann" and self.turning_radius <= self.track / 2:
            raise ValueError(f"turning_radius {self.turning_radius} is not greater than half of track {self.track}")


@dataclass(frozen=True)
class Speeds:
    """Greatest speeds."""

    linear: float  # [m/s] forwards
    angular: float  # [rad/s] either way
    backward: float = 0.0  # [m/s]
    lateral: float = 0.0  # [m/s] to either side, of an omnidirectional drive

    def __post_init__(self) -> None:
        if not (self.linear > 0 and self.angular > 0 and self.backward >= 0 and self.lateral >= 0):
            raise ValueError("linear and angular must be greater than 0, backward and lateral not negative")
        if self.backward > self.linear:
            raise ValueError(f"backward {self.backward} is greater than linear {self.linear}")


@dataclass(frozen=True)
class Limits(Speeds):
    """What the safety gate lets through."""

    linear_acceleration: float = 1.0  # [m/s^2], to the sides as well; braking is not limited
    angular_acceleration: float = 5.0  # [rad/s^2]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.linear_acceleration > 0 and self.angular_acceleration > 0):
            raise ValueError("accelerations must be greater than 0")


@dataclass(frozen=True)
class Braking:
    """What can be relied on when it has to stop; measure it."""

    deceleration: float = 0.8  # [m/s^2] that it surely reaches, however slow its wheels are
    reaction: float = 0.25  # [s] until the wheels answer to a command, the time to the next one included
    turn_lag: float = 0.4  # [s] for which it may still turn as it was told before

    def __post_init__(self) -> None:
        if not (self.deceleration > 0 and self.reaction >= 0 and self.turn_lag >= 0):
            raise ValueError("deceleration must be greater than 0, reaction and turn_lag not negative")
        if self.turn_lag < self.reaction:
            raise ValueError(f"turn_lag {self.turn_lag} is less than reaction {self.reaction}: it cannot be known")

    def distance(self, speed: float) -> float:
        """Way to standstill [m] from `speed` [m/s]."""
        return speed * self.reaction + speed**2 / (2 * self.deceleration)


@dataclass(frozen=True)
class CommandTopic:
    """Where it takes its commands."""

    topic: str = "cmd_vel"  # relative: below the robot's namespace
    stamped: bool = True  # TwistStamped; false: Twist


@dataclass(frozen=True)
class FrameNames:
    """Names of frames."""

    base: str = "base_link"  # of the robot, of its commands
    odom: str = "odom"  # of its odometry
    map: str = "map"  # of what it remembers


@dataclass(frozen=True)
class Simulated:
    """What only the simulator has to know."""

    linear_acceleration: float = 1.0  # [m/s^2] of its motors
    angular_acceleration: float = 4.0  # [rad/s^2]
    steering_rate: float = 4.0  # [rad/s] of the front wheels of an ackermann drive
    lag: float = 0.06  # [s], time constant of its wheels' control
    dead_time: float = 0.0  # [s] from a command to the first that its motors do about it
    camera_latency: float = 0.0  # [s] by which a picture is older than its stamp
    noise: dict[str, float] = field(default_factory=dict)  # fields of `ami_ros.simulation.noise.SensorNoise`

    def __post_init__(self) -> None:
        if not min(self.linear_acceleration, self.angular_acceleration, self.steering_rate, self.lag) > 0:
            raise ValueError("accelerations, steering_rate and lag must be greater than 0")
        if not (0 <= self.dead_time <= 1 and 0 <= self.camera_latency <= 1):
            raise ValueError("dead_time and camera_latency must be between 0 and 1 s")


@dataclass(frozen=True)
class RobotDescription:
    """Everything that others have to know of a robot. What contradicts itself is refused."""

    name: str  # that of the file, if it does not say
    shape: Shape  # its outline
    limits: Limits  # what the safety gate lets through
    planned: Speeds  # what the planner asks for: below the limits, or the gate corrects every command
    sensors: tuple[Sensor, ...]  # each with its kind: camera, depth, laser, odometry (needed) or imu
    drive: Drive = field(default_factory=Drive)  # how it moves
    braking: Braking = field(default_factory=Braking)  # what can be relied on when it has to stop
    command: CommandTopic = field(default_factory=CommandTopic)  # where it takes its commands
    frames: FrameNames = field(default_factory=FrameNames)  # names of frames
    simulated: Simulated = field(default_factory=Simulated)  # what only the simulator has to know

    def __post_init__(self) -> None:
        for speed in ("linear", "angular", "backward", "lateral"):
            planned, limit = getattr(self.planned, speed), getattr(self.limits, speed)
            if planned > limit:
                raise ValueError(f"planned.{speed} {planned} is greater than limits.{speed} {limit}")
        if {self.drive.kind == "omnidirectional"} != {self.limits.lateral > 0, self.planned.lateral > 0}:
            raise ValueError(
                f"a lateral speed is of omnidirectional drives and of those alone, not of {self.drive.kind}"
            )
        for what in ("name", "topic"):
            values = [getattr(sensor, what) for sensor in self.sensors]
            if len(set(values)) < len(values):
                raise ValueError(f"two sensors have the same {what}")
        self.odometry  # noqa: B018  (it has to be there)
        for sensor in self.sensors:
            self._check_mount(sensor)
        if self.laser is not None:
            self._check_laser(self.laser)

    def _check_mount(self, sensor: Sensor) -> None:
        if sensor.mount is None:
            return
        if sensor.mount != Pose3() and sensor.frame in ("", self.frames.base):
            raise ValueError(f"sensor {sensor.name} has a mount, so its frame is not {self.frames.base}: name it")
        out = math.hypot(sensor.mount.x, sensor.mount.y)
        if out > self.shape.radius:
            raise ValueError(
                f"sensor {sensor.name} is mounted {out:.3f} m from the middle, beyond the radius {self.shape.radius}"
            )

    def _check_laser(self, laser: LaserSensor) -> None:
        mount = laser.level_mount
        laser.check_source(self.camera, self.depth)
        if laser.from_depth and mount is not None:
            self._check_view(laser, mount)
        way = self.shape.radius + self.braking.distance(max(self.limits.linear, self.limits.lateral))
        if way > laser.range_max:
            raise ValueError(
                f"it needs {way:.2f} m to stop, and laser {laser.name} sees {laser.range_max} m: lower limits.linear"
            )
        if mount is not None and laser.range_min > self.shape.radius + math.hypot(mount.x, mount.y):
            raise ValueError(
                f"laser {laser.name} is blind up to {laser.range_min} m, beyond the robot's edge: what touches the "
                "robot is not seen"
            )

    def _check_view(self, laser: LaserSensor, mount: Mount) -> None:
        """Whether it sees the ground that the robot comes upon when it sets out: up to 45 degrees off its way."""
        disc = self.shape.disc
        ahead, aside = disc.middle + disc.radius * math.sqrt(0.5) - mount.x, disc.radius * math.sqrt(0.5)
        least = 2 * math.degrees(math.atan2(aside, ahead))
        if laser.fov < least:
            raise ValueError(
                f"laser {laser.name} sees {laser.fov:g} degrees, and it takes {least:.0f} from where it is mounted to "
                "see the ground before the robot: the gate would let it set out nowhere; mount it farther back"
            )

    def sensors_of(self, kind: type[SensorT]) -> list[SensorT]:
        """All sensors of a kind, in the order of the list."""
        return [sensor for sensor in self.sensors if isinstance(sensor, kind)]

    @property
    def camera(self) -> CameraSensor | None:
        """The camera that models see with."""
        return next(iter(self.sensors_of(CameraSensor)), None)

    @property
    def laser(self) -> LaserSensor | None:
        """The scanner that gate, planner and models look through."""
        return next(iter(self.sensors_of(LaserSensor)), None)

    @property
    def has_laser(self) -> bool:
        """Whether there is a real scanner."""
        return self.laser is not None and not self.laser.is_made

    @property
    def depth(self) -> DepthSensor | None:
        """The depth camera that the gate looks through."""
        return next(iter(self.sensors_of(DepthSensor)), None)

    @property
    def odometry(self) -> OdometrySensor:
        """Raises ValueError: a robot without one is of no use here."""
        found = self.sensors_of(OdometrySensor)
        if not found:
            raise ValueError("a sensor of kind odometry is missing")
        return found[0]

    @property
    def command_dim(self) -> int:
        """Numbers in a command, see `ami_ros.core.commands`."""
        return 3 if self.drive.kind == "omnidirectional" else 2

    def with_sensor(self, name: str, **changes: Any) -> RobotDescription:
        """The same robot, with one of its sensors changed."""
        return replace(self, sensors=tuple(replace(s, **changes) if s.name == name else s for s in self.sensors))


def load_robot(name: str | Path = DEFAULT) -> RobotDescription:
    """The robot of a YAML file, of one that comes with the package by its name, or a drawn one ("drawn:7").

    Raises:
        AmiError: there is none, the file cannot be read, or what it says does not fit together.
    """
    where = f"robot {name}"
    values = robot_values(name)
    sensors = values.get("sensors")
    if not isinstance(sensors, list):
        raise AmiError(f"{where}: sensors must be a list")
    values["sensors"] = [sensor_from(entry, where) for entry in sensors]
    return from_mapping(RobotDescription, values, where)


def robot_values(name: str | Path = DEFAULT) -> dict[str, Any]:
    """What a robot's file says, as it stands there. Raises AmiError: there is none, or it cannot be read."""
    return drawn_robot(str(name)) if is_drawn(name) else _read(robot_file(name), f"robot {name}")


def _read(file: Path, where: str) -> dict[str, Any]:
    try:
        values = parse_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AmiError(f"{where}: {file} cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise AmiError(f"{where}: {file} holds no mapping; copy one of config/robots and change it")
    return {"name": file.stem, **values}


def robot_file(name: str | Path) -> Path:
    """The file of a robot: `name` is a path that ends in .yaml, or the name of one that comes with the package.

    Raises:
        AmiError: there is none.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        file = Path(name).expanduser().resolve()
        if not file.is_file():
            raise AmiError(f"robot {name}: no such file")
        return file
    known = packaged("config/robots")
    if str(name) not in known:
        raise AmiError(f"no robot '{name}': known are {', '.join(sorted(known))}; or name a YAML file")
    return known[str(name)]


def robot_reference(name: str | Path) -> str:
    """What names a robot to other processes: its file's path, or a drawn one's name. Raises AmiError: there is none."""
    return str(name) if is_drawn(name) else str(robot_file(name))


@cache
def default_robot() -> RobotDescription:
    """The simulated robot where none is named."""
    return load_robot(DEFAULT)
