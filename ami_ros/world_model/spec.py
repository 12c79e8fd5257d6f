"""What a world model is made of and what it expects: the part of a checkpoint that people can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError


@dataclass(frozen=True)
class PairCode:
    """What a picture's code for comparing it cell by cell is made of; models and memories in use rely on it."""

    stride: int = 8  # [px] between cells
    channels: int = 64  # numbers in a cell
    thumb: int = 32  # [px] of the small square picture that goes with the cells
    detail: int = 2  # times the side of what the network reads that pictures have whose points are looked for
    points: int = 192  # of a picture at most, by which it is measured
    descriptor: int = 128  # numbers that describe one
    first: int = 4  # [px] of the sides of the pixels of the network's first layer
    told: int = 4  # numbers that each of those is told of where it looks
    narrow: float = 0.3  # share of a picture that the narrow cameras see for which there is a threshold of its own

    @property
    def points_length(self) -> int:
        """Numbers of points, at the end of a code."""
        return self.points * (2 + self.descriptor)


PAIR = PairCode()


class Sensors(NamedTuple):
    """A batch of synchronous sensor readings, tensors or arrays; what the model does not use may be None."""

    image: Any = None  # (batch, 3, size, size) uint8, RGB
    scan: Any = None  # (batch, beams) [m], inf where nothing returned


def within(spec: object, **limits: tuple[int, int]) -> None:
    """Raises ValueError where a size is out of its limits: a file must not ask for more memory than there is."""
    for name, (least, most) in limits.items():
        if not least <= getattr(spec, name) <= most:
            raise ValueError(f"{name} must be {least} to {most}, not {getattr(spec, name)}")


def relied_on(calibration: Sequence[float], sees: float) -> float:
    """Logit of seeing the same from which a pair is relied on, of a camera that sees a share `sees` of the picture: one
    that shows less can be less sure, also of what misleads."""
    whole, narrow = calibration[2:4]
    share = min(1.0, max(0.0, (1.0 - sees) / (1.0 - PAIR.narrow)))
    return whole + share * (narrow - whole)


@dataclass(frozen=True)
class InputSpec:
    """Sensors that enter the encoder; any subset, at least one.

    Absolute odometry is no input on purpose: its origin and heading differ at every boot.
    """

    image_size: int = 64  # [px], square; 0: no image
    field_of_view: float = 0.0  # [rad] of that square, of a pinhole camera; 0: unknown, pictures stay as they are
    narrowest: float = 0.0  # [rad] that a camera has to see of it, the rest being black; 0: all of it
    scan_beams: int = 72  # spread evenly over the full circle, the first straight ahead; 0: no scan
    scan_range: float = 8.0  # [m] at which ranges are cut; no return counts as this far

    def __post_init__(self) -> None:
        if not (self.image_size or self.scan_beams):
            raise ValueError("a model needs at least one input: image_size or scan_beams")
        if not 0.0 <= self.field_of_view < 3.0:
            raise ValueError(f"field_of_view must be 0 to 3 rad, not {self.field_of_view}")
        if not 0.0 <= self.narrowest <= self.field_of_view:
            raise ValueError(f"narrowest must be 0 to field_of_view, not {self.narrowest}")
        if self.image_size % 16:
            raise ValueError(f"image_size must be a multiple of 16, not {self.image_size}")
        within(self, image_size=(0, 1024), scan_beams=(0, 10_000))
        if not 0.0 < self.scan_range < math.inf:
            raise ValueError(f"scan_range must be a distance in metres, not {self.scan_range}")


