"""What may change of a world model while a robot drives, what that is learned from, and the journal of it. No torch."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.spec import Sensors

if TYPE_CHECKING:
    from torch import Tensor


# The few numbers of a world model that may change while a robot drives; latents stay those of the trained model.
#
# They are kept and sent apart from the model, as safetensors that name the model they belong to.

DRIVE, COLOURS = "drive", "colours"
Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class AdaptationConfig:
    """How fast, from how much, and what."""

    period: float = 1.0  # [s] of driving between two steps, at least; larger learns more slowly and takes less CPU
    rate: float = 0.02  # of a step, for how commands act [-]; larger learns faster and less steadily
    colours: bool = False  # also learn gain and offset of each colour; needs images and a tenth of a core
    colours_rate: float = 0.03  # of a step, for colours [-]; larger learns faster and less steadily
    batch: int = 32  # segments in a step; larger is steadier and takes more CPU
    recent: int = 96  # newest segments that are learned from; larger is steadier, smaller follows changes sooner

    def __post_init__(self) -> None:
        if not 0 < self.batch <= self.recent:
            raise ValueError(f"batch must be 1 to recent ({self.recent}), not {self.batch}")


def adaptable(model: Model) -> dict[str, NDArray[Any]]:
    """What may change, by name, to be read and written: how commands act, and what the camera makes of colours."""
    own = {DRIVE: model.drive, COLOURS: model.colours} if model.spec.inputs.image_size else {DRIVE: model.drive}
    return {name: v if isinstance(v, np.ndarray) else v.detach().numpy() for name, v in own.items()}


def check(weights: Weights, model: Model) -> None:
    """Raises AmiError if the model has no such numbers, or they do not fit."""
    own = adaptable(model)
    for name, values in weights.items():
        if name not in own or own[name].shape != values.shape or not np.isfinite(values).all():
            raise AmiError(f"adaptation: '{name}' does not fit the model; erase the file, or adapt again")
    if DRIVE in weights and abs(float(np.linalg.det(weights[DRIVE]))) < 0.01:
        raise AmiError("adaptation: by it the robot could not be steered; erase the file, or adapt again")
    if COLOURS in weights and float(weights[COLOURS][:, 0].min()) < 0.1:
        raise AmiError("adaptation: by it the robot could not see; erase the file, or adapt again")


def apply(weights: Weights, model: Model, trained: Model) -> None:
    """Makes `model`, a `private_copy` of `trained`, the trained one with `weights`; what they leave out is as trained.

    Raises:
        AmiError: as `check`; `model` is then as it was.
    """
    check(weights, model)
    original = adaptable(trained)
    for name, values in adaptable(model).items():
        values[:] = weights.get(name, original[name])


def pack(weights: Weights, encoder_id: str) -> bytes:
    """As bytes, for a file or a message."""
    return save_arrays({k: np.ascontiguousarray(v, np.float32) for k, v in weights.items()}, {"encoder_id": encoder_id})


def unpack(content: bytes, encoder_id: str, where: str) -> dict[str, NDArray[Any]]:
    """What `pack` packed.

    Raises:
        AmiError: it is damaged, or belongs to another model than `encoder_id`.
    """
    try:
        weights = load_arrays(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        owner = header.get("__metadata__", {}).get("encoder_id")
    except (SafetensorError, ValueError) as error:
        raise AmiError(f"adaptation: {where} is damaged; erase it, or adapt again") from error
    if owner != encoder_id:
        raise AmiError(f"adaptation: {where} belongs to the model {owner}, not to {encoder_id}; adapt this one anew")
    return weights


def save_weights(path: Path, weights: Weights, encoder_id: str) -> None:
    """Writes a file whole or not at all.

    Raises:
        AmiError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, pack(weights, encoder_id))
    except OSError as error:
        raise AmiError(f"adaptation: cannot write {path} ({error.strerror}); choose another file") from error


def load_weights(path: Path, encoder_id: str) -> dict[str, NDArray[Any]]:
    """Reads a file; AmiError as `unpack`, and if it cannot be read."""
    try:
        return unpack(path.read_bytes(), encoder_id, str(path))
    except OSError as error:
        raise AmiError(f"adaptation: cannot read {path} ({error.strerror})") from error


# Executed segments: what was seen, what was done, what came of it.


@dataclass(frozen=True)
class Segment:
    """One model step that the robot has driven."""

    stamp: float  # at its end [s]
    before: NDArray[np.float32]  # latent (latent_dim,)
    previous: Array  # (2,) command in force before [m/s, rad/s]
    commands: Array  # (chunk, 2) [m/s, rad/s]
    after: NDArray[np.float32]  # latent (latent_dim,)
    motion: Array  # (3,) by odometry, in the base frame at its start [m, m, rad]
    sensors: Sensors | None = None  # a batch of two, of arrays: what `before` and `after` were made of, as it came


class Segments(NamedTuple):
    """Many of them: each field as in `Segment`, with the batch first; of sensors twice as many, two for each."""

    before: Tensor
    previous: Tensor
    commands: Tensor
    after: Tensor
    motion: Tensor
    sensors: Sensors | None = None


class SegmentStore:
    """Keeps the newest `capacity` segments; `rng` is that of `draw`."""

    def __init__(self, capacity: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rows: deque[Segment] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, segment: Segment) -> None:
        """Takes one more in."""
        self._rows.append(segment)

    def all(self) -> Segments:
        """All that are kept."""
        return _stacked(self._rows)

    def draw(self, count: int) -> Segments:
        """`count` of them at random, with replacement."""
        return _stacked([self._rows[k] for k in self._rng.integers(len(self._rows), size=count)])


def _stacked(rows: Sequence[Segment]) -> Segments:
    import torch

    def column(name: str) -> Tensor:
        return torch.from_numpy(np.array([getattr(row, name) for row in rows], dtype=np.float32))

    sensors = [row.sensors for row in rows if row.sensors is not None]
    columns = {name: column(name) for name in Segments._fields if name != "sensors"}
    kept = None
    if sensors and len(sensors) == len(rows):
        kept = Sensors(*(None if values is None else torch.from_numpy(values) for values in joined(sensors)))
    return Segments(**columns, sensors=kept)


def joined(parts: Sequence[Sensors]) -> Sensors:
    """Several batches of sensors as one."""
    return Sensors(*(None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)))


def single(segment: Segment) -> Segments:
    """A batch of one."""
    return _stacked([segment])


# The journal of an adaptation: a JSON line for every step that was taken, kept or not.

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Step:
    """What one step did: a line of the journal."""

    stamp: float  # [s]
    number: int  # of steps taken, this one included
    part: str  # what was changed: "drive" or "colours"
    kept: bool  # or rolled back
    reason: str  # why it was rolled back
    loss_before: float  # on held-out segments of the newest driving
    loss_after: float


def rounded(rows: Rows) -> list[list[float]]:
    """For people to read."""
    return [[round(value, 4) for value in row] for row in rows]


class Journal:
    """Appends to a file; each line is whole.

    Raises:
        AmiError: the file cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise AmiError(f"adaptation: cannot write {path} ({error.strerror}); choose another journal") from error

    def write(self, step: Step, in_use: bool, drive: Rows, colours: Rows) -> None:
        """One step, whether what was adapted is in use after it, how commands act now, and what the camera makes of
        red, green and blue: gain and offset each."""
        line = asdict(step) | {"in_use": in_use, "drive": rounded(drive), "colours": rounded(colours)}
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise AmiError(f"adaptation: cannot write {self._path} ({error.strerror}); make room") from error
