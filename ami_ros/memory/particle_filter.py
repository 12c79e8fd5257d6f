"""Where the robot is in its memory: a particle filter over motion (odometry) and latents (matches with places)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ami_ros.core.geometry import Array, compose, mean_pose, pose_gap, wrap
from ami_ros.memory.index import Latents, Matches, PlaceIndex, match


@dataclass(frozen=True)
class FilterConfig:
    """Noise and size of the filter. The noise is realistic rather than small."""

    particles: int = 800  # hypotheses of the position; larger: steadier, slower
    gain_sigma: tuple[float, float] = (0.03, 0.05)  # of the gains of distance and turning, constant in a drive
    translation_noise: float = 0.06  # [m per m] standard deviation of a step; larger for odometry that slips
    rotation_noise: float = 0.05  # [rad per rad] standard deviation of a turn
    drift_noise: float = 0.04  # [rad per m] turning that driving adds; larger for odometry that pulls to one side
    position_sigma: float = 0.15  # [m] standard deviation of a match at the place itself; smaller trusts matches more
    angle_sigma: float = 0.12  # [rad] standard deviation of its heading
    sigma_growth: float = 0.25  # [per m] growth of both with the distance to the place
    outlier: float = 0.15  # probability that all matches are wrong; larger: slower to believe, harder to fool
    temper: float = 0.35  # exponent of the likelihood: successive latents have similar errors; smaller: less certain
    inject: float = 0.02  # share of particles drawn from the newest matches; larger recovers faster, less steady
    min_move: float = 0.04  # [m] or [rad] of motion before the next update; larger saves CPU
    contradiction: float = 0.25  # weight of matches elsewhere at which the robot is lost; smaller notices sooner
    confident: float = 0.7  # probability around the best pose at which it is localised; larger: later, safer
    seed: int = 0  # of the random numbers


@dataclass(frozen=True)
class Estimate:
    """What the filter believes."""

    pose: Array  # (3,) in the map frame
    confidence: float  # mass within 0.5 m and 0.5 rad of `pose`; near 0 where the newest latent contradicts it
    entropy: float  # of the particles over cells of 0.5 m and 0.5 rad [nat]


class PlaceFilter:
    """Monte Carlo localisation with sensor resetting (Lenser & Veloso 2000; Probabilistic Robotics, ch. 8)."""

    def __init__(self, config: FilterConfig) -> None:
        self.config = config
        self.rng = np.random.default_rng(config.seed)
        self.particles = np.zeros((config.particles, 3))
        self.gains = np.ones((config.particles, 2))
        self.weights = np.full(config.particles, 1.0 / config.particles)
        self._moved = np.inf
        self._matches: Matches | None = None  # of the newest latent that was used

    def start_at(self, pose: Array) -> None:
        """The robot is known to be at `pose` (3,)."""
        self.particles[:] = pose
        self._forget()
        self._moved = 0.0

    def start_lost(self, index: PlaceIndex) -> None:
        """The robot is at some remembered place, none likelier than another."""
        rows = self.rng.integers(0, len(index), len(self.particles))
        self.particles[:] = compose(index.poses[rows], self.rng.normal(0.0, 0.15, (len(rows), 3)))
        self._forget()
        self._moved = np.inf

    def _forget(self) -> None:
        """Nothing is known of the weights, nor of this run's odometry."""
        self._matches = None
        self.weights[:] = 1.0 / len(self.weights)
        self.gains = 1.0 + self.rng.normal(0.0, self.config.gain_sigma, self.gains.shape)

    def transform(self, change: Callable[[Array], Array]) -> None:
        """The map was moved: `change` takes poses (n, 3) from the old one to the new."""
        self.particles = change(self.particles)
        self._matches = None

    def move(self, motion: Array) -> None:
        """Odometry says that the base moved by `motion` (3,) in its own frame."""
        config, size = self.config, len(self.particles)
        length, turn = float(np.hypot(motion[0], motion[1])), abs(float(motion[2]))
        along = config.translation_noise * length
        noise = self.rng.normal(0.0, 1.0, (size, 3)) * [along, along / 2, 0.0]
        noise[:, 2] = self.rng.normal(0.0, config.rotation_noise * turn + config.drift_noise * length + 1e-9, size)
        true = motion * np.column_stack([self.gains[:, 0], self.gains[:, 0], self.gains[:, 1]])
        self.particles = compose(self.particles, true + noise)
        self._moved += length + turn

    def observe(self, index: PlaceIndex, latent: Latents) -> None:
        """Weighs the particles by what `latent` (latent_dim,) resembles, once the robot has moved enough for news."""
        if len(index) and self._moved >= self.config.min_move:
            self.weigh(match(index, latent))

    def weigh(self, matches: Matches) -> None:
        """Weighs the particles by where something that was seen fits."""
        if not matches.weights.sum() > 0.0:
            return
        self._moved, self._matches = 0.0, matches
        self._inject(matches)
        config = self.config  # a mixture over the matches, plus a floor for the case that they are all wrong
        distance, turn = pose_gap(self.particles[:, None], matches.poses[None])
        growth = 1.0 + config.sigma_growth * matches.distances / config.position_sigma
        sigma, angle = config.position_sigma * growth, config.angle_sigma * growth
        density = np.exp(-0.5 * (distance / sigma) ** 2 - 0.5 * (turn / angle) ** 2) / growth**3
        likelihood = np.asarray((1 - config.outlier) * density @ matches.weights + config.outlier * 0.02)
        self.weights *= likelihood**config.temper
        self.weights /= self.weights.sum()
        if 1.0 / np.square(self.weights).sum() < 0.5 * len(self.weights):
            self._resample()

    def _inject(self, matches: Matches) -> None:
        """Replaces a few of the lightest particles by samples from the matches, so that a kidnapped robot is found."""
        count = int(self.config.inject * len(self.particles) * matches.weights.sum())
        if not count:
            return
        rows = self.rng.choice(len(matches.weights), count, p=matches.weights / matches.weights.sum())
        spread = self.rng.normal(0.0, [self.config.position_sigma] * 2 + [self.config.angle_sigma], (count, 3))
        lightest = np.argpartition(self.weights, count)[:count]
        self.particles[lightest] = compose(matches.poses[rows], spread)
        self.gains[lightest] = self.gains[self.rng.choice(len(self.weights), count, p=self.weights)]
        self.weights[lightest] = self.weights.mean()
        self.weights /= self.weights.sum()

    def _resample(self) -> None:
        """Low-variance resampling."""
        size = len(self.weights)
        positions = (self.rng.random() + np.arange(size)) / size
        rows = np.minimum(np.searchsorted(np.cumsum(self.weights), positions), size - 1)
        self.particles = self.particles[rows]
        # A little fresh variety keeps the gains from freezing at the first guess.
        jitter = self.rng.normal(0.0, 0.003, self.gains.shape)
        self.gains = self.gains[rows] + jitter
        self.weights = np.full(size, 1.0 / size)

    def estimate(self) -> Estimate:
        """The heaviest cluster of particles."""
        cells = np.floor(np.column_stack([self.particles[:, :2] / 0.5, wrap(self.particles[:, 2]) / 0.5])).astype(
            np.int64
        )
        _, which = np.unique(cells, axis=0, return_inverse=True)
        mass = np.bincount(which.ravel(), self.weights)
        entropy = float(-(mass[mass > 0] * np.log(mass[mass > 0])).sum())
        centre = mean_pose(self.particles, self.weights * (which.ravel() == np.argmax(mass)))
        for _ in range(2):
            distance, turn = pose_gap(self.particles, centre)
            near = (distance < 0.5) & (turn < 0.5)
            centre = mean_pose(self.particles, self.weights * near)
        return Estimate(centre, float(self.weights[near].sum()) * self._support(centre), entropy)

    def covariance(self) -> Array:
        """Of the particles (3, 3): x, y [m], yaw [rad]."""
        error = self.particles - mean_pose(self.particles, self.weights)
        error[:, 2] = wrap(error[:, 2])
        return np.asarray((error * self.weights[:, None]).T @ error / self.weights.sum())

    def _support(self, pose: Array) -> float:
        """Share of the newest matches that speak for `pose` (3,), where many speak for elsewhere; else 1.

        Particles take some moments to move over after a kidnapping; the latent tells at once. On new ground matches
        have little weight, and where two places look alike as much speaks for here: neither is a contradiction.
        """
        if self._matches is None:
            return 1.0
        distance, turn = pose_gap(self._matches.poses, pose)
        here = (distance < 1.0) & (turn < 1.0)
        near, far = float(self._matches.weights[here].sum()), float(self._matches.weights[~here].sum())
        return near / (near + far) if far - near > self.config.contradiction else 1.0
