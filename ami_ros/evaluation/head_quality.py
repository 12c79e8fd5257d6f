"""What the learned heads are worth: does uncertainty rank errors, the critic times; are commands and bumps foreseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ami_ros.evaluation.driven_paths import DrivenPaths
from ami_ros.evaluation.encoded import Encoded, Latents, Rows
from ami_ros.evaluation.expectation import area
from ami_ros.evaluation.foresight import Foresight
from ami_ros.geometry import Array, relative
from ami_ros.learning.head_phase import HeadConfig
from ami_ros.learning.obstacle_labels import any_commands, bumped, nearest_after
from ami_ros.scan import Mount
from ami_ros.world_model.model import accumulated

STARTS = 3000
HORIZONS = (1, 4, 10)  # model steps
FROM, GOALS, NEAR = 60, 30, 2.5  # starts of ways, goals from each, half of them at most so far [m]
PACE = 90  # percentile of speeds and of turning rates while the robot moves: how fast it is when it is in a hurry
MOVES = 0.05  # [m/s], [rad/s]
AT_ONCE = 4.0  # [s], passed between moments of a run at most, where there is no ground truth


@dataclass(frozen=True)
class Uncertainty:
    """Errors of imagined latents, and what was to be expected; entry h is h + 1 model steps ahead."""

    expected: Array  # (k, steps), root mean square [latent units]
    came: Array  # (k, steps)

    def spearman(self, steps: int) -> float:
        """Whether it ranks the errors `steps` ahead."""
        return _rank(self.expected[:, steps - 1], self.came[:, steps - 1])


@dataclass(frozen=True)
class Times:
    """What the critic says of pairs of moments, and how long the way takes at least."""

    said: Array  # (k,) [s]
    pictured: Array | None  # (k,) [s], where the goal is a picture only
    least: Array  # (k,) [s]
    true_paths: bool  # by ground truth; else the time that passed, of pairs at most `AT_ONCE` apart


@dataclass(frozen=True)
class Commands:
    """Errors of the policy's commands against those that led to a goal, in units of the maxima."""

    at_once: float  # mean, for goals two model steps ahead
    later: float  # mean, for goals up to 10 s ahead
    constant: float  # mean, of the best single command


@dataclass(frozen=True)
class Bumps:
    """How well collisions are ranked above all else."""

    driven: float | None  # AUROC of what happened; None where nothing did
    driven_share: float  # of chunks that ended at an obstacle
    any_command: float | None  # AUROC of commands at random, judged by the scan before; None without a scanner


