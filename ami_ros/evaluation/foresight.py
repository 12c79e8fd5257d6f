"""Foresight: how far ahead imagination holds, beside the bet that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.evaluation.encoded import Encoded, Rows
from ami_ros.geometry import Array

STEPS, STARTS = 10, 2000


@dataclass(frozen=True)
class Foresight:
    """Rollouts of the commands that were really given; entry h is h + 1 model steps ahead.

    Attributes:
        starts: (k,) positions they begin at.
        imagined: (k, steps, latent_dim).
        prediction: (steps,) mean squared error of the imagined latents.
        shuffled: (steps,) the same with the commands of other moments.
        persistence: (steps,) the same if the latent stayed as it was.
    """

    starts: Rows
    imagined: NDArray[np.float32]
    prediction: Array
    shuffled: Array
    persistence: Array


def look_ahead(encoded: Encoded, rng: np.random.Generator) -> Foresight:
    """Imagines from random tested moments and compares with what came.

    Args:
        encoded: the recording.
        rng: of the choice of moments.
    """
    chunk = encoded.model.spec.chunk
    starts = encoded.starts(STEPS, rng, STARTS)
    commands, previous = encoded.commands(starts, STEPS)
    now, latents = encoded.latents[starts], encoded.latents
    after = starts[:, None] + chunk * np.arange(1, STEPS + 1)
    other = rng.permutation(len(starts))
    imagined = _rollout(encoded, now, commands, previous)
    wrong = _rollout(encoded, now, commands[other], previous)
    came = latents[after]

    def squared(guess: NDArray[np.float32]) -> Array:
        return np.asarray(((guess - came) ** 2).mean((0, 2)), dtype=np.float64)

    return Foresight(starts, imagined, squared(imagined), squared(wrong), squared(now[:, None]))


def _rollout(
    encoded: Encoded, now: NDArray[np.float32], commands: NDArray[np.float32], previous: NDArray[np.float32]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        latents, _ = encoded.model.rollout(*map(torch.from_numpy, (now, commands, previous)))
    return np.asarray(latents.numpy())
