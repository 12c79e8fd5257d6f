"""The descent that all last phases share: AdamW, whose rate falls along half a cosine; it can be stopped anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.signals import HeldSignals
from ami_ros.world_model.model_files import write_atomically


@dataclass(frozen=True)
class Descent:
    """How one is made."""

    steps: int
    learning_rate: float  # at its highest
    report: Callable[[int, float], None]  # called with the steps done and the loss
    keep: Path | None = None  # file for the state where a signal stops it, and now and then; it goes on from it. The
    # file is there at the end, too, until whoever asked has kept what was learned.
    weight_decay: float = 1e-4  # of AdamW
    warm_up: int = 0  # steps in which the rate rises
    clip: float = math.inf  # norm of the gradient
    keep_every: int = 500  # steps between two states that are written: what a kill may lose


def descend(learned: nn.Module, loss: Callable[[int], Tensor], how: Descent) -> None:
    """Learns `learned`, all else must stand; it is left in evaluation mode, without gradients.

    Args:
        learned: what is learned.
        loss: of a step, a scalar; draws what it needs from the number of the step alone.
        how: see there.

    Raises:
        AmiError: the file to keep the state in is damaged, or of another run.
    """
    learned.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(learned.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    done, run, keep = 0, np.array([[how.steps, how.learning_rate]]), how.keep
    if keep is not None and keep.is_file():
        done, kept = unpack(keep.read_bytes(), learned, optimizer, 1, keep)
        if not np.array_equal(kept, run):
            raise AmiError(f"{keep} is of a run with other steps; give those again, or delete it to begin anew")
    signals = HeldSignals()
    with signals.held(insists=True):
        for step in range(done, how.steps):
            warm = min(1.0, (step + 1) / how.warm_up) if how.warm_up else 1.0
            for group in optimizer.param_groups:
                group["lr"] = how.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / how.steps))
            value = loss(step)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            if how.clip < math.inf:
                nn.utils.clip_grad_norm_(learned.parameters(), how.clip)
            optimizer.step()
            how.report(step + 1, float(value.detach()))
            if keep is not None and (signals.came or (step + 1) % how.keep_every == 0 or step + 1 == how.steps):
                keep.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(keep, pack(learned, optimizer, step + 1, run))
            signals.act()
    learned.eval().requires_grad_(False)


def pack(model: nn.Module, optimizer: torch.optim.Optimizer, step: int, gains: Array) -> bytes:
    """The state after `step` steps, with the gains (episodes, 2) of each run's odometry, as a safetensors file."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value.contiguous() for name, value in state.items()}
    return save(tensors | {"step": torch.tensor(step), "gains": torch.from_numpy(gains)})


def unpack(
    content: bytes, model: nn.Module, optimizer: torch.optim.Optimizer, episodes: int, file: Path
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
        step, gains = int(tensors.pop("step")), tensors.pop("gains").numpy()
    except (SafetensorError, KeyError) as error:
        raise AmiError(f"train: {file} is damaged; delete it to begin anew") from error
    if len(gains) != episodes:
        raise AmiError(f"train: {file} is of {len(gains)} episodes, the data have {episodes}; choose another --out")
    weights: dict[str, Tensor] = {}
    states: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        kind, _, name = key.partition(".")
        if kind == "model":
            weights[name] = value
        else:
            number, _, name = name.partition(".")
            states.setdefault(int(number), {})[name] = value
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise AmiError(f"train: {file} is of another model; choose another --out or delete it") from error
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return step, np.asarray(gains, np.float64)