@dataclass(frozen=True)
class HeadQuality:
    """Of each learned head that the model has."""

    uncertainty: Uncertainty | None = None
    times: Times | None = None
    commands: Commands | None = None
    bumps: Bumps | None = None

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
        if times := self.times:
            name = "critic" if times.true_paths else "critic_elapsed"
            found |= {
                f"{name}_spearman": _rank(times.said, times.least),
                f"{name}_error_median_s": float(np.median(np.abs(times.said - times.least))),
            }
            if times.pictured is not None:
                found[f"{name}_picture_spearman"] = _rank(times.pictured, times.least)
        if given := self.commands:
            found |= {
                "policy_error_to_constant": given.at_once / given.constant,
                "policy_error_to_constant_10_s": given.later / given.constant,
            }
        if bumps := self.bumps:
            found |= {
                "collision_auroc": bumps.driven,
                "collision_share": bumps.driven_share,
                "collision_any_command_auroc": bumps.any_command,
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
        times=_times(encoded, rng) if spec.critic else None,
        commands=_commands(encoded, rng) if spec.policy else None,
        bumps=_bumps(encoded, rng) if spec.collision else None,
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


def _times(encoded: Encoded, rng: np.random.Generator) -> Times | None:
    pairs = _true_ways(encoded, rng) if encoded.dataset.card.has_truth else _elapsed(encoded, rng)
    first, second, least = pairs
    if not len(first):
        return None
    latents = encoded.latents
    goals = encoded.goals(second) if encoded.model.spec.inputs.image_size else None

    def said(goal: Latents) -> Array:
        with torch.inference_mode():
            seconds = encoded.model.time_to_go(torch.from_numpy(latents[first]), torch.from_numpy(goal))
        return seconds.numpy().astype(np.float64)

    pictured = None if goals is None else said(goals)
    return Times(said(latents[second]), pictured, least, encoded.dataset.card.has_truth)


def _true_ways(encoded: Encoded, rng: np.random.Generator) -> tuple[Rows, Rows, Array]:
    """Pairs of tested moments, and the least time between them by where the robot was ever seen to drive."""
    speeds = np.abs(np.asarray(encoded.dataset.velocity, np.float64))
    linear, angular = (float(np.percentile(v[v > MOVES], PACE)) for v in speeds[:, :2].T)
    known = np.asarray(encoded.dataset.truth)
    paths = DrivenPaths(known[np.isfinite(known).all(1)], linear, angular)
    truth = encoded.truth
    tested = np.flatnonzero(encoded.tested & np.isfinite(truth).all(1))
    first, second, least = [], [], []
    for start in rng.choice(tested, FROM):
        near = tested[np.hypot(*(truth[tested, :2] - truth[start, :2]).T) < NEAR]
        goals = np.concatenate([rng.choice(near, GOALS // 2), rng.choice(tested, GOALS - GOALS // 2)])
        times = paths.times(truth[start], truth[goals])
        there = np.isfinite(times)
        first.append(np.full(int(there.sum()), start))
        second.append(goals[there])
        least.append(times[there])
    return np.concatenate(first), np.concatenate(second), np.concatenate(least)


def _elapsed(encoded: Encoded, rng: np.random.Generator) -> tuple[Rows, Rows, Array]:
    """Pairs of tested moments of one run a short time apart, and that time."""
    reach = round(AT_ONCE / encoded.dataset.period)
    first = rng.choice(np.flatnonzero(encoded.tested), STARTS)
    passed = rng.integers(1, reach, len(first), endpoint=True)
    second = np.minimum(first + passed, len(encoded.rows) - 1)
    same = encoded.rows[second] - encoded.rows[first] == passed
    same &= encoded.episode[first] == encoded.episode[second]
    return first[same], second[same], passed[same] * encoded.dataset.period


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


def _bumps(encoded: Encoded, rng: np.random.Generator) -> Bumps:
    model, dataset, clearance = encoded.model, encoded.dataset, HeadConfig().clearance
    starts = encoded.starts(1, rng, 4 * STARTS)
    commands, previous = encoded.commands(starts, 1)
    rows, after = encoded.rows[starts], encoded.rows[starts] + model.spec.chunk
    odometry, scans = np.asarray(dataset.odometry), np.asarray(dataset.scan)
    mount, motions = dataset.scanner or Mount(), relative(odometry[rows], odometry[after])
    hit = bumped(commands[:, 0], previous, motions, scans[after], dataset.period, clearance, mount)

    def ranked(chunk: NDArray[np.float32], labels: NDArray[np.bool_]) -> float | None:
        if labels.all() or not labels.any():
            return None
        with torch.inference_mode():
            given = map(torch.from_numpy, (encoded.latents[starts], chunk, previous))
            said = model.collision(*given).numpy()
        return area(said[labels], said[~labels])

    other = None
    if scans.shape[1]:
        chunk = any_commands(len(starts), model.spec.chunk, rng, model.spec.command_dim) * model.command_scale.numpy()
        with torch.inference_mode():
            _, motion = model.step(*map(torch.from_numpy, (encoded.latents[starts], chunk, previous)))
        other = ranked(chunk, nearest_after(scans[rows], motion.numpy().astype(np.float64), mount) < clearance)
    return Bumps(ranked(commands[:, 0], hit), float(hit.mean()), other)


def _rank(a: Array, b: Array) -> float:
    return float(spearmanr(a, b).statistic)
