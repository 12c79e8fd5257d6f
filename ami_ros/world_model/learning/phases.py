"""The last phases of training, on finished latents: how goals' pictures are compared, what commands do, the ensemble.

Everything is encoded already, so a step costs milliseconds. Latents stay as they are, so a model that is in use can
learn further: memories made with it stay valid, and so do thresholds of pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.core.geometry import relative
from ami_ros.world_model.learning.descent import Descent, descend
from ami_ros.world_model.learning.objective import LossWeights, dynamics_losses, pose_loss
from ami_ros.world_model.learning.windows import WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class PhaseConfig:
    """What the last phases draw, and how they weigh it."""

    groups: int = 16  # of moments in a step of comparing pictures
    members: int = 8  # of a group; all pairs within it are compared
    reach: float = 6.0  # [s] from the middle of a group to its members
    error_weight: float = 0.1  # of how far off the head expects to be
    warm_up: int = 100  # steps
    clip: float = 2.0  # norm of the gradient
    kept: float = 1 / 8  # share of the episodes by which the ensemble is calibrated
    doubt_weight: float = 0.1  # of the error that a member expects, against its prediction


PHASES = PhaseConfig()


def encode_all(model: WorldModel, sampler: WindowSampler, report: Callable[[float], None], batch: int = 512) -> Tensor:
    """Latents (n, latent_dim) of all moments of a recording: the last phases share them.

    Args:
        model: in evaluation mode.
        sampler: of the recording.
        report: called with the share done.
        batch: moments that are encoded at a time.
    """
    latents = torch.empty(len(sampler.odometry), model.spec.latent_dim)
    with torch.inference_mode():
        for rows in np.split(np.arange(len(latents)), range(batch, len(latents), batch)):
            latents[torch.from_numpy(rows)] = model.encode(sampler.sensors(rows))
            report((rows[-1] + 1) / len(latents))
    return latents


def fit_sighting(
    model: WorldModel, sampler: WindowSampler, latents: Tensor, seed: int, bfloat16: bool, how: Descent,
    fresh: bool = True,
) -> None:  # fmt: skip
    """Trains the model's `sighting`; everything else stays as it is. Nothing to do for a model without it.

    Pairs are moments of one run within some seconds, labelled by odometry, whose gains are known by now
    (`odometry_gains`). Near pairs count most: that is where a robot decides that it has arrived.

    Args:
        model: finished but for this; it is left in evaluation mode.
        sampler: of the data.
        latents: (n, latent_dim) of all of it, by that model.
        seed: of the pairs drawn.
        bfloat16: run the image encoders in bfloat16.
        how: of the descent.
        fresh: begin with the image encoder of the latents, which knows pictures, instead of going on.
    """
    learned, groups, members = model.sighting, PHASES.groups, PHASES.members
    if learned is None or not how.steps:
        return
    model.eval().requires_grad_(False)
    if fresh and model.encoder.image is not None:
        learned.encoder.load_state_dict(model.encoder.image.state_dict())
    reach = round(PHASES.reach / sampler.spec.period)
    first, second = np.nonzero(~np.eye(members, dtype=bool))

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step, 1))
        middle = sampler.moments(rng, groups)
        rows = middle + rng.integers(-reach, reach + 1, (members, groups))
        rows = np.clip(rows, sampler.begins[middle], sampler.ends[middle] - 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            features = learned.encoder(sampler.sensors(rows.ravel()).image)
        codes = learned.out(features.float()).view(*rows.shape, -1)
        here, poses = latents[torch.from_numpy(rows)], sampler.odometry[rows]
        wanted = torch.from_numpy(relative(poses[first], poses[second]).astype(np.float32))
        seen = learned(here[first], codes[first], codes[second])
        error = (seen[..., :2].detach() - wanted[..., :2]).square().sum(-1).add(1e-6).sqrt()
        expected = seen[..., 4]  # how far off the head expects to be
        return pose_loss(seen[..., :4], wanted) + PHASES.error_weight * (error * (-expected).exp() + expected).mean()

    descend(learned, loss, replace(how, warm_up=PHASES.warm_up, clip=PHASES.clip))
    model.eval()


def fit_dynamics(
    model: WorldModel, sampler: WindowSampler, latents: Tensor, batch: int, weights: LossWeights, seed: int,
    how: Descent,
) -> None:  # fmt: skip
    """Learns predictor and motion head further, for a robot that drives otherwise than the model has seen, such as
    faster; nothing else of the model changes.

    Args:
        model: is left in evaluation mode.
        sampler: of the data.
        latents: all of it (n, latent_dim), by that model.
        batch: windows in a step.
        weights: of the terms.
        seed: of the windows.
        how: of the descent.
    """
    model.eval().requires_grad_(False)

    def loss(step: int) -> Tensor:
        frames, windows = sampler.driven(np.random.default_rng((seed, 11, step)), batch)
        terms = dynamics_losses(model, windows, latents[torch.from_numpy(frames)])
        return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()

    descend(nn.ModuleList([model.predictor, model.motion]), loss, replace(how, clip=PHASES.clip))


def with_wider_limits(spec: ModelSpec, limits: dict[str, float]) -> ModelSpec:
    """The spec with those of the `limits` on commands, by its fields, that are higher than its own."""
    speeds = ("max_linear", "max_angular", "max_lateral")
    return replace(spec, **{name: max(getattr(spec, name), limits.get(name, 0.0)) for name in speeds})


def in_units_of(model: WorldModel, spec: ModelSpec) -> WorldModel:
    """The same model, whose commands of 1 are those of `spec`, which differs in its greatest speeds alone. It predicts
    as before, for its weights change with the unit."""
    ratio = torch.tensor(spec.command_maxima) / torch.tensor(model.spec.command_maxima)
    wider, state = WorldModel(spec), dict(model.state_dict())
    ratios = ratio.repeat(spec.chunk + 1)  # the command before, and the chunk: the last inputs of each

    def scaled(weight: Tensor) -> Tensor:
        return weight * torch.cat([torch.ones(weight.shape[-1] - len(ratios)), ratios])

    for name in ("predictor.condition.0.weight", "motion.layers.0.weight"):
        state[name] = scaled(state[name])
    if spec.ensemble:
        name = "heads.ensemble.weights.0"
        state[name] = scaled(state[name].transpose(1, 2)).transpose(1, 2)
    given = ratio.repeat(spec.chunk)  # by the inverse dynamics
    state["inverse_dynamics.4.weight"] = state["inverse_dynamics.4.weight"] / given[:, None]
    state["inverse_dynamics.4.bias"] = state["inverse_dynamics.4.bias"] / given
    wider.load_state_dict(state)
    return wider.eval()


@dataclass(frozen=True)
class HeadConfig:
    """How the ensemble learns."""

    batch: int = 512  # moments in a step
    learning_rate: float = 2e-3  # at the start; it falls to zero along half a cosine


def fit_heads(model: WorldModel, sampler: WindowSampler, latents: Tensor, batch: int, seed: int, how: Descent) -> None:
    """Learns the model's ensemble, if it has one; nothing else of it changes.

    Args:
        model: finished but for its ensemble; it is left in evaluation mode.
        sampler: of the data.
        latents: all of it (n, latent_dim), by that model.
        batch: moments in a step.
        seed: of weights and batches: the same one gives the same ensemble.
        how: of the descent.
    """
    model.eval().requires_grad_(False)
    if (head := model.heads.ensemble) is None:
        return
    lesson = _Lesson(model, Moments(model, sampler, latents), np.random.default_rng((seed, 3)))
    descend(head, lambda step: lesson.loss(np.random.default_rng((seed, 10, step)), batch), how)
    lesson.calibrate()
    model.eval().requires_grad_(False)


class Moments:
    """All n moments of a recording, encoded once, as a model takes them.

    Attributes:
        latents: (n, latent_dim).
        begins: (n,) first row of each row's episode.
        starts: rows from which a whole chunk was driven.
    """

    def __init__(self, model: WorldModel, sampler: WindowSampler, latents: Tensor) -> None:
        self.latents, self.begins, self._steps = latents, sampler.begins, np.arange(model.spec.chunk)
        rows = np.arange(len(latents))
        self.starts: Rows = rows[rows + model.spec.chunk < sampler.ends]
        self._command = torch.from_numpy(np.array(sampler.command))
        self._previous = torch.cat([torch.zeros_like(self._command[:1]), self._command[:-1]])
        self._previous[torch.from_numpy(rows == self.begins)] = 0.0

    def driven(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The commands given from each of `rows` (...) on (..., chunk, command_dim), and those in force before
        (..., command_dim) [SI units]."""
        return self._command[torch.from_numpy(rows[..., None] + self._steps)], self._previous[torch.from_numpy(rows)]

    def after(self, rows: Rows) -> Tensor:
        """The latents (..., latent_dim) one model step after `rows` (...)."""
        return self.latents[torch.from_numpy(rows + len(self._steps))]


