"""What the sensors add to the truth. All of it is drawn from one generator, so that a seed repeats a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import CameraMount
from ami_ros.core.commands import Command
from ami_ros.core.config import from_mapping
from ami_ros.core.depth import Depth
from ami_ros.core.geometry import Array
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import CameraSensor, DepthSensor, LaserSensor
from ami_ros.core.scan import Mount, Scan
from ami_ros.simulation.floor_plan import FloorPlan

UNTINTED = (1.0, 1.0, 1.0)
Picture = NDArray[np.uint8]


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


def noise_of(robot: RobotDescription, scale: float = 1.0) -> SensorNoise:
    """The noise of a robot's sensors, `scale` times."""
    return from_mapping(SensorNoise, {**robot.simulated.noise, "scale": scale}, f"robot {robot.name}: noise")


def scan_of(
    plan: FloorPlan, pose: Array, laser: LaserSensor, noise: SensorNoise, rng: np.random.Generator,
    others: FloorPlan | None = None,
) -> Scan:  # fmt: skip
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
        noise, rng = self._noise, self._rng
        self.pose: Array = np.append(rng.uniform(-5.0, 5.0, 2), rng.uniform(-np.pi, np.pi))
        drawn = noise.draw(rng, noise.odometry_gain, 2)
        self._linear_gain, self._angular_gain = 1.0 + noise.odometry_error * noise.scale + drawn
        self._angular_gain += noise.odometry_turn_error * noise.scale
        self._bend = float(noise.draw(rng, noise.odometry_bend)) + noise.odometry_bend_error * noise.scale

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


# The camera


def tinted(image: Picture, gains: tuple[float, float, float]) -> Picture:
    """A picture (H, W, 3) as a camera takes it that makes `gains` of red, green and blue: its white balance is off."""
    if gains == UNTINTED:
        return image
    return np.asarray(np.clip(np.rint(image * np.array(gains)), 0, 255), dtype=np.uint8)


class CameraNoise:
    """What one camera makes in one run of what is before it: exposure, white balance, motion blur, noise, compression.

    Without errors in `noise` pictures stay as they are.
    """

    def __init__(self, noise: SensorNoise, camera: CameraSensor, seed: int) -> None:
        self._noise, self._camera = noise, camera
        errors = noise.image, noise.auto_exposure, noise.exposure, noise.white_balance, noise.shutter, noise.jpeg
        self.active = noise.scale > 0 and any(errors)  # whether it changes anything
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """As switched on anew."""
        self._rng = np.random.default_rng([seed & 0xFFFFFFFF, 77])
        self._balance = 1.0 + self._noise.draw(self._rng, self._noise.white_balance, 3)
        self._gain: float | None = None

    def taken(self, image: Picture, turning: float = 0.0, photograph: bool = False) -> Picture:
        """A picture (H, W, 3) as the camera gives it, `turning` to the left [rad/s].

        A `photograph` is taken standing, with all the time that exposure needs, and leaves the camera as it was.
        """
        if not self.active:
            return image
        light = np.asarray(self._blurred(image, turning), np.float32)
        light *= (self._exposure(light, photograph) * self._balance).astype(np.float32)
        deviation = self._noise.image * self._noise.scale
        if deviation:
            shot = np.sqrt(np.clip(light, 0, 255) / 127.5 + 0.1)
            light += self._rng.normal(0.0, deviation, light.shape).astype(np.float32) * shot
        seen = np.clip(light, 0, 255).astype(np.uint8)
        if not self._noise.jpeg:
            return seen
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(self._noise.jpeg)]
        coded = cv2.imencode(".jpg", cv2.cvtColor(seen, cv2.COLOR_RGB2BGR), quality)[1]
        return np.asarray(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))

    def _exposure(self, light: NDArray[np.float32], photograph: bool) -> float:
        missed = 2.0 ** float(self._noise.draw(self._rng, self._noise.exposure))
        if not self._noise.auto_exposure:
            return missed
        right = float(np.clip(255 * self._noise.auto_exposure / (light.mean() + 1.0), 0.4, 4.0))
        if photograph:
            return right * missed
        last = right if self._gain is None else self._gain
        self._gain = last * (right / last) ** 0.3  # so much of the way from one picture to the next
        return self._gain * missed

    def _blurred(self, image: Picture, turning: float) -> Picture:
        """Blurred by a turn while the shutter is open, as far as it goes sideways."""
        pixels = abs(turning) * self._noise.shutter * self._noise.scale * self._camera.matrix[0]
        if pixels < 1.0:
            return image
        width = 2 * math.ceil(pixels / 2) + 1
        kernel = np.full((1, width), 1.0 / pixels)
        kernel[0, [0, -1]] = max(0.0, (pixels - width + 2) / 2 / pixels)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


