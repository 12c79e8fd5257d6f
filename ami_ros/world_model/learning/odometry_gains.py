"""What is wrong with each run's odometry: a gain of its distances and one of its turns, the same all run.

A model that was trained on many runs sees motions without the gains of any one, for they average out. So it can tell
each run's gains, and its next steps learn from better labels. That needs no truth, only more than one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.windows import WindowSampler
from ami_ros.world_model.torch_model import WorldModel

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class GainConfig:
    """By which moments gains are estimated."""

    pairs: int = 600  # of moments of each run that are compared
    reach: tuple[float, float] = (1.0, 12.0)  # [s] between them
    agree: float = 0.6  # [rad] beyond this the model and odometry speak of different things
    near: tuple[float, float] = (0.3, 2.0)  # [m] between moments whose distances are compared
    rounds: int = 10  # of reweighting


GAINS = GainConfig()


def estimate_gains(model: WorldModel, sampler: WindowSampler, seed: int) -> Array:
    """Gains (episodes, 2) of distance and turn, by which the odometry as recorded is to be multiplied.

    Args:
        model: as far as it is trained.
        sampler: of the data.
        seed: of the moments compared.

    The mean gain of all distances is one: nothing can tell it. That of turns is found: a full turn ends where it began.
    """
    rng = np.random.default_rng((seed, 2))
    training = model.training
    model.eval()
    starts = [start for start, _ in sampler.runs]
    run_of = np.searchsorted(starts, [start for start, _ in sampler.episodes], side="right") - 1
    episodes: list[list[tuple[int, int]]] = [[] for _ in starts]
    for run, episode in zip(run_of, sampler.episodes, strict=True):
        episodes[run].append(episode)
    moments = [_moments_of(own, sampler.spec.period, rng) for own in episodes]
    found = np.zeros((len(moments), 2))
    for k in range(parallel.rank(), len(moments), parallel.count()):  # each process sees its share of the pictures
        found[k] = _of_run(model, sampler, sampler.runs[k], *moments[k])
    found = parallel.average(torch.from_numpy(found)).numpy() * parallel.count()
    model.train(training)
    found[:, 0] /= np.average(found[:, 0], weights=[stop - start for start, stop in sampler.runs])
    return np.asarray(found[run_of])


def with_gains(odometry: Array, episodes: Sequence[tuple[int, int]], gains: Array) -> Array:
    """Odometry (n, 3) driven again with other gains (episodes, 2)."""
    result = np.array(odometry, np.float64)
    for (start, stop), (distance, turn) in zip(episodes, gains, strict=True):
        if stop - start > 1:
            result[start:stop] = _drive(odometry[start:stop], distance, turn)
    return result


def _drive(odometry: Array, distance: float, turn: float) -> Array:
    """One episode (n, 3), from its first pose on."""
    steps = relative(odometry[:-1], odometry[1:])
    yaw = odometry[0, 2] + np.append(0.0, np.cumsum(turn * steps[:, 2]))
    # A step is a chord of an arc: where it points turns by half of what the arc turns more.
    angle = yaw[:-1] + 0.5 * (turn - 1) * steps[:, 2]
    c, s = distance * np.cos(angle), distance * np.sin(angle)
    moved = np.stack([c * steps[:, 0] - s * steps[:, 1], s * steps[:, 0] + c * steps[:, 1]], 1)
    place = odometry[0, :2] + np.concatenate([np.zeros((1, 2)), moved.cumsum(0)])
    return np.column_stack([place, yaw])


def _moments_of(episodes: Sequence[tuple[int, int]], period: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Pairs of moments of one run, each pair within an episode; none where there is too little to tell."""
    low, high = (round(seconds / period) for seconds in GAINS.reach)
    among = np.concatenate([np.arange(start, max(start, stop - high)) for start, stop in episodes])
    if not len(among):
        return among, among
    first = among[rng.integers(0, len(among), GAINS.pairs)]
    return first, first + rng.integers(low, high + 1, GAINS.pairs)


def _of_run(
    model: WorldModel, sampler: WindowSampler, run: tuple[int, int], first: Rows, second: Rows
) -> tuple[float, float]:
    """Gains of distance and turn of one run, by pairs of its moments; 1 where there are none."""
    start, stop = run
    if not len(first):
        return 1.0, 1.0
    with torch.inference_mode():
        a, b = (model.encode(sampler.sensors(rows)) for rows in (first, second))
        seen = model.relative_pose(a, b).numpy().astype(np.float64)
    recorded = sampler.recorded[start:stop]
    turns = np.append(0.0, np.cumsum(relative(recorded[:-1], recorded[1:])[:, 2]))
    turned = turns[second - start] - turns[first - start]
    turn = _turn_gain(turned, wrap(np.arctan2(seen[:, 3], seen[:, 2]) - turned))
    driven = _drive(recorded, 1.0, turn)
    moved = relative(driven[first - start], driven[second - start])[:, :2]
    length = np.hypot(*moved.T)
    near = (length > GAINS.near[0]) & (length < GAINS.near[1])
    if not near.any():
        return 1.0, turn
    # Along what odometry says, so that the model's shrinking to the mean is the same for all runs.
    along = (seen[near, :2] * moved[near]).sum(1) / length[near] ** 2
    return float(np.median(along)), turn


def _turn_gain(turned: Array, beyond: Array) -> float:
    """The gain that explains what was seen `beyond` what odometry `turned` [rad]; least absolute deviations."""
    gain, usable = 0.0, np.abs(beyond) < GAINS.agree
    for _ in range(GAINS.rounds):
        weight = usable / (0.05 + np.abs(beyond - gain * turned))
        gain = float((weight * turned * beyond).sum() / max(1e-6, (weight * turned**2).sum()))
    return 1.0 + gain
