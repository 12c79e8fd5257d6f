"""The few numbers of a world model that may change while a robot drives; latents stay those of the trained model.

They are kept and sent apart from the model, as safetensors that name the model they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ami_ros.errors import AmiError
from ami_ros.world_model.identity import write_atomically
from ami_ros.world_model.latent_model import Model

DRIVE, COLOURS = "drive", "colours"
LEAST_GAIN = 0.1  # of a colour [-]: with less the camera would be blind
LEAST_DRIVE = 0.01  # determinant of `drive` [-]: a robot that cannot turn, or cannot drive, cannot be planned for
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
    if DRIVE in weights and abs(float(np.linalg.det(weights[DRIVE]))) < LEAST_DRIVE:
        raise AmiError("adaptation: by it the robot could not be steered; erase the file, or adapt again")
    if COLOURS in weights and float(weights[COLOURS][:, 0].min()) < LEAST_GAIN:
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
