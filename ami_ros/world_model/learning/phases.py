"""The last phases of training, on finished latents: the ensemble, what commands do, and how goals' pictures are
compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.core.geometry import relative
from ami_ros.world_model.learning.descent import descend
from ami_ros.world_model.learning.objective import LossWeights, dynamics_losses, pose_loss
from ami_ros.world_model.learning.windows import WindowSampler
from ami_ros.world_model.networks import Ensemble
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel

# The last phase of training: the ensemble, which is learned on finished, frozen latents.
#
# Everything is encoded already, so a step costs milliseconds, and a model that is in use gets an ensemble without its
# latents changing: memories made with it stay valid.

BATCH = 512  # moments that are encoded at a time

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class HeadConfig:
    """How the ensemble learns."""

    batch: int = 512  # moments in a step
    learning_rate: float = 2e-3  # at the start; it falls to zero along half a cosine


@dataclass(frozen=True)
class Moments:
    """All n moments of a recording, encoded once. Rows are those of the recording.

    Attributes:
        latents: (n, latent_dim).
        commands: (n, command_dim) in force from each row to the next.
        previous: (n, command_dim) in force before.
        begins: (n,) first row of each row's episode.
        starts: rows from which a whole chunk was driven.
        chunk: commands in a model step.
    """

    latents: Tensor
    commands: Tensor
    previous: Tensor
    begins: Rows
    starts: Rows
    chunk: int

    def chunks(self, rows: Rows) -> Tensor:
        """The commands given from each of `rows` on (k, chunk, command_dim)."""
        return self.commands[torch.from_numpy(rows[:, None] + np.arange(self.chunk))]


def encode_all(model: WorldModel, sampler: WindowSampler, report: Callable[[float], None]) -> Tensor:
    """Latents (n, latent_dim) of all moments of a recording: the last phases share them.

    Args:
        model: in evaluation mode.
        sampler: of the recording.
        report: called with the share done.
    """
    latents = torch.empty(len(sampler.odometry), model.spec.latent_dim)
    with torch.inference_mode():
        for rows in np.split(np.arange(len(latents)), range(BATCH, len(latents), BATCH)):
            latents[torch.from_numpy(rows)] = model.encode(sampler.sensors(rows))
            report((rows[-1] + 1) / len(latents))
    return latents


def gather(model: WorldModel, sampler: WindowSampler, latents: Tensor) -> Moments:
    """What was lived through in a recording, whose `latents` (n, latent_dim) are by that model."""
    begins, chunk = sampler.begins, model.spec.chunk
    command, rows = torch.from_numpy(np.array(sampler.command)), np.arange(len(latents))
    previous = torch.cat([torch.zeros_like(command[:1]), command[:-1]])
    previous[torch.from_numpy(rows == begins)] = 0.0
    return Moments(latents, command, previous, begins, rows[rows + chunk < sampler.ends], chunk)


def fit_heads(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    steps: int,
    config: HeadConfig,
    seed: int,
    report: Callable[[float, float], None],
    keep: Path | None = None,
) -> None:
    """Learns the model's ensemble, if it has one; nothing else of it changes.

    Args:
        model: finished but for its ensemble; it is left in evaluation mode.
        sampler: of the data.
        latents: all of it (n, latent_dim), by that model.
        steps: of the optimiser.
        config: see there.
        seed: of weights and batches: the same one gives the same ensemble.
        report: called with the share done and the loss.
        keep: see `descend`.
    """
    model.eval().requires_grad_(False)
    head = model.heads.ensemble
    if head is None:
        return
    lesson = _Lesson(head, model, gather(model, sampler, latents), np.random.default_rng((seed, 3)))

    def loss(step: int) -> Tensor:
        return lesson.loss(np.random.default_rng((seed, 10, step)), config.batch)

    descend(head, loss, steps, config.learning_rate, lambda done, value: report(done / steps, value), keep=keep)
    lesson.finish()
    model.eval().requires_grad_(False)


class _Lesson:
    """Each member learns from runs drawn with replacement; some runs are left for the calibration.

    They predict the next latent, and how far off the model itself is.
    """

    KEPT = 1 / 8  # of the episodes, for the calibration
    ROUNDS = 16  # batches in the calibration
    DOUBT = 0.1  # weight of the error that is expected, against the prediction

    def __init__(self, head: Ensemble, model: WorldModel, data: Moments, rng: np.random.Generator) -> None:
        self.head, self.model, self.data = head, model, data
        begins = data.begins[data.starts]
        episodes = rng.permutation(np.unique(begins))
        kept = max(round(self.KEPT * len(episodes)), len(episodes) > 1)
        of_episode = {begin: data.starts[begins == begin] for begin in episodes}
        self.kept = np.concatenate([of_episode[begin] for begin in episodes[:kept] if kept] or [data.starts])
        drawn = [rng.choice(episodes[kept:], len(episodes) - kept) for _ in range(model.spec.ensemble)]
        self.rows = [np.concatenate([of_episode[begin] for begin in own]) for own in drawn]
        self.squared = self._squared_errors()

    def loss(self, rng: np.random.Generator, batch: int) -> Tensor:
        rows = np.stack([rng.choice(own, batch) for own in self.rows])
        latent = self.data.latents[torch.from_numpy(rows)]
        change = self.data.latents[torch.from_numpy(rows + self.data.chunk)] - latent
        expected, doubt = self.head(latent, *self._commands(rows))
        # The likelihood of errors that are normally distributed about zero.
        likelihood = (self.squared[torch.from_numpy(rows)] / doubt.exp() + doubt).mean()
        return functional.mse_loss(expected, change) + self.DOUBT * likelihood

    def finish(self) -> None:
        """Fits log(error) of the model's own prediction to log(uncertainty) on the runs that were kept."""
        rng = np.random.default_rng(0)
        said, came = [], []
        for _ in range(self.ROUNDS):
            rows = rng.choice(self.kept, 512)
            latent = self.data.latents[torch.from_numpy(rows)]
            with torch.inference_mode():
                said.append(self.head.uncertainty(latent, *self._commands(rows)).log())
            came.append(0.5 * self.squared[torch.from_numpy(rows)].clamp(min=1e-12).log())
        x, y = torch.cat(said).double(), torch.cat(came).double()
        slope = max(float(((x - x.mean()) * (y - y.mean())).mean() / x.var().clamp(min=1e-9)), 0.05)
        self.head.calibration.copy_(torch.tensor([float(y.mean()) - slope * float(x.mean()), slope]))

    def _squared_errors(self) -> Tensor:
        """Mean squared error of the model's prediction from each row (n,); 0 where there is none."""
        data, found = self.data, torch.zeros(len(self.data.latents))
        for rows in np.array_split(data.starts, len(data.starts) // 1024 + 1):
            index = torch.from_numpy(rows)
            with torch.inference_mode():
                predicted = self.model.predictor(data.latents[index], *self._commands(rows))
            came = data.latents[torch.from_numpy(rows + data.chunk)]
            found[index] = (predicted - came).square().mean(-1)
        return found

    def _commands(self, rows: Rows) -> tuple[Tensor, Tensor]:
        scale = self.model.command_scale
        chunk = self.data.chunks(rows.ravel()).unflatten(0, rows.shape) / scale
        return chunk, self.data.previous[torch.from_numpy(rows)] / scale


# What commands do, learned further on finished latents: the predictor and the motion head, for a robot that drives
# otherwise than the model has seen, such as faster.
#
# Everything is encoded already, so a step costs milliseconds. Latents stay as they are: memories stay valid, and so do
# thresholds of pictures.

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


# A phase of training on finished latents: how a goal's picture is compared with what the camera sees.
#
# Pairs are moments of one run within some seconds, labelled by odometry, whose gains are known by now
# (`learning.odometry_gains`). Near pairs count most: that is where a robot decides that it has arrived.

GROUPS, MEMBERS = 16, 8  # moments of a step; all pairs within a group are compared
REACH = 6.0  # from the middle of a group to its members [s]
ERROR_WEIGHT = 0.1  # weight of how far off the head expects to be
WARM_UP = 100  # steps


def fit_sighting(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    steps: int,
    learning_rate: float,
    seed: int,
    bfloat16: bool,
    report: Callable[[int, float], None],
    fresh: bool = True,
    keep: Path | None = None,
) -> None:
    """Trains the model's `sighting`; everything else stays as it is. Nothing to do for a model without it.

    Args:
        model: finished but for this.
        sampler: of the data.
        latents: (n, latent_dim) of all of it, by that model.
        steps: optimiser steps.
        learning_rate: at its highest; it falls to zero along half a cosine.
        seed: of the pairs drawn.
        bfloat16: run the image encoders in bfloat16.
        report: called with the steps done and the loss.
        keep: see `descend`.
        fresh: begin with the image encoder of the latents, which knows pictures, instead of going on.
    """
    if model.sighting is None or not steps:
        return
    model.eval().requires_grad_(False)
    learned = model.sighting
    if fresh and model.encoder.image is not None:
        learned.encoder.load_state_dict(model.encoder.image.state_dict())

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step, 1))
        return _loss(model, sampler, latents, _moments(sampler, rng), rng, bfloat16)

    descend(learned, loss, steps, learning_rate, report, warm_up=WARM_UP, clip=CLIP, keep=keep)
    model.eval()


