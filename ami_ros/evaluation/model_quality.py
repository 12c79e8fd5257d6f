"""What a model knows, measured on a recording that it was not trained on, before any robot moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ami_ros.errors import AmiError
from ami_ros.evaluation.encoded import Encoded, Progress, Rows, encode_recording
from ami_ros.evaluation.violation_of_expectation import LASTING, Violations, violate
from ami_ros.geometry import Array, relative, wrap
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.diagnosis import effective_rank
from ami_ros.world_model.arrays import accumulated
from ami_ros.world_model.model import WorldModel

HORIZONS = (1, 4, 10)  # model steps
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
    imagined = encoded.imagine(now, commands, previous)
    wrong = encoded.imagine(now, commands[other], previous)
    came = latents[after]

    def squared(guess: NDArray[np.float32]) -> Array:
        return np.asarray(((guess - came) ** 2).mean((0, 2)), dtype=np.float64)

    return Foresight(starts, imagined, squared(imagined), squared(wrong), squared(now[:, None]))


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


PAIRS = 3000
DISTANCES = (0.0, 0.5, 1.0, 1.5, 2.5, 4.0)  # [m], bounds of the bins of relative poses
WITHIN = 1.5  # [m], the pairs of the figures
SPAN = 60  # rows that the pairs of recordings without ground truth are apart at most, so that odometry is still good


@dataclass(frozen=True)
class PoseErrors:
    """Errors of the relative-pose head over pairs of moments."""

    distance_m: Array  # true ones
    position_m: Array
    heading_rad: Array

    def within(self, low: float, high: float) -> PoseErrors:
        """Those of pairs `low` to `high` [m] apart."""
        inside = (self.distance_m >= low) & (self.distance_m < high)
        return PoseErrors(*(part[inside] for part in (self.distance_m, self.position_m, self.heading_rad)))


@dataclass(frozen=True)
class ModelQuality:
    """All that was measured; what needs ground truth is None in recordings without it."""

    encoded: Encoded
    foresight: Foresight
    violations: Violations
    poses: PoseErrors
    pictured: PoseErrors | None  # where the second moment is a picture only, whose latent is guessed
    sighted: PoseErrors | None  # where the second moment is a picture only, and pictures are compared
    latent_rank: float
    uncertainty: Uncertainty | None  # None: it has no ensemble

    def figures(self) -> dict[str, float | int]:
        """Flat figures, whose names carry the unit."""
        found: dict[str, float | int | None] = {
            "frames": len(self.encoded.rows),
            "tested_frames": int(self.encoded.tested.sum()),
            "latent_rank": self.latent_rank,
            **self._foresight(),
            **_pose_figures("relative", self.poses.within(0.0, WITHIN)),
            **(_pose_figures("goal", self.pictured.within(0.0, WITHIN)) if self.pictured else {}),
            **(_pose_figures("sighted", self.sighted.within(0.0, WITHIN)) if self.sighted else {}),
            **self._surprise(),
            **(self.uncertainty.figures() if self.uncertainty else {}),
        }
        return {name: round(value, 5) for name, value in found.items() if value is not None}

    def _foresight(self) -> dict[str, float]:
        seen = self.foresight
        ratio = seen.prediction / seen.persistence
        return {
            "prediction_to_persistence": float(ratio[0]),
            "prediction_to_persistence_4_steps": float(ratio[3]),
            "prediction_to_persistence_10_steps": float(ratio[9]),
            "shuffle_to_prediction": float(seen.shuffled[0] / seen.prediction[0]),
            "shuffle_to_prediction_4_steps": float(seen.shuffled[3] / seen.prediction[3]),
        }

    def _surprise(self) -> dict[str, float]:
        seen = self.violations
        kinds = seen.violated
        found = {f"surprise_auroc_{kind}": seen.auroc(kind) for kind in kinds}
        found |= {f"surprise_detected_{kind}": seen.detected(kind) for kind in kinds}
        return found | {"surprise_auroc": seen.auroc_all, "surprise_false_alarms_per_h": seen.false_alarms_per_h}


def measure_model(
    model: WorldModel, dataset: Dataset, seed: int, frames: int = 12000, progress: Progress | None = None
) -> ModelQuality:
    """Measures `model` on random moments of `dataset`, which should not have been trained on.

    Args:
        model: in evaluation mode.
        dataset: with or without ground truth.
        seed: of every choice.
        frames: encoded at most.
        progress: called with what is done, and how far.

    Raises:
        AmiError: the recording lacks a sensor of the model, has another period, or is too short.
    """
    _check(model, dataset)
    report = progress or (lambda what, done, total: None)
    rng = np.random.default_rng(seed)
    encoded = encode_recording(model, dataset, seed, frames, report)
    if not len(encoded.starts(max(STEPS, LASTING), rng, 1)):
        needed = STEPS * model.spec.step_duration
        raise AmiError(f"evaluate: no tested episode of {dataset.folder} lasts {needed:.0f} s; record longer ones")
    report("imagining", 0, 1)
    foresight = look_ahead(encoded, rng)
    report("surprising", 0, 1)
    violations = violate(encoded, rng)
    report("comparing", 0, 1)
    first, second = _pairs(encoded, rng)
    goals = encoded.goals(second) if model.spec.inputs.image_size else None
    latents = encoded.latents
    return ModelQuality(
        encoded=encoded,
        foresight=foresight,
        violations=violations,
        poses=_pose_errors(encoded, first, second, latents[second]),
        pictured=None if goals is None else _pose_errors(encoded, first, second, goals),
        sighted=None if model.sighting is None else _sight_errors(encoded, first, second),
        latent_rank=effective_rank(latents[encoded.tested]),
        uncertainty=measure_uncertainty(encoded, foresight),
    )


def _check(model: WorldModel, dataset: Dataset) -> None:
    inputs, card = model.spec.inputs, dataset.card
    if abs(card.period - model.spec.period) > 1e-6:
        raise AmiError(
            f"evaluate: {dataset.folder} has a frame every {card.period} s, the model wants one every "
            f"{model.spec.period} s: extract it again with --period {model.spec.period}"
        )
    if inputs.scan_beams and not card.scan_beams:
        raise AmiError(f"evaluate: the model needs a scan, {dataset.folder} has none")


def _poses(encoded: Encoded) -> Array:
    """True poses, or those of odometry, which only compare within an episode."""
    return encoded.truth if encoded.dataset.card.has_truth else np.asarray(encoded.dataset.odometry)[encoded.rows]


def _pairs(encoded: Encoded, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random tested positions, in every bin of distance about as many; shorter than PAIRS where there are few."""
    tested = np.flatnonzero(encoded.tested)
    first = rng.choice(tested, 60 * PAIRS)
    if encoded.dataset.card.has_truth:
        second = rng.choice(tested, len(first))
    else:
        second = np.clip(first + rng.integers(-SPAN, SPAN + 1, len(first)), 0, len(encoded.rows) - 1)
        near = (encoded.episode[first] == encoded.episode[second]) & encoded.tested[second]
        first, second = first[near], second[near]
    poses = _poses(encoded)
    apart = np.hypot(*(poses[first, :2] - poses[second, :2]).T)
    bins = list(zip(DISTANCES[:-1], DISTANCES[1:], strict=True))
    # The figures are over pairs up to WITHIN, drawn evenly over the floor: nine times as many at 1 m as at 1/3 m.
    chosen = [np.flatnonzero(apart < WITHIN)[:PAIRS]]
    chosen += [
        np.flatnonzero((apart >= low) & (apart < high))[: PAIRS // len(bins)] for low, high in bins if low >= WITHIN
    ]
    index = np.concatenate(chosen)
    return first[index], second[index]


def _pose_errors(
    encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64], other: NDArray[np.float32]
) -> PoseErrors:
    with torch.inference_mode():
        latents = torch.from_numpy(encoded.latents[first]), torch.from_numpy(other)
        seen = encoded.model.relative_pose(*latents).numpy().astype(np.float64)
    return _errors(encoded, first, second, seen)


