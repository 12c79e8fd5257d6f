"""Pictures to judge a model by eye: which moments look alike to it, and what it imagines.

A latent cannot be turned back into a picture. What it stands for is shown by the remembered moment whose latent is the
nearest: what the robot imagines, in pictures that it has really seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.encoded import Encoded
from ami_ros.evaluation.foresight import Foresight
from ami_ros.geometry import relative

QUERIES, NEIGHBOURS, DREAMS = 6, 5, 5
LONG = 1.0  # [m], dreams begin where the robot drives on so far


@dataclass(frozen=True)
class Shot:
    """A picture and what is written below it."""

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Album:
    """Rows of pictures.

    Attributes:
        neighbours: each a tested moment, and the remembered ones whose latents are the nearest.
        dreams: each a pair of rows: what came, and what was imagined from the first moment on.
    """

    neighbours: list[list[Shot]]
    dreams: list[tuple[list[Shot], list[Shot]]]


def make_album(encoded: Encoded, foresight: Foresight, rng: np.random.Generator) -> Album | None:
    """Chooses pictures at random among the tested moments; None for a model that sees no images."""
    if not encoded.model.spec.inputs.image_size:
        return None
    remembered = np.flatnonzero(~encoded.tested)
    tested = np.flatnonzero(encoded.tested)
    queries = rng.choice(tested, QUERIES, replace=False)
    neighbours = []
    for query in queries:
        found = _nearest(encoded, encoded.latents[query : query + 1], remembered, NEIGHBOURS)[0]
        shots = [_shot(encoded, int(position), int(query)) for position in found]
        neighbours.append([Shot(encoded.dataset.jpeg(int(encoded.rows[query])), "seen now"), *shots])
    return Album(
        neighbours, [_dream(encoded, foresight, int(k), remembered) for k in _long_ways(encoded, foresight, rng)]
    )


def _long_ways(encoded: Encoded, foresight: Foresight, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of rollouts during which the robot gets somewhere."""
    odometry = np.asarray(encoded.dataset.odometry)[encoded.rows]
    reach = encoded.model.spec.chunk * foresight.imagined.shape[1]
    motion = relative(odometry[foresight.starts], odometry[foresight.starts + reach])
    far = np.flatnonzero(np.hypot(motion[:, 0], motion[:, 1]) > LONG)
    candidates = far if len(far) else np.arange(len(foresight.starts))
    return np.asarray(rng.choice(candidates, min(DREAMS, len(candidates)), replace=False))


def _dream(
    encoded: Encoded, foresight: Foresight, k: int, remembered: NDArray[np.int64]
) -> tuple[list[Shot], list[Shot]]:
    start, spec = int(foresight.starts[k]), encoded.model.spec
    latents = np.concatenate([encoded.latents[start : start + 1], foresight.imagined[k]])
    found = _nearest(encoded, latents, remembered, 1)[:, 0]
    came, dreamt = [], []
    for step, position in enumerate(found.tolist()):
        there = start + step * spec.chunk
        caption = "now" if not step else f"after {step * spec.step_duration:.1f} s"
        came.append(Shot(encoded.dataset.jpeg(int(encoded.rows[there])), caption))
        dreamt.append(_shot(encoded, position, there))
    return came, dreamt


def _nearest(encoded: Encoded, latents: NDArray[np.float32], among: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Positions (k, count) among some whose latents are the nearest to `latents` (k, dim), the nearest first."""
    bank = encoded.latents[among]
    squared = (bank**2).sum(1) - 2 * latents @ bank.T  # without the query's own square, which orders nothing
    return among[np.argsort(squared, axis=1)[:, :count]]


def _shot(encoded: Encoded, position: int, of: int) -> Shot:
    """A remembered picture, with how far it was taken from the moment it stands for."""
    jpeg = encoded.dataset.jpeg(int(encoded.rows[position]))
    pose, other = encoded.truth[of], encoded.truth[position]
    if not np.isfinite([*pose, *other]).all():
        return Shot(jpeg, "")
    x, y, yaw = relative(pose, other)
    return Shot(jpeg, f"{np.hypot(x, y):.2f} m, {np.degrees(abs(np.arctan2(np.sin(yaw), np.cos(yaw)))):.0f}°")
