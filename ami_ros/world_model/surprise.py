"""Surprise: how far an observation is from what the world model had predicted, on a scale that needs no tuning."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.geometry import Array
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.layers import Floats, accumulated

HORIZON = 2  # model steps that are predicted: what lasts shows better than over one, more than two err too much


@dataclass(frozen=True)
class SurpriseScale:
    """What readings are compared with."""

    standing: float = 0.02  # [m/s] and [rad/s], commands up to this count as standing still
    unrest: float = 0.1  # change of a latent that a change of the command by its maximum is worth
    least_spread: float = 0.1  # of the median: below, differences are those of rounding, not of the world


SCALE = SurpriseScale()


@dataclass(frozen=True)
class Surprise:
    """One reading."""

    surprise: float  # root mean square prediction error [latent units]
    baseline: float  # what it usually is for a prediction as hard as this one
    z_score: float  # (surprise - baseline) / scaled MAD for such a prediction; NaN until there are enough samples
    alarm: bool
    uncertainty: float = math.nan  # prediction error that the model had expected; NaN from a model without an ensemble


class SurpriseMonitor:
    """Predicts each latent from one `HORIZON` model steps earlier and the commands between, and compares.

    A prediction of much change errs more than one of little. Errors are therefore taken relative to the way that the
    predicted latent goes, so that a world which stands still where it should move is as plain as one that jumps.
    Commands that vary make it harder, too, and the running median of the way is added for a robot that hardly moves.
    Whatever is wrong stays wrong for a model step at least, so an alarm takes that many readings in a row: single ones
    come about by chance. docs/design/surprise.md says what each of these brought.

    Args:
        model: the world model, or one for arrays.
        threshold: z score that each of the last `chunk` readings must exceed for an `alarm`.
        window: readings in the running median.
        warm_up: readings before there is a z score.
    """

    def __init__(self, model: Any, threshold: float = 5.0, window: int = 300, warm_up: int = 20) -> None:
        self.model, self.warm_up = on_arrays(model), warm_up
        # Error, way, and how hard the prediction was.
        self.readings: deque[tuple[float, float, float]] = deque()
        self.tune(threshold, window)
        self._high = 0  # readings above the threshold in a row

    @property
    def reach(self) -> int:
        """Commands between the latent that is predicted from and the one that is compared."""
        return HORIZON * self.model.spec.chunk

    def tune(self, threshold: float, window: int) -> None:
        """Other values from now on, see the class; may be called on another thread."""
        self.threshold, self.readings = threshold, deque(self.readings, maxlen=window)

    def reset(self) -> None:
        """Forgets all readings, as after a jump in time."""
        self.readings.clear()
        self._high = 0

    def observe(self, before: ArrayLike, commands: ArrayLike, previous: ArrayLike, now: ArrayLike) -> Surprise:
        """One reading.

        Args:
            before: latent (latent_dim,) of `HORIZON` model steps ago.
            commands: (reach, command_dim) sent since [SI units].
            previous: (command_dim,) the command in force before those.
            now: latent (latent_dim,) observed.
        """
        start, sent, held, seen = (np.asarray(v, np.float32)[None] for v in (before, commands, previous, now))
        found = foretell(self.model, start, sent, held, seen)
        error, way, demand = float(found.error[0]), float(found.way[0]), float(found.demand[0])
        expected = self._expected(start, found.latents, sent, held)
        history = np.array(self.readings).reshape(-1, 3)
        # A robot that stands predicts itself almost perfectly; beside that every motion would be a surprise.
        if np.abs(np.asarray(commands)).max() > SCALE.standing:
            self.readings.append((error, way, demand))
        if len(history) < self.warm_up:
            usual = float(np.median(history[:, 0])) if len(history) else error
            return Surprise(error, usual, math.nan, False, expected)
        usual = max(float(np.median(history[:, 1])), 1e-9)
        ratios = history[:, 0] / (history[:, 2] + usual)
        median = float(np.median(ratios))
        # Of a normal distribution the deviation is 1.4826 times the median one.
        spread = max(1.4826 * float(np.median(np.abs(ratios - median))), SCALE.least_spread * median, 1e-9)
        z_score = (error / (demand + usual) - median) / spread
        self._high = self._high + 1 if z_score > self.threshold else 0
        return Surprise(error, median * (demand + usual), z_score, self._high >= self.model.spec.chunk, expected)

    def _expected(self, start: Floats, latents: Floats, commands: Floats, previous: Floats) -> float:
        """The error that the model expects of its prediction; NaN from a model without an ensemble."""
        spec = self.model.spec
        if not spec.ensemble:
            return math.nan
        chunks = commands.reshape(1, HORIZON, -1, spec.command_dim)
        return float(accumulated(self.model.path_disagreement(start, latents, chunks, previous))[0, -1])


class Foretold(NamedTuple):
    """Predictions of k moments, beside what came."""

    error: Floats  # (k,) root mean square [latent units]
    way: Floats  # (k,) of the predicted latent, step by step [latent units]
    demand: Floats  # (k,) how hard the prediction was, by the way and a tenth of the commands' unrest [latent units]
    latents: Floats  # (k, HORIZON, latent_dim)


def foretell(model: Any, before: Floats, commands: Floats, previous: Floats, now: Floats) -> Foretold:
    """Arguments as of `SurpriseMonitor.observe`, for k moments at once: of arrays (k, ...), for a model for arrays."""
    spec = model.spec
    latents = model.rollout(before, commands.reshape(len(before), HORIZON, -1, spec.command_dim), previous)[0]
    steps = np.diff(np.concatenate([before[:, None], latents], 1), axis=1)
    way = np.sqrt(np.square(steps).mean(2)).sum(1)
    sent = np.concatenate([previous[:, None], commands], 1) / spec.command_maxima
    unrest = np.abs(np.diff(sent, axis=1)).sum((1, 2))
    return Foretold(np.sqrt(np.square(latents[:, -1] - now).mean(1)), way, way + SCALE.unrest * unrest, latents)


def surprises(model: Any, latents: Floats, commands: Floats, episodes: Sequence[tuple[int, int]]) -> Array:
    """How surprising each moment of recordings was (n,): the error of its prediction, relative to how hard that was.

    Unlike a z score it does not get used to what lasts, such as a slippery floor. NaN where an episode has just begun.

    Args:
        model: for arrays.
        latents: (n, latent_dim).
        commands: (n, command_dim) from each moment to the next [SI units].
        episodes: (start, stop) rows of each.
    """
    reach, found = HORIZON * model.spec.chunk, np.full((3, len(latents)), np.nan)
    for start, stop in episodes:
        begins = np.arange(start, max(start, stop - reach))
        if not len(begins):
            continue
        previous = commands[np.maximum(begins - 1, start)] * (begins > start)[:, None]
        sent = commands[begins[:, None] + np.arange(reach)]
        found[:, begins + reach] = foretell(model, latents[begins], sent, previous, latents[begins + reach])[:3]
    usual = np.nanmedian(found[1]) if np.isfinite(found[1]).any() else 1.0
    return np.asarray(found[0] / (found[2] + max(usual, 1e-9)))