def _sight_errors(encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64]) -> PoseErrors:
    assert encoded.model.sighting is not None
    here, there = (torch.from_numpy(encoded.pictures(positions)) for positions in (first, second))
    with torch.inference_mode():
        seen = encoded.model.sighting(torch.from_numpy(encoded.latents[first]), here, there)
    return _errors(encoded, first, second, seen.numpy().astype(np.float64))


def _errors(encoded: Encoded, first: NDArray[np.int64], second: NDArray[np.int64], seen: Array) -> PoseErrors:
    """Of poses `seen` (k, 4 or more) against the truth."""
    poses = _poses(encoded)
    wanted = relative(poses[first], poses[second])
    position = np.hypot(seen[:, 0] - wanted[:, 0], seen[:, 1] - wanted[:, 1])
    heading = np.abs(wrap(np.arctan2(seen[:, 3], seen[:, 2]) - wanted[:, 2]))
    return PoseErrors(np.hypot(wanted[:, 0], wanted[:, 1]), position, heading)


def _pose_figures(name: str, errors: PoseErrors) -> dict[str, float]:
    if not len(errors.position_m):
        return {}
    return {
        f"{name}_position_median_m": float(np.median(errors.position_m)),
        f"{name}_position_p90_m": float(np.percentile(errors.position_m, 90)),
        f"{name}_heading_median_rad": float(np.median(errors.heading_rad)),
    }
