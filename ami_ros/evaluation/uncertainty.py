"""What the ensemble is worth: whether its uncertainty ranks the errors that come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr

from ami_ros.evaluation.encoded import Encoded
from ami_ros.evaluation.foresight import Foresight
from ami_ros.geometry import Array
from ami_ros.world_model.arrays import accumulated

HORIZONS = (1, 4, 10)  # model steps


@dataclass(frozen=True)
class Uncertainty:
    """Errors of imagined latents, and what was to be expected; entry h is h + 1 model steps ahead."""

    expected: Array  # (k, steps), root mean square [latent units]
    came: Array  # (k, steps)

    def spearman(self, steps: int) -> float:
        """Whether it ranks the errors `steps` ahead."""
        return float(spearmanr(self.expected[:, steps - 1], self.came[:, steps - 1]).statistic)

    def figures(self) -> dict[str, float]:
        """Flat figures, whose names carry the unit."""
        return {
            "uncertainty_spearman": self.spearman(1),
            **{f"uncertainty_spearman_{h}_steps": self.spearman(h) for h in HORIZONS[1:]},
            "uncertainty_median": float(np.median(self.expected[:, 0])),
            "prediction_error_median": float(np.median(self.came[:, 0])),
        }


def measure_uncertainty(encoded: Encoded, foresight: Foresight) -> Uncertainty | None:
    """Of a model at the moments where it imagined; None: it has no ensemble."""
    if not encoded.model.spec.ensemble:
        return None
    steps = foresight.imagined.shape[1]
    commands, previous = encoded.commands(foresight.starts, steps)
    now = encoded.latents[foresight.starts]
    with torch.inference_mode():
        given = map(torch.from_numpy, (now, foresight.imagined, commands, previous))
        expected = accumulated(encoded.model.path_disagreement(*given)).numpy().astype(np.float64)
    after = foresight.starts[:, None] + encoded.model.spec.chunk * np.arange(1, steps + 1)
    error = np.sqrt(((foresight.imagined - encoded.latents[after]) ** 2).mean(-1))
    return Uncertainty(expected, np.asarray(error, np.float64))