def _moments(sampler: WindowSampler, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows (MEMBERS, GROUPS) of the data: moments of one episode, near each other in time."""
    reach = round(REACH / sampler.spec.period)
    middle = sampler.moments(rng, GROUPS)
    rows = middle + rng.integers(-reach, reach + 1, (MEMBERS, GROUPS))
    return np.clip(rows, sampler.begins[middle], sampler.ends[middle] - 1)


def _loss(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    bfloat16: bool,
) -> Tensor:
    assert model.sighting is not None
    sensors = sampler.sensors(rows.ravel(), rng)
    assert sensors.image is not None
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        features = model.sighting.encoder(sensors.image)
    codes = model.sighting.out(features.float()).view(*rows.shape, -1)
    here = latents[torch.from_numpy(rows)]
    poses = sampler.odometry[rows]
    first, second = np.nonzero(~np.eye(MEMBERS, dtype=bool))
    wanted = torch.from_numpy(relative(poses[first], poses[second]).astype(np.float32))
    seen = model.sighting(here[first], codes[first], codes[second])
    error = (seen[..., :2].detach() - wanted[..., :2]).square().sum(-1).add(1e-6).sqrt()
    expected = seen[..., 4]
    return pose_loss(seen[..., :4], wanted) + ERROR_WEIGHT * (error * (-expected).exp() + expected).mean()
