"""Foresight: how far ahead imagination holds, beside the bet that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.evaluation.encoded import Encoded, Rows
from ami_ros.evaluation.probes import Reader, errors
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
        position_m: (steps,) median error of the position read from imagined latents; None without ground truth.
        bound_m: (steps,) the same read from the latents that were observed then: what a perfect prediction gives.
        still_m: (steps,) the same if the robot stayed.
    """

    starts: Rows
    imagined: NDArray[np.float32]
    prediction: Array
    shuffled: Array
    persistence: Array
    position_m: Array | None = None
    bound_m: Array | None = None
    still_m: Array | None = None


def look_ahead(encoded: Encoded, read: Reader | None, rng: np.random.Generator) -> Foresight:
    """Imagines from random tested moments and compares with what came.

    Args:
        encoded: the recording.
        read: reads poses from latents, for errors in metres.
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

    figures = Foresight(starts, imagined, squared(imagined), squared(wrong), squared(now[:, None]))
    if read is None:
        return figures
    truth, seen = encoded.truth, read(now)

    def metres(poses: Array, step: int) -> float:
        return float(np.median(errors(poses, truth[after[:, step]])[0]))

    steps = range(STEPS)
    return Foresight(
        *(figures.starts, imagined, figures.prediction, figures.shuffled, figures.persistence),
        position_m=np.array([metres(read(imagined[:, step]), step) for step in steps]),
        bound_m=np.array([metres(read(came[:, step]), step) for step in steps]),
        still_m=np.array([metres(seen, step) for step in steps]),
    )


def _rollout(
    encoded: Encoded, now: NDArray[np.float32], commands: NDArray[np.float32], previous: NDArray[np.float32]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        latents, _ = encoded.model.rollout(*map(torch.from_numpy, (now, commands, previous)))
    return np.asarray(latents.numpy())
