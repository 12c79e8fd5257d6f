"""What a robot has lived through, as its finished model sees it: what the learned heads learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.learning.encoding import BATCH, Encodings
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

DEEPEST = 4  # model steps that latents are imagined ahead

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class HeadData:
    """All n moments of a recording, encoded once. Rows are those of the recording.

    Attributes:
        latents: (n, latent_dim) as observed.
        imagined: (n, latent_dim) of the same moments, as the model expected them 1 to `DEEPEST` steps before: what the
            planner asks heads about.
        goals: (n, latent_dim) by the picture alone; as observed for a model without a camera.
        commands: (n, command_dim) in force from each row to the next.
        previous: (n, command_dim) in force before.
        begins: (n,) first row of each row's episode.
        ends: (n,) row behind its last.
        starts: rows from which a whole chunk was driven.
        chunk: commands in a model step.
    """

    latents: Tensor
    imagined: Tensor
    goals: Tensor
    commands: Tensor
    previous: Tensor
    begins: Rows
    ends: Rows
    starts: Rows
    chunk: int

    def chunks(self, rows: Rows) -> Tensor:
        """The commands given from each of `rows` on (k, chunk, command_dim)."""
        return self.commands[torch.from_numpy(rows[:, None] + np.arange(self.chunk))]

    def seen_or_imagined(self, rows: Rows, rng: np.random.Generator) -> Tensor:
        """Latents (k, latent_dim) of `rows`, half of them imagined."""
        chosen = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None]
        index = torch.from_numpy(rows)
        return torch.where(chosen, self.imagined[index], self.latents[index])

    def goals_of(self, rows: Rows, rng: np.random.Generator) -> Tensor:
        """Latents (k, latent_dim) of `rows` as goals, half of them by the picture alone."""
        chosen = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None]
        index = torch.from_numpy(rows)
        return torch.where(chosen, self.goals[index], self.latents[index])


def gather(model: WorldModel, sampler: WindowSampler, encoded: Encodings, seed: int) -> HeadData:
    """What was lived through in a recording, and what of it was to be expected.

    Args:
        model: in evaluation mode.
        sampler: of the recording.
        encoded: all of it, by that model.
        seed: of the depths that latents are imagined at.
    """
    latents, goals = encoded.latents, encoded.goals
    count, chunk = len(latents), model.spec.chunk
    begins, ends = sampler.begins, sampler.ends
    command = torch.from_numpy(np.array(sampler.command))
    previous = torch.cat([torch.zeros_like(command[:1]), command[:-1]])
    previous[torch.from_numpy(np.arange(count) == begins)] = 0.0
    rows = np.arange(count)
    data = HeadData(
        *(latents, latents.clone(), goals, command, previous),
        begins=begins,
        ends=ends,
        starts=rows[rows + chunk < ends],
        chunk=chunk,
    )
    _imagine(model, data, np.random.default_rng((seed, 2)))
    return data


def _imagine(model: WorldModel, data: HeadData, rng: np.random.Generator) -> None:
    """Fills `imagined`; moments too early in their episode stay as observed."""
    count, chunk = len(data.latents), data.chunk
    depths = rng.integers(1, DEEPEST + 1, count)
    before = np.arange(count) - depths * chunk
    for depth in range(1, DEEPEST + 1):
        rows = np.flatnonzero((depths == depth) & (before >= data.begins))
        for block in np.array_split(rows, len(rows) // BATCH + 1):
            start = block - depth * chunk
            commands = data.commands[torch.from_numpy(start[:, None] + np.arange(depth * chunk))]
            first = torch.from_numpy(start)
            with torch.inference_mode():
                latents, _ = model.rollout(
                    data.latents[first], commands.unflatten(1, (depth, chunk)), data.previous[first]
                )
            data.imagined[torch.from_numpy(block)] = latents[:, -1]
