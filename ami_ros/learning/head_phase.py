"""The last phase of training: the ensemble, which is learned on finished, frozen latents.

Everything is encoded already, so a step costs milliseconds, and a model that is in use gets an ensemble without its
latents changing: memories made with it stay valid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ami_ros.learning.descent import descend
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.networks import Ensemble

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