@dataclass(frozen=True)
class ModelSpec:
    """Shapes and units of a world model."""

    inputs: InputSpec = field(default_factory=InputSpec)
    latent_dim: int = 64  # numbers in a latent; more can hold more, and are harder to predict
    period: float = 0.2  # [s] for which one command is held
    chunk: int = 3  # commands in one step of the predictor; more: looks farther in as many steps, less finely
    max_linear: float = 0.5  # [m/s], a command of 1 in the model's own units
    max_angular: float = 1.8  # [rad/s], the same for turning
    max_lateral: float = 0.0  # [m/s], the same for a robot that drives sideways: commands of 3 numbers; 0: of 2
    turning_radius: float = 0.0  # [m] of the tightest curve of the car that it learned from; 0: it turned on the spot
    image_encoder: str = "conv"  # conv: convolutions; or one of another package
    encoder_width: int = 256  # features of the image, half as many of other sensors; more: better, slower
    predictor: str = "mlp"  # mlp: a residual network; or one of another package
    predictor_width: int = 128  # of its hidden layers; more: predicts better, plans more slowly
    predictor_blocks: int = 2  # residual layers of the predictor
    head_width: int = 256  # of the hidden layers of all heads; more: better, slower
    contrast_dim: int = 64  # numbers in a key of the contrastive critic
    sight_code: int = 0  # numbers in a picture's code for locating goals; 0: by latents alone
    pair_size: int = 0  # [px], square, of pictures that are compared early, cell by cell; 0: none are
    # Learned last, on finished latents (`learning.head_phase`).
    ensemble: int = 0  # further predictors, whose disagreement is the model's uncertainty; at least 2, 0: none
    ensemble_width: int = 96  # of their hidden layers

    def __post_init__(self) -> None:
        within(self, latent_dim=(1, 4096), encoder_width=(2, 8192), head_width=(1, 8192), contrast_dim=(1, 4096))
        within(self, predictor_width=(1, 8192), predictor_blocks=(1, 64), sight_code=(0, 4096), chunk=(1, 100))
        within(self, ensemble=(0, 64), ensemble_width=(1, 8192))
        for name in ("period", "max_linear", "max_angular"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be greater than 0, not {getattr(self, name)}")
        if self.pair_size % 16 or not 0 <= self.pair_size <= 512 or (self.pair_size and not self.inputs.image_size):
            raise ValueError(f"pair_size must be a multiple of 16, of a model that has a camera, not {self.pair_size}")
        if not 0.0 <= self.max_lateral < math.inf:
            raise ValueError(f"max_lateral must not be negative, not {self.max_lateral}")
        if not 0.0 <= self.turning_radius < math.inf or (self.turning_radius and self.max_lateral):
            raise ValueError(f"turning_radius {self.turning_radius} is not that of a car, which has no max_lateral")
        if self.ensemble == 1:
            raise ValueError("an ensemble needs two members to disagree: ensemble must be 0 or at least 2")

    @property
    def command_dim(self) -> int:
        """Numbers in a command, see `ami_ros.core.commands`."""
        return 3 if self.max_lateral else 2

    @property
    def drive(self) -> Literal["differential", "ackermann", "omnidirectional"]:
        """Of the robot that it learned from."""
        if self.command_dim == 3:
            return "omnidirectional"
        return "ackermann" if self.turning_radius else "differential"

    @property
    def command_maxima(self) -> tuple[float, ...]:
        """What a command of 1 is, for each of its numbers."""
        return (self.max_linear, self.max_angular, self.max_lateral)[: self.command_dim]

    @property
    def needs_torch(self) -> bool:
        """Whether it has an encoder or a predictor of another package: those are torch modules."""
        return self.predictor != "mlp" or (self.image_encoder != "conv" and self.inputs.image_size > 0)

    @property
    def picture_size(self) -> int:
        """Of the pictures that are compared with goals [px]; 0: none are."""
        return PAIR.detail * self.pair_size or (self.inputs.image_size if self.sight_code else 0)

    @property
    def picture_code(self) -> int:
        """Numbers in a picture's code; 0: pictures are not compared."""
        if not self.pair_size:
            return self.sight_code
        cells = PAIR.channels * (self.pair_size // PAIR.stride) ** 2
        return cells + 3 * PAIR.thumb**2 + PAIR.points_length

    def without_learned_heads(self) -> ModelSpec:
        """The spec of the same latents and predictions."""
        return replace(self, ensemble=0)

    @property
    def step_duration(self) -> float:
        """Time between two latents of a rollout [s]."""
        return self.period * self.chunk


def missing(what: str) -> AmiError:
    """The error of a model that is asked for a head that it lacks."""
    return AmiError(f"this model has no {what} head; give it one with ./ami train DATA --from MODEL --heads --out NEW")


def read_spec(values: Any, where: str) -> ModelSpec:
    """The spec in a model's file, older ones included: what nothing uses any more is left out.

    Args:
        values: as the file has it.
        where: file and key, for messages.

    Raises:
        AmiError: a key or a value that does not belong there, or a model of a camera over the world.
    """
    if isinstance(values, dict) and isinstance(values.get("inputs", {}), dict):
        inputs = dict(values.get("inputs", {}))
        values = {key: value for key, value in values.items() if key != "policy"} | {"inputs": inputs}
        retired = [values.pop(key, False) for key in ("goal_encoder", "place_pose")]
        if any([*retired, *(inputs.pop(key, False) for key in ("still_camera", "heading"))]):
            raise AmiError(f"{where}: it is of a camera over the world, which this version does not know")
    return from_mapping(ModelSpec, values, where)
