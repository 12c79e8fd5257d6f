"""What commands do, learned further on finished latents: the predictor and the motion head, for a robot that drives
otherwise than the model has seen, such as faster.

Everything is encoded already, so a step costs milliseconds. Latents stay as they are: memories stay valid, and so do
thresholds of pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ami_ros.learning.descent import descend
from ami_ros.learning.objective import LossWeights, dynamics_losses
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec

SPEEDS = ("max_linear", "max_angular", "max_lateral")  # of `ModelSpec`
CLIP = 2.0  # norm of the gradient


def fit_dynamics(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    steps: int,
    batch: int,
    learning_rate: float,
    weights: LossWeights,
    seed: int,
    report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:
    """Learns predictor and motion head; nothing else of the model changes.

    Args:
        model: is left in evaluation mode.
        sampler: of the data.
        latents: all of it (n, latent_dim), by that model.
        steps: of the optimiser.
        batch: windows in a step.
        learning_rate: at its highest.
        weights: of the terms.
        seed: of the windows.
        report: called with the steps done and the loss.
        keep: see `descend`.
    """
    model.eval().requires_grad_(False)
    learned = nn.ModuleList([model.predictor, model.motion])

    def loss(step: int) -> Tensor:
        frames, windows = sampler.driven(np.random.default_rng((seed, 11, step)), batch)
        terms = dynamics_losses(model, windows, latents[torch.from_numpy(frames)])
        return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()

    descend(learned, loss, steps, learning_rate, report, clip=CLIP, keep=keep)


def in_units_of(model: WorldModel, spec: ModelSpec) -> WorldModel:
    """The same model, whose commands of 1 are those of `spec`, which differs in its greatest speeds alone. It predicts
    as before, for its weights change with the unit."""
    ratio = torch.tensor(spec.command_maxima) / torch.tensor(model.spec.command_maxima)
    wider, state = WorldModel(spec), dict(model.state_dict())
    ratios = ratio.repeat(spec.chunk + 1)  # the command before, and the chunk
    for name in ("predictor.condition.0.weight", "motion.layers.0.weight"):
        state[name] = _scaled(state[name], ratios)
    if spec.ensemble:
        name = "heads.ensemble.weights.0"
        state[name] = _scaled(state[name].transpose(1, 2), ratios).transpose(1, 2)
    given = ratio.repeat(spec.chunk)  # by the inverse dynamics
    state["inverse_dynamics.4.weight"] = state["inverse_dynamics.4.weight"] / given[:, None]
    state["inverse_dynamics.4.bias"] = state["inverse_dynamics.4.bias"] / given
    wider.load_state_dict(state)
    return wider.eval()


def with_wider_limits(spec: ModelSpec, limits: dict[str, float]) -> ModelSpec:
    """The spec with those of the `limits` that are higher than its own."""
    higher = [name for name in SPEEDS if limits.get(name, 0.0) > getattr(spec, name)]
    wider: dict[str, Any] = {name: limits[name] for name in higher}
    return replace(spec, **wider)


def _scaled(weight: Tensor, ratios: Tensor) -> Tensor:
    """A weight (..., outputs, inputs), the last of whose inputs are commands, times `ratios`."""
    rest = weight.shape[-1] - len(ratios)
    return weight * torch.cat([torch.ones(rest), ratios])
