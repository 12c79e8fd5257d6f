"""The descent that all last phases share: AdamW, whose rate falls to zero along half a cosine; it can be stopped
anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
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

# What a learning loop keeps when it is stopped, so that it goes on as if it had not been.

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


# The descent that all last phases share: AdamW, whose rate falls to zero along half a cosine.

KEPT_EVERY = 500  # steps between two states that are written: what a kill may lose


def descend(
    learned: nn.Module,
    loss: Callable[[int], Tensor],
    steps: int,
    learning_rate: float,
    report: Callable[[int, float], None],
    weight_decay: float = 1e-4,
    warm_up: int = 0,
    clip: float = math.inf,
    keep: Path | None = None,
) -> None:
    """Learns `learned`; it is left in evaluation mode, without gradients.

    Args:
        learned: what is learned; all else must stand.
        loss: of a step, a scalar; draws what it needs from the number of the step alone.
        steps: how many.
        learning_rate: at its highest.
        report: called with the steps done and the loss.
        weight_decay: of AdamW.
        warm_up: steps in which the rate rises.
        clip: norm of the gradient.
        keep: file that keeps the state where a signal stops it, and now and then; if it is there, the descent goes on
            from it. It is there at the end, too, until whoever asked has kept what was learned.

    Raises:
        AmiError: `keep` is damaged, or of another run.
    """
    learned.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(learned.parameters(), lr=learning_rate, weight_decay=weight_decay)
    run = np.array([[steps, learning_rate]])  # what a state is of
    done = 0 if keep is None else _restored(keep, learned, optimizer, run)
    signals = HeldSignals()
    with signals.held(insists=True):
        for step in range(done, steps):
            warm = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
            value = loss(step)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            if clip < math.inf:
                nn.utils.clip_grad_norm_(learned.parameters(), clip)
            optimizer.step()
            report(step + 1, float(value.detach()))
            if keep is not None and (signals.came or (step + 1) % KEPT_EVERY == 0 or step + 1 == steps):
                keep.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(keep, pack(learned, optimizer, step + 1, run))
            signals.act()
    learned.eval().requires_grad_(False)


def _restored(keep: Path, learned: nn.Module, optimizer: torch.optim.Optimizer, run: Array) -> int:
    """Puts the state in a file back, if there is one; returns the steps done."""
    if not keep.is_file():
        return 0
    done, kept = unpack(keep.read_bytes(), learned, optimizer, 1, keep)
    if not np.array_equal(kept, run):
        raise AmiError(f"{keep} is of a run with other steps; give those again, or delete it to begin anew")
    return done
