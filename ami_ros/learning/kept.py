"""What a learning loop keeps when it is stopped, so that it goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ami_ros.errors import AmiError
from ami_ros.geometry import Array

MODEL, OPTIMIZER, STEP, GAINS = "model.", "optimizer.", "step", "gains"


def pack(model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, gains: Array) -> bytes:
    """The state after `step` steps, with the gains (episodes, 2) of each run's odometry, as a safetensors file."""
    tensors = {MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{OPTIMIZER}{number}.{name}": value.contiguous() for name, value in state.items()}
    return save(tensors | {STEP: torch.tensor(step), GAINS: torch.from_numpy(gains)})


def unpack(
    content: bytes, model: torch.nn.Module, optimizer: torch.optim.Optimizer, episodes: int, file: Path
) -> tuple[int, Array]:
    """Puts a state back into model and optimiser; returns step and gains.

    Args:
        content: as `pack` made it.
        model: of the same spec.
        optimizer: of that model.
        episodes: of the data.
        file: where the content is from, for messages.

    Raises:
        AmiError: the content is damaged, or of another model or other data.
    """
    try:
        tensors = load(content)
        step, gains = int(tensors.pop(STEP)), tensors.pop(GAINS).numpy()
    except (SafetensorError, KeyError) as error:
        raise AmiError(f"train: {file} is damaged; delete it to begin anew") from error
    if len(gains) != episodes:
        raise AmiError(f"train: {file} is of {len(gains)} episodes, the data have {episodes}; choose another --out")
    states: dict[int, dict[str, Any]] = {}
    for key in [key for key in tensors if key.startswith(OPTIMIZER)]:
        number, _, name = key.removeprefix(OPTIMIZER).partition(".")
        states.setdefault(int(number), {})[name] = tensors.pop(key)
    try:
        model.load_state_dict({key.removeprefix(MODEL): value for key, value in tensors.items()})
    except RuntimeError as error:
        raise AmiError(f"train: {file} is of another model; choose another --out or delete it") from error
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return step, np.asarray(gains, np.float64)