class _Lesson:
    """Each member learns from runs drawn with replacement; an eighth of the runs is left for the calibration.

    They predict the next latent, and how far off the model itself is.
    """

    def __init__(self, model: WorldModel, data: Moments, rng: np.random.Generator) -> None:
        self.head, self.model, self.data = model.heads.ensemble, model, data
        begins = data.begins[data.starts]
        episodes = rng.permutation(np.unique(begins))
        kept = max(round(PHASES.kept * len(episodes)), len(episodes) > 1)
        of_episode = {begin: data.starts[begins == begin] for begin in episodes}
        self.kept = np.concatenate([of_episode[begin] for begin in episodes[:kept] if kept] or [data.starts])
        drawn = [rng.choice(episodes[kept:], len(episodes) - kept) for _ in range(model.spec.ensemble)]
        self.rows = [np.concatenate([of_episode[begin] for begin in own]) for own in drawn]
        # Mean squared error of the model's prediction from each row (n,); 0 where there is none.
        self.squared = torch.zeros(len(data.latents))
        for rows in np.array_split(data.starts, len(data.starts) // 1024 + 1):
            with torch.inference_mode():
                predicted = model.predictor(data.latents[torch.from_numpy(rows)], *self._commands(rows))
            self.squared[torch.from_numpy(rows)] = (predicted - data.after(rows)).square().mean(-1)

    def loss(self, rng: np.random.Generator, batch: int) -> Tensor:
        rows = np.stack([rng.choice(own, batch) for own in self.rows])
        latent = self.data.latents[torch.from_numpy(rows)]
        expected, doubt = self.head(latent, *self._commands(rows))
        # The likelihood of errors that are normally distributed about zero.
        likelihood = (self.squared[torch.from_numpy(rows)] / doubt.exp() + doubt).mean()
        return functional.mse_loss(expected, self.data.after(rows) - latent) + PHASES.doubt_weight * likelihood

    def calibrate(self) -> None:
        """Fits log(error) of the model's own prediction to log(uncertainty) on the runs that were kept."""
        rng, said, came = np.random.default_rng(0), [], []
        for _ in range(16):
            rows = rng.choice(self.kept, 512)
            with torch.inference_mode():
                latent = self.data.latents[torch.from_numpy(rows)]
                said.append(self.head.uncertainty(latent, *self._commands(rows)).log())
            came.append(0.5 * self.squared[torch.from_numpy(rows)].clamp(min=1e-12).log())
        x, y = torch.cat(said).double(), torch.cat(came).double()
        slope = max(float(((x - x.mean()) * (y - y.mean())).mean() / x.var().clamp(min=1e-9)), 0.05)
        self.head.calibration.copy_(torch.tensor([float(y.mean()) - slope * float(x.mean()), slope]))

    def _commands(self, rows: Rows) -> tuple[Tensor, Tensor]:
        chunk, previous = self.data.driven(rows)
        return chunk / self.model.command_scale, previous / self.model.command_scale
