"""How well where people will be is predicted, on recorded trajectories: errors, and whether the doubt is right.

Positions come at the rate of a laser, with the noise of a tracker, through the tracker's own filter; so velocities are
as late and as doubtful as those that the planner gets. ADE and FDE as of Pellegrini et al. (ICCV 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ami_ros.geometry import Array
from ami_ros.moving.config import TrackerConfig
from ami_ros.moving.prediction import Forecast, PredictionConfig, constant_velocity
from ami_ros.moving.things import MovingThing, MovingThings
from ami_ros.moving.tracks import Tracks
from ami_ros.simulation.people.recorded import Recording, Track, load_recording

PERIOD = 0.1  # [s] between two scans
EVERY = 0.4  # [s] between two predictions of one person: the recordings have 2.5 frames a second
KNOWN = 1.2  # [s] for which somebody has been tracked before the first
LEVELS = (0.5, 0.9)  # shares of the truth that should lie within circles of the predicted doubt

Predictor = Callable[[MovingThings, float, Array, PredictionConfig], Forecast | None]


def standing(things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
    """Everybody stays where they are: what a costmap of obstacles takes for granted."""
    forecast = constant_velocity(things, stamp, seconds, config)
    if forecast is None:
        return None
    here = np.repeat(forecast.positions[:, :1], len(seconds), 1)
    return Forecast(
        forecast.seconds, here, forecast.deviations, forecast.headings, forecast.speeds, forecast.radii
    )  # fmt: skip


PREDICTORS: dict[str, Predictor] = {"constant_velocity": constant_velocity, "standing": standing}


@dataclass
class Errors:
    """Of one predictor: distances (n, t) [m] to the truth, and predicted deviations (n, t) [m]."""

    distances: list[Array] = field(default_factory=list)
    deviations: list[Array] = field(default_factory=list)

    def figures(self, seconds: Array) -> dict[str, Any]:
        """ADE and FDE [m], the share of the truth within circles that should hold it, and the mean negative log
        likelihood [nat]; of the last of `seconds` where nothing else is said."""
        if not self.distances:
            return {"n": 0}
        off, doubt = np.array(self.distances), np.array(self.deviations)
        within = {
            f"within_{level:.0%}".replace("%", ""): round(float((off[:, -1] < doubt[:, -1] * radius).mean()), 4)
            for level in LEVELS
            for radius in (np.sqrt(-2 * np.log(1 - level)),)  # of a normal distribution in the plane
        }
        likelihood = np.log(2 * np.pi * doubt**2) + off**2 / (2 * doubt**2)
        return {
            "n": len(off), "ade_m": round(float(off.mean()), 4), "fde_m": round(float(off[:, -1].mean()), 4),
            "fde_p95_m": round(float(np.percentile(off[:, -1], 95)), 4), **within,
            "nll": round(float(likelihood[:, -1].mean()), 4),
        }  # fmt: skip


def measure(
    path: str, horizon: float, seed: int, config: PredictionConfig, predictors: dict[str, Predictor] | None = None
) -> dict[str, Any]:
    """Of everybody in a recording, up to `horizon` [s] ahead; name of the predictor -> figures.

    Raises:
        AmiError: the file cannot be read.
    """
    recording, asked = load_recording(path), predictors or PREDICTORS
    ahead = np.arange(EVERY, horizon + 1e-6, EVERY)
    errors = {name: Errors() for name in asked}
    for moment, things, truth in _moments(recording, ahead, np.random.default_rng([seed, 0x9ED1C7])):
        for name, predict in asked.items():
            forecast = predict(things, moment, ahead, config)
            if forecast is None:
                continue
            fast = np.hypot(*things.velocities.T) >= config.slowest  # those that are predicted
            off = np.hypot(*(forecast.positions - truth[fast]).transpose(2, 0, 1))
            errors[name].distances += list(off)
            errors[name].deviations += list(forecast.deviations)
    return {name: found.figures(ahead) for name, found in errors.items()}


def _moments(
    recording: Recording, ahead: Array, rng: np.random.Generator
) -> Iterator[tuple[float, MovingThings, Array]]:
    """Moments [s] with all whose future is recorded: as tracked, and (n, t, 2) where they came to be."""
    config = TrackerConfig()
    people = [_tracked(track, config, rng) for track in recording.tracks]
    for moment in np.arange(0.0, recording.seconds, EVERY):
        there = [
            (number, track) for number, track in enumerate(recording.tracks)
            if track.begin + KNOWN <= moment and moment + ahead[-1] <= track.end
        ]  # fmt: skip
        if not there:
            continue
        things = tuple(
            MovingThing(number, state[:2], state[2:], covariance, config.radius)
            for number, track in there
            for state, covariance in (people[number][round((moment - track.begin) / PERIOD)],)
        )
        truth = np.array([track.way(moment + ahead) for _, track in there])
        yield float(moment), MovingThings(float(moment), things), truth


def _tracked(track: Track, config: TrackerConfig, rng: np.random.Generator) -> Sequence[tuple[Array, Array]]:
    """States (4,) and covariances (4, 4) of one person at each PERIOD from the first moment on."""
    filtered, one = Tracks(), np.array([0])
    found = []
    for number in range(int((track.end - track.begin) / PERIOD) + 1):
        stamp = track.begin + number * PERIOD
        seen = track.way(stamp) + rng.normal(0.0, config.deviation, 2)
        if not number:
            filtered.begin(one, seen[None], np.zeros(1), stamp, config)
        else:
            filtered.predict(PERIOD, config)
            filtered.update(one, seen[None], np.array([config.deviation]))
        found.append((filtered.state[0].copy(), filtered.covariance[0].copy()))
    return found
