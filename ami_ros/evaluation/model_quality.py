"""What a model knows, measured on recordings with ground truth before any robot moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, wrap
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.remembering import encode_rows
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.model import WorldModel


@dataclass(frozen=True)
class ModelQuality:
    """Figures of one model on one data set; names carry their units."""

    frames: int
    latent_rank: float  # exponential of the entropy of the covariance's eigenvalues; 1 is collapse
    prediction_to_persistence: float  # error of one model step over that of "nothing changes"; below 1: it has learned
    shuffle_to_prediction: float  # error with the commands of other moments over the error; above 1: commands matter
    goal_unexplained: float  # share of the latent's variance that the picture alone does not give
    relative_position_median_m: float  # of pairs up to 1.5 m apart
    relative_position_p90_m: float
    relative_heading_median_rad: float
    goal_position_median_m: float  # the same where the second is a picture only
    goal_heading_median_rad: float


def measure_model(
    model: WorldModel, dataset: Dataset, seed: int, frames: int = 6000, pairs: int = 3000
) -> ModelQuality:
    """Measures `model` on random moments of `dataset`, which should not have been trained on.

    Args:
        model: in evaluation mode.
        dataset: with ground truth.
        seed: of the choice of moments.
        frames: encoded at most, one stretch of each episode.
        pairs: for the relative poses.
    """
    rng = np.random.default_rng(seed)
    sampler = WindowSampler(dataset, model.spec, WindowConfig())
    rows = _stretches(dataset, frames)
    latents = encode_rows(model, sampler, rows)
    goals = _encode_goals(model, sampler, rows) if model.goal_head is not None else latents
    predicted, shuffled, still = _prediction_errors(model, dataset, rows, latents, rng)
    truth = np.asarray(dataset.truth)[rows]
    first, second = _pairs_within(truth, 1.5, pairs, rng)
    seen = _pose_errors(model, latents[first], latents[second], truth[first], truth[second])
    pictured = _pose_errors(model, latents[first], goals[second], truth[first], truth[second])
    return ModelQuality(
        frames=len(rows),
        latent_rank=_rank(latents),
        prediction_to_persistence=predicted / still,
        shuffle_to_prediction=shuffled / predicted,
        goal_unexplained=float(np.mean((goals - latents) ** 2) / latents.var()),
        relative_position_median_m=float(np.median(seen[0])),
        relative_position_p90_m=float(np.percentile(seen[0], 90)),
        relative_heading_median_rad=float(np.median(seen[1])),
        goal_position_median_m=float(np.median(pictured[0])),
        goal_heading_median_rad=float(np.median(pictured[1])),
    )


def _stretches(dataset: Dataset, frames: int) -> NDArray[np.int64]:
    """The first rows of every episode, about `frames` in all."""
    each = max(2, frames // len(dataset.episodes))
    return np.concatenate([np.arange(start, min(stop, start + each)) for start, stop in dataset.episodes])


def _encode_goals(model: WorldModel, sampler: WindowSampler, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), 256):
            image = sampler.sensors(rows[start : start + 256]).image
            assert image is not None
            parts.append(model.encode_goal(image).numpy())
    return np.concatenate(parts)


def _prediction_errors(
    model: WorldModel, dataset: Dataset, rows: NDArray[np.int64], latents: NDArray[np.float32], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Mean squared errors one model step ahead: predicted, predicted with shuffled commands, and of persistence."""
    chunk = model.spec.chunk
    # A window may not cross an episode: its last row must lie `chunk` rows on, and the row before it one back.
    at = np.flatnonzero((rows[1 + chunk :] - rows[: -1 - chunk]) == 1 + chunk) + 1
    commands = np.asarray(dataset.command)[rows[at][:, None] + np.arange(chunk)]
    previous = np.asarray(dataset.command)[rows[at] - 1]
    other = rng.permutation(len(at))

    def error(chunks: NDArray[np.float32]) -> float:
        with torch.inference_mode():
            ahead, _ = model.step(torch.from_numpy(latents[at]), torch.from_numpy(chunks), torch.from_numpy(previous))
        return float(np.mean((ahead.numpy() - latents[at + chunk]) ** 2))

    return error(commands), error(commands[other]), float(np.mean((latents[at] - latents[at + chunk]) ** 2))


def _pairs_within(
    truth: Array, distance: float, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random pairs of rows whose true positions are at most `distance` [m] apart."""
    first, second = rng.integers(0, len(truth), (2, 60 * count))
    near = np.hypot(*(truth[first, :2] - truth[second, :2]).T) <= distance
    return first[near][:count], second[near][:count]


def _pose_errors(
    model: WorldModel, first: NDArray[np.float32], second: NDArray[np.float32], pose: Array, other: Array
) -> tuple[Array, Array]:
    """Position [m] and heading [rad] errors of the relative-pose head."""
    with torch.inference_mode():
        seen = model.relative_pose(torch.from_numpy(first), torch.from_numpy(second)).numpy().astype(np.float64)
    wanted = relative(pose, other)
    position = np.hypot(seen[:, 0] - wanted[:, 0], seen[:, 1] - wanted[:, 1])
    return position, np.abs(wrap(np.arctan2(seen[:, 3], seen[:, 2]) - wanted[:, 2]))


def _rank(latents: NDArray[np.float32]) -> float:
    """Effective rank (Roy & Vetterli 2007)."""
    values = np.linalg.eigvalsh(np.cov(latents.T)).clip(min=1e-12)
    share = values / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
