"""A recording as a model sees it: the latents of all its moments, and of which of them figures are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import Sensors

Rows = NDArray[np.int64]
Latents = NDArray[np.float32]
Progress = Callable[[str, int, int], None]  # what, done, total

BATCH = 256
TESTED = 1 / 3  # of the episodes


@dataclass(frozen=True)
class Encoded:
    """A model and the moments it is measured on; positions below count these moments, not rows of the data set.

    Attributes:
        model: in evaluation mode.
        dataset: the recording; the model has not been trained on it.
        rows: (n,) of the data set.
        latents: (n, latent_dim).
        tested: (n,) whether figures are taken there.
        sampler: gives the sensors of rows.
    """

    model: WorldModel
    dataset: Dataset
    rows: Rows
    latents: Latents
    tested: NDArray[np.bool_]
    sampler: WindowSampler

    @property
    def truth(self) -> Array:
        """True poses (n, 3); NaN in recordings without."""
        return np.asarray(self.dataset.truth)[self.rows]

    @property
    def episode(self) -> NDArray[np.int32]:
        """Number of the episode (n,)."""
        return np.asarray(self.dataset.episode)[self.rows]

    def starts(self, steps: int, rng: np.random.Generator, count: int) -> Rows:
        """At most `count` random tested positions with one row before and `steps` model steps after in the episode.

        Args:
            steps: of the model, so rows behind a position are `steps` times `chunk`.
        """
        reach = steps * self.model.spec.chunk
        index = np.arange(1, len(self.rows) - reach)
        # Rows ascend, so equal distances in rows and positions mean that nothing was left out between.
        whole = (self.rows[index + reach] - self.rows[index - 1] == reach + 1) & self.tested[index]
        same = self.episode[index + reach] == self.episode[index - 1]
        found = index[whole & same]
        return np.sort(rng.choice(found, min(count, len(found)), replace=False))

    def commands(self, starts: Rows, steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What was commanded from each start on (k, steps, chunk, command_dim), and just before (k, command_dim)."""
        chunk = self.model.spec.chunk
        command = np.asarray(self.dataset.command)
        after = self.rows[starts][:, None, None] + chunk * np.arange(steps)[:, None] + np.arange(chunk)
        return command[after], command[self.rows[starts] - 1]

    def encode(self, sensors: Callable[[Rows], Sensors], positions: Rows) -> Latents:
        """Latents of `positions` by other sensors than their own."""
        return _batched(lambda at: self.model.encode(sensors(at)), positions)

    def goals(self, positions: Rows) -> Latents:
        """What the pictures alone at some positions give (k, latent_dim), of a model that sees."""
        return _batched(lambda at: self.model.encode_goal(self._images(at)), positions)

    def pictures(self, positions: Rows) -> Latents:
        """Codes of the pictures at some positions (k, sight_code), of a model that compares them."""
        return _batched(lambda at: self.model.encode_picture(self._images(at)), positions)

    def imagine(self, now: Latents, commands: NDArray[np.float32], previous: NDArray[np.float32]) -> Latents:
        """Latents (k, steps, latent_dim) after each step of `commands` from latents (k, latent_dim) on."""
        with torch.inference_mode():
            latents, _ = self.model.rollout(*map(torch.from_numpy, (now, commands, previous)))
        return np.asarray(latents.numpy())

    def _images(self, positions: Rows) -> torch.Tensor:
        image = self.sampler.sensors(self.rows[positions]).image
        assert image is not None
        return image


def encode_recording(
    model: WorldModel, dataset: Dataset, seed: int, frames: int, progress: Progress | None = None
) -> Encoded:
    """Encodes a recording.

    A third of its episodes, drawn at random, is for figures; of a single one it is the last third.

    Args:
        model: in evaluation mode.
        dataset: to be measured on.
        seed: of the draw.
        frames: encoded at most, the first ones of each episode.
        progress: called with what is done, and how far.
    """
    each = max(2, frames // len(dataset.episodes))
    stretches = [np.arange(start, min(stop, start + each)) for start, stop in dataset.episodes]
    count = len(stretches)
    if count > 1:
        chosen = np.random.default_rng(seed).permutation(count)[: max(1, round(TESTED * count))]
        tested = [np.full(len(stretch), number in chosen) for number, stretch in enumerate(stretches)]
    else:
        tested = [np.arange(len(stretches[0])) >= (1 - TESTED) * len(stretches[0])]
    rows = np.concatenate(stretches)
    sampler = WindowSampler(dataset, model.spec, WindowConfig(starts=2))
    latents = _batched(lambda at: model.encode(sampler.sensors(at)), rows, progress)
    return Encoded(model, dataset, rows, latents, np.concatenate(tested), sampler)


def _batched(encode: Callable[[Rows], torch.Tensor], rows: Rows, progress: Progress | None = None) -> Latents:
    """What `encode` gives of all rows, BATCH of them at a time."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            parts.append(encode(rows[start : start + BATCH]).float().numpy())
            if progress:
                progress("encoding", min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(parts)
