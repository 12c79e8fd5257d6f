"""What the learned heads are worth: does uncertainty rank errors, and are commands foreseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ami_ros.evaluation.encoded import Encoded
from ami_ros.evaluation.foresight import Foresight
from ami_ros.geometry import Array
from ami_ros.world_model.arrays import accumulated

STARTS = 3000
HORIZONS = (1, 4, 10)  # model steps


@dataclass(frozen=True)
class Uncertainty:
    """Errors of imagined latents, and what was to be expected; entry h is h + 1 model steps ahead."""

    expected: Array  # (k, steps), root mean square [latent units]
    came: Array  # (k, steps)

    def spearman(self, steps: int) -> float:
        """Whether it ranks the errors `steps` ahead."""
        return _rank(self.expected[:, steps - 1], self.came[:, steps - 1])


@dataclass(frozen=True)
class Commands:
    """Errors of the policy's commands against those that led to a goal, in units of the maxima."""

    at_once: float  # mean, for goals two model steps ahead
    later: float  # mean, for goals up to 10 s ahead
    constant: float  # mean, of the best single command


@dataclass(frozen=True)
class HeadQuality:
    """Of each learned head that the model has."""

    uncertainty: Uncertainty | None = None
    commands: Commands | None = None

    def figures(self) -> dict[str, float | None]:
        """Flat figures, whose names carry the unit."""
        found: dict[str, float | None] = {}
        if seen := self.uncertainty:
            found |= {
                "uncertainty_spearman": seen.spearman(1),
                **{f"uncertainty_spearman_{h}_steps": seen.spearman(h) for h in HORIZONS[1:]},
                "uncertainty_median": float(np.median(seen.expected[:, 0])),
                "prediction_error_median": float(np.median(seen.came[:, 0])),
            }
        if given := self.commands:
            found |= {
                "policy_error_to_constant": given.at_once / given.constant,
                "policy_error_to_constant_10_s": given.later / given.constant,
            }
        return found


def measure_heads(encoded: Encoded, foresight: Foresight, rng: np.random.Generator) -> HeadQuality:
    """Measures the learned heads that the model has at tested moments.

    Args:
        encoded: the recording.
        foresight: what the model imagined there.
        rng: of the choice of moments.
    """
    spec = encoded.model.spec
    return HeadQuality(
        uncertainty=_uncertainty(encoded, foresight) if spec.ensemble else None,
        commands=_commands(encoded, rng) if spec.policy else None,
    )


def _uncertainty(encoded: Encoded, foresight: Foresight) -> Uncertainty:
    steps = foresight.imagined.shape[1]
    commands, previous = encoded.commands(foresight.starts, steps)
    now = encoded.latents[foresight.starts]
    with torch.inference_mode():
        given = map(torch.from_numpy, (now, foresight.imagined, commands, previous))
        expected = accumulated(encoded.model.path_disagreement(*given)).numpy().astype(np.float64)
    after = foresight.starts[:, None] + encoded.model.spec.chunk * np.arange(1, steps + 1)
    error = np.sqrt(((foresight.imagined - encoded.latents[after]) ** 2).mean(-1))
    return Uncertainty(expected, np.asarray(error, np.float64))


def _commands(encoded: Encoded, rng: np.random.Generator) -> Commands:
    model, latents = encoded.model, encoded.latents
    chunk = model.spec.chunk
    reach = max(2, round(10.0 / model.spec.step_duration))
    starts = encoded.starts(reach, rng, STARTS)
    scale = model.command_scale.numpy()
    given = encoded.commands(starts, 1)[0][:, 0] / scale

    def error(ahead: NDArray[np.int64] | int) -> float:
        with torch.inference_mode():
            said = model.policy(torch.from_numpy(latents[starts]), torch.from_numpy(latents[starts + ahead]))
        return float(np.abs(said.numpy() / scale - given).mean())

    constant = float(np.abs(given - np.median(given, (0, 1))).mean())
    return Commands(error(2 * chunk), error(rng.integers(1, reach * chunk, len(starts), endpoint=True)), constant)


def _rank(a: Array, b: Array) -> float:
    return float(spearmanr(a, b).statistic)
