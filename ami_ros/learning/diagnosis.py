"""Signs of life of a model while it is trained: a dead one is known after minutes, not after hours.

Its latents collapse to a few directions, it predicts no better than "nothing changes", or its commands do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

WINDOWS = 64
LEAST_RANK = 0.1  # of the latent's dimensions
WORST_PREDICTION = 0.9  # of the error of "nothing changes"
LEAST_SHUFFLE = 1.1  # times the error with the right commands


def effective_rank(latents: NDArray[np.float32]) -> float:
    """Exponential of the entropy of the covariance's eigenvalues (Roy & Vetterli 2007); 1 is collapse.

    Args:
        latents: (n, dim), n well above dim.
    """
    values = np.linalg.eigvalsh(np.cov(latents.T)).clip(min=1e-12)
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


@dataclass(frozen=True)
class Diagnosis:
    """Three figures of one model on one batch."""

    latent_rank: float  # effective rank
    prediction_to_persistence: float  # error of one model step over that of "nothing changes"
    shuffle_to_prediction: float  # error with the commands of other moments over the error

    def complaints(self, latent_dim: int) -> list[str]:
        """What is wrong, in words; nothing for a healthy model."""
        found = []
        if self.latent_rank < max(2.0, LEAST_RANK * latent_dim):
            found.append(
                f"the latents collapse: they fill {self.latent_rank:.1f} of {latent_dim} dimensions; "
                "raise weights.vicreg"
            )
        if self.prediction_to_persistence > WORST_PREDICTION:
            found.append(
                f"prediction is hardly better than no change (error ratio {self.prediction_to_persistence:.2f}); "
                "does the robot move in the data, and are its commands those that it followed?"
            )
        elif self.shuffle_to_prediction < LEAST_SHUFFLE:
            found.append(
                f"commands do not matter to the prediction (error ratio {self.shuffle_to_prediction:.2f} with others); "
                "are they on the same clock as the pictures?"
            )
        return found


def diagnose(model: WorldModel, sampler: WindowSampler, seed: int) -> Diagnosis:
    """Measures a model, in whatever mode it is, without changing it.

    Args:
        model: in training; it is left in the mode it was in.
        sampler: of the data.
        seed: of the windows, the same ones each time.
    """
    was_training = model.training
    model.eval()
    batch = sampler.batch(np.random.default_rng((seed, 1)), WINDOWS)
    steps, size = batch.commands.shape[:2]
    with torch.inference_mode():
        flat = model.encode(batch.sensors)
        latents = flat.view(-1, size, flat.shape[-1])
        before, after = latents[:steps].flatten(0, 1), latents[1 : steps + 1].flatten(0, 1)
        commands, previous = batch.commands.flatten(0, 1), batch.previous.flatten(0, 1)
        predicted, _ = model.step(before, commands, previous)
        shuffled, _ = model.step(before, commands.roll(size // 2 + 1, 0), previous)
    model.train(was_training)

    def error(guess: torch.Tensor) -> float:
        return float((guess - after).square().mean())

    still, right = max(error(before), 1e-12), max(error(predicted), 1e-12)
    return Diagnosis(effective_rank(flat.numpy()), right / still, error(shuffled) / right)
