"""How each learned head learns: one class a head, which says what it is trained on and what it minimises."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.learning.head_data import HeadData, Rows
from ami_ros.world_model.learned_heads import Ensemble, Policy
from ami_ros.world_model.model import WorldModel


class Lesson(Protocol):
    """One head and its loss."""

    @property
    def head(self) -> nn.Module:
        """What learns."""
        ...

    def loss(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Of one random batch."""
        ...

    def finish(self) -> None:
        """Called once when the last step is done."""
        ...


class EnsembleLesson:
    """Each member learns from runs drawn with replacement; some runs are left for the calibration.

    They predict the next latent, and how far off the model itself is.
    """

    KEPT = 1 / 8  # of the episodes, for the calibration
    ROUNDS = 16  # batches in the calibration
    DOUBT = 0.1  # weight of the error that is expected, against the prediction

    def __init__(self, head: Ensemble, model: WorldModel, data: HeadData, rng: np.random.Generator) -> None:
        self.head, self.model, self.data = head, model, data
        begins = data.begins[data.starts]
        episodes = rng.permutation(np.unique(begins))
        kept = max(round(self.KEPT * len(episodes)), len(episodes) > 1)
        of_episode = {begin: data.starts[begins == begin] for begin in episodes}
        self.kept = np.concatenate([of_episode[begin] for begin in episodes[:kept] if kept] or [data.starts])
        drawn = [rng.choice(episodes[kept:], len(episodes) - kept) for _ in range(len(head.weights[0]))]
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


class PolicyLesson:
    """What was commanded, given where the same run was a while later (hindsight goals)."""

    def __init__(self, head: Policy, model: WorldModel, data: HeadData, seconds: float) -> None:
        self.head, self.model, self.data = head, model, data
        self.reach = max(data.chunk, round(seconds / model.spec.period))

    def loss(self, rng: np.random.Generator, batch: int) -> Tensor:
        rows = rng.choice(self.data.starts, batch)
        goals = _later(self.data, rows, self.reach, rng)
        wanted = (self.data.chunks(rows) / self.model.command_scale).clamp(-1, 1)
        given = self.head(self.data.seen_or_imagined(rows, rng), self.data.goals_of(goals, rng))
        return functional.smooth_l1_loss(given, wanted, beta=0.1)

    def finish(self) -> None:
        pass


def _later(data: HeadData, rows: Rows, reach: int, rng: np.random.Generator) -> Rows:
    """A row of the same episode 1 to `reach` rows after each of `rows`; soon after is drawn more often."""
    most = np.minimum(reach, data.ends[rows] - 1 - rows)
    return np.asarray(rows + 1 + np.floor(rng.random(len(rows)) ** 2 * most).astype(np.int64))
