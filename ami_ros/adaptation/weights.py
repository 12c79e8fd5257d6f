"""The few tensors of a world model that may change while a robot drives; latents stay those of the trained model.

They are kept and sent apart from the model, as safetensors that name the model they belong to.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.world_model.checkpoint import write_atomically
from ami_ros.world_model.model import WorldModel

DRIVE, COLOURS = "drive", "colours"
LEAST_GAIN = 0.1  # of a colour [-]: with less the camera would be blind
LEAST_DRIVE = 0.01  # determinant of `drive` [-]: a robot that cannot turn, or cannot drive, cannot be planned for
Weights = Mapping[str, Tensor]
M = TypeVar("M", bound=WorldModel)


def private_copy(model: M) -> M:
    """The same model with `drive` and `colours` of its own; all networks, and so all latents, are shared."""
    own = copy.copy(model)
    own.__dict__["_buffers"] = model._buffers | {DRIVE: model.drive.clone(), COLOURS: model.colours.clone()}
    return own


def adaptable(model: WorldModel) -> dict[str, Tensor]:
    """What may change, by name: how commands act, and what the camera makes of colours."""
    found = {DRIVE: model.drive}
    if model.spec.inputs.image_size:
        found[COLOURS] = model.colours
    return found


def check(weights: Weights, model: WorldModel) -> None:
    """Raises AmiError if the model has no such tensors, or they do not fit."""
    own = adaptable(model)
    for name, tensor in weights.items():
        if name not in own or own[name].shape != tensor.shape or not tensor.isfinite().all():
            raise AmiError(f"adaptation: '{name}' does not fit the model; erase the file, or adapt again")
    if DRIVE in weights and abs(float(torch.linalg.det(weights[DRIVE]))) < LEAST_DRIVE:
        raise AmiError("adaptation: by it the robot could not be steered; erase the file, or adapt again")
    if COLOURS in weights and float(weights[COLOURS][:, 0].min()) < LEAST_GAIN:
        raise AmiError("adaptation: by it the robot could not see; erase the file, or adapt again")


@torch.no_grad()
def apply(weights: Weights, model: WorldModel, trained: WorldModel) -> None:
    """Makes `model`, a private copy of `trained`, the trained one with `weights`; what they leave out is as trained.

    Raises:
        AmiError: as `check`; `model` is then as it was.
    """
    check(weights, model)
    original = adaptable(trained)
    for name, tensor in adaptable(model).items():
        tensor.copy_(weights.get(name, original[name]))


def pack(weights: Weights, encoder_id: str) -> bytes:
    """As bytes, for a file or a message."""
    return save_tensors({k: v.detach().float().contiguous() for k, v in weights.items()}, {"encoder_id": encoder_id})


def unpack(content: bytes, encoder_id: str, where: str) -> dict[str, Tensor]:
    """What `pack` packed.

    Raises:
        AmiError: it is damaged, or belongs to another model than `encoder_id`.
    """
    try:
        weights = load_tensors(content)
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


def load_weights(path: Path, encoder_id: str) -> dict[str, Tensor]:
    """Reads a file; AmiError as `unpack`, and if it cannot be read."""
    try:
        return unpack(path.read_bytes(), encoder_id, str(path))
    except OSError as error:
        raise AmiError(f"adaptation: cannot read {path} ({error.strerror})") from error