# The depth camera


def drawn_size(sensor: DepthSensor, widest: int = 320) -> tuple[int, int]:
    """Height and width [px] in which its pictures are drawn: a depth camera gives more than a scan needs."""
    scale = min(1.0, widest / sensor.width)
    return round(sensor.height * scale), round(sensor.width * scale)


def measured(depth: Depth, sensor: DepthSensor, noise: SensorNoise, rng: np.random.Generator) -> Depth:
    """What it measures of true depths (H, W) [m]: errors grow with the square of the depth (the disparity errs alike
    everywhere), and there is no return beyond its range, nearer than it, at edges, and here and there."""
    depth = np.minimum(depth, 2 * sensor.range_max)  # infinite ones have no differences
    height, width = depth.shape
    side = 4  # [px] of patches that err alike: stereo compares windows
    patches = (math.ceil(height / side), math.ceil(width / side))
    error = np.asarray(noise.draw(rng, noise.depth, patches[0] * patches[1])).reshape(patches)
    lost = rng.random(patches) < 0.02 * noise.scale  # so many match nothing
    error, gaps = (np.kron(part, np.ones((side, side)))[:height, :width] for part in (error, lost))
    found = depth + error * depth**2
    unseen = (gaps > 0) | (depth < sensor.range_min) | (depth > sensor.range_max)
    for axis in (0, 1) if noise.scale else ():
        near, gone = np.moveaxis(depth, axis, 0), np.moveaxis(unseen, axis, 0)
        # Neighbours that differ so much: one of both cameras sees what the other does not.
        jump = np.abs(np.diff(near, axis=0)) > 0.08 * np.minimum(near[:-1], near[1:])
        gone[:-1] |= jump
        gone[1:] |= jump
    found[unseen] = np.nan
    return np.asarray(found, np.float32)


def plan_depth(plan: FloorPlan, pose: Array, sensor: DepthSensor, top: float = 2.5) -> Depth:
    """True depths (H, W) [m] with the robot at `pose` (3,) in a plan whose things stand up to `top` [m]; inf where
    there is nothing, as above them. Nothing is rendered."""
    assert sensor.mount is not None, "checked by DepthSensor"
    height, width = drawn_size(sensor)
    fx, fy, cx, cy = sensor.matrix
    scale = width / sensor.width
    at = sensor.mount
    right = ((np.arange(width) + 0.5) / scale - 0.5 - cx) / fx
    down = ((np.arange(height) + 0.5) / scale - 0.5 - cy) / fy
    across, upright = np.meshgrid(right, down)
    ahead, left, up = CameraMount(at.x, at.y, at.yaw, at.z, at.pitch, at.roll).rays(across, upright)
    flat = np.hypot(ahead, left)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    origin = pose[:2] + np.array([c * at.x - s * at.y, s * at.x + c * at.y])
    bearings = np.linspace(np.arctan2(left, ahead).min(), np.arctan2(left, ahead).max(), 4 * width)
    walls = plan.returned(origin, pose[2] + bearings)
    wall = np.interp(np.arctan2(left, ahead).ravel(), bearings, np.minimum(walls, 1e3)).reshape(flat.shape) / flat
    with np.errstate(divide="ignore"):
        floor = np.where(up < 0, at.z / -up, np.inf)
    wall = np.where((at.z + wall * up > top) | (wall * flat > 900.0), np.inf, wall)
    return np.asarray(np.minimum(wall, floor), np.float32)
