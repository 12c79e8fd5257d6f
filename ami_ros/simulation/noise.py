"""What the sensors add to the truth. All of it is drawn from one generator, so that a seed repeats a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.config import from_mapping
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import LaserSensor
from ami_ros.scan import Mount, Scan
from ami_ros.simulation.floor_plan import FloorPlan

UNTINTED = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviations, fixed errors, and what a camera does to its pictures; `scale` multiplies them all but what a
    camera regulates and compresses (0: perfect sensors)."""

    scan: float = 0.01  # [m]
    scan_relative: float = 0.01  # of the range
    odometry_gain: float = 0.03  # drawn once a run, for distance and for turning
    odometry_error: float = 0.0  # of distance and turning, on top of the drawn one; the same in every run
    odometry_turn_error: float = 0.0  # of turning alone, on top of it; likewise
    odometry_bend: float = 0.01  # drawn once a run [rad/m]
    odometry_bend_error: float = 0.0  # [rad/m], on top of the drawn one; the same in every run
    odometry_step: float = 0.005  # [m, and rad] after one metre or one radian; grows with the root of the way
    linear_velocity: float = 0.01  # [m/s], to the sides as well
    angular_velocity: float = 0.02  # [rad/s]
    scan_dropout: float = 0.0  # share of beams without a reading
    depth: float = 0.007  # of depths at 1 m; grows with the square [m/m^2]: a D435 errs by 0.08 px
    image: float = 0.0  # of 255, at medium brightness; more where it is brighter
    auto_exposure: float = 0.0  # brightness (0..1) that the camera regulates to; 0: it does not
    exposure: float = 0.0  # how far it misses that, from picture to picture [stops]
    white_balance: float = 0.0  # of each colour's gain, drawn once a run
    shutter: float = 0.0  # how long it is open [s]: turns blur
    jpeg: float = 0.0  # quality of its compression (1..100); 0: none
    scale: float = 1.0

    def draw(self, rng: np.random.Generator, deviation: float, size: int | None = None) -> Array:
        """Normal noise of `deviation`, scaled."""
        return np.asarray(rng.normal(0.0, 1.0, size) * deviation * self.scale)


def tinted(image: NDArray[np.uint8], gains: tuple[float, float, float]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) as a camera takes it that makes `gains` of red, green and blue: its white balance is off."""
    if gains == UNTINTED:
        return image
    return np.asarray(np.clip(np.rint(image * np.array(gains)), 0, 255), dtype=np.uint8)


def noise_of(robot: RobotDescription, scale: float = 1.0) -> SensorNoise:
    """The noise of a robot's sensors, `scale` times."""
    return from_mapping(SensorNoise, {**robot.simulated.noise, "scale": scale}, f"robot {robot.name}: noise")


def scan_of(
    plan: FloorPlan,
    pose: Array,
    laser: LaserSensor,
    noise: SensorNoise,
    rng: np.random.Generator,
    others: FloorPlan | None = None,
) -> Scan:
    """A turn of the scanner with the robot at `pose` (3,), in base_link; `others`: what moves about in the plan."""
    scan = (laser.level_mount or Mount()).in_base(laser.scan(np.zeros(laser.beams, np.float32)))
    c, s = math.cos(pose[2]), math.sin(pose[2])
    x, y = scan.origin
    origin, angles = pose[:2] + np.array([c * x - s * y, s * x + c * y]), pose[2] + scan.angles
    ranges = plan.returned(origin, angles)
    if others is not None:
        ranges = np.minimum(ranges, others.cast(origin, angles))
    far = ~(ranges <= laser.range_max)
    noisy = np.where(far, 0.0, ranges) * (1 + noise.draw(rng, noise.scan_relative, laser.beams))
    noisy = np.clip(noisy + noise.draw(rng, noise.scan, laser.beams), laser.range_min, laser.range_max)
    seen = np.where(far, np.inf, noisy).astype(np.float32)
    if noise.scan_dropout * noise.scale > 0:
        seen[rng.random(len(seen)) < noise.scan_dropout * noise.scale] = np.nan
    return replace(scan, ranges=seen)


class Odometry:
    """Dead reckoning that is wrong as a robot's is: a gain and a bend that last for the run, and a random walk."""

    def __init__(self, noise: SensorNoise, rng: np.random.Generator) -> None:
        self._noise, self._rng = noise, rng
        self.restart()

    def restart(self) -> None:
        """As after a reboot: another origin, another heading, other errors."""
        self.pose: Array = np.append(self._rng.uniform(-5.0, 5.0, 2), self._rng.uniform(-np.pi, np.pi))
        drawn = self._noise.draw(self._rng, self._noise.odometry_gain, 2)
        self._linear_gain, self._angular_gain = 1.0 + self._noise.odometry_error * self._noise.scale + drawn
        self._angular_gain += self._noise.odometry_turn_error * self._noise.scale
        self._bend = float(self._noise.draw(self._rng, self._noise.odometry_bend))
        self._bend += self._noise.odometry_bend_error * self._noise.scale

    def advance(self, distance: float, turn: float, aside: float = 0.0) -> None:
        """The wheels went `distance` [m] ahead, `turn` [rad] to the left, and `aside` [m] to the left."""
        walk = self._rng.normal(0.0, 1.0, 2) * self._noise.odometry_step * self._noise.scale
        seen = distance * self._linear_gain + math.sqrt(abs(distance)) * walk[0]
        slid = aside * self._linear_gain + math.sqrt(abs(aside)) * walk[0]
        turned = turn * self._angular_gain + (distance + aside) * self._bend + math.sqrt(abs(turn)) * walk[1]
        x, y, yaw = self.pose
        middle = yaw + turned / 2  # half of the turn before the way, half after it
        yaw = (yaw + turned + math.pi) % (2 * math.pi) - math.pi
        c, s = math.cos(middle), math.sin(middle)
        self.pose = np.array([x + seen * c - slid * s, y + seen * s + slid * c, yaw])

    def velocity(self, body: Command) -> Command:
        """What the encoders make of a velocity of the body."""
        noise, gains = self._noise, (self._linear_gain, self._angular_gain, self._linear_gain)
        deviations = noise.linear_velocity, noise.angular_velocity, noise.linear_velocity
        return tuple(
            float(value * gain + noise.draw(self._rng, deviation))
            for value, gain, deviation in zip(body, gains, deviations, strict=False)
        )
