"""What one moment says about where the goal's picture was taken: pictures are compared, and aligned close by."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, compose, from_cos_sin, relative, wrap
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.types import Goal, Percept
from ami_ros.world_model.array_pairs import ArrayPairs, odds_of
from ami_ros.world_model.layers import Floats


@dataclass(frozen=True)
class LookConfig:
    """What a look may be taken for."""

    possible: float = 0.8  # probability of the pair head that a goal is seen, from which its pose means something
    sight: float = 2.5  # [m] from a goal, up to which the robot sees what a picture shows that was taken there
    aligned: tuple[float, float] = (0.5, 0.5)  # [m], [rad] between two cameras, for `world_model.alignment`
    hidden: float = 0.6  # of a picture's columns, up to which the rest of it can be aligned
    # Difference of aligned pictures up to which they give the pose, and then the share of the head's expected error
    # that is left for each unit of it; measured, see docs/design/arrival.md.
    exact: tuple[float, float] = (2.5, 0.3)
    steady: float = 0.4  # [rad/s] of turning, above which pictures are blurred
    kept: int = 8  # own pictures
    step: float = 0.015  # [m] between two of them
    turn: float = 0.6  # [m] that a turn by 1 rad counts as
    best: float = 0.035  # [m] from the newest, of the one that it is compared with ...
    most: float = 0.15  # [m] ... and of any


@dataclass(frozen=True)
class Look:
    """The goal as one moment sees it."""

    pose: Array  # (3,) in base_link
    error: float | None  # expected, of its place [m]; None: who sees it cannot tell
    odds: float | None = None  # that it is seen, over those at the head's threshold; None: pictures are not compared
    difference: float | None = None  # of the aligned pictures (`world_model.alignment`); None: from too far off
    sigma: float | None = None  # of the pose [m], where pictures were aligned


class GoalLocator:
    """Locates a goal: by comparing pictures where goal, moment and model allow it, else by latents.

    Args:
        model: whose heads look.
        goal: with a latent.
        config: see there.

    Attributes:
        pairs: compares pictures; None: latents have to serve.
        view: the picture of the goal that is compared: one at a time, however many there are.
    """

    def __init__(self, model: Dynamics, goal: Goal, config: LookConfig = LookConfig()) -> None:
        self.model, self.views, self._config = model, goal.views, config
        self.view = self.views[0]
        self.pairs: ArrayPairs | None = getattr(model, "pairs", None) if self.view.picture is not None else None
        self.own = OwnPictures(config)
        self._turns = cycle(self.views)
        self._moved = dict[int, Floats]()  # by the identity of a view's picture

    def look(self, percept: Percept, believed: Array | None = None) -> Look | None:
        """The goal, seen from this moment alone; None: this moment does not show it, as far as can be told.

        Of several pictures it is compared with the one that was taken as the robot looks, were the goal at `believed`
        (3,) in base_link, or with each by turns where that is not near or not known.
        """
        if self.pairs is not None:
            if believed is None or np.hypot(*believed[:2]) > self._config.sight:
                self.view = next(self._turns)
            else:
                self.view = min(self.views, key=lambda view: abs(float(wrap(believed[2] + view.turn))))
            seen = self._compare(self.pairs, percept)
            turned_back = np.array([0.0, 0.0, -self.view.turn])
            return seen if seen is None or not self.view.turn else replace(seen, pose=compose(seen.pose, turned_back))
        sighting, there = self.model.sighting, self.view.picture
        if sighting is None or there is None or percept.picture is None:
            return Look(from_cos_sin(self.model.relative_pose(percept.latent, self.view.latent)), None)
        seen_by = sighting(percept.latent, percept.picture, there)
        return Look(from_cos_sin(seen_by), float(np.exp(seen_by[4])))

    def _compare(self, pairs: ArrayPairs, percept: Percept) -> Look | None:
        """The view, seen from this moment."""
        here, there, config = percept.picture, self.view.picture, self._config
        if here is None or there is None:
            return None
        self.own.add(percept)
        found = pairs.compare(here[None], there[None], [percept.scan])
        if found.same[0] < config.possible:
            return None
        odds = float(odds_of(found.same[0]) / odds_of(pairs.threshold))
        pose, error = from_cos_sin(found.pose[0]), float(found.error[0])
        if not np.less((np.hypot(pose[0], pose[1]), abs(pose[2])), config.aligned).all():
            return Look(pose, error, odds)
        hidden = _hidden(pairs, percept)
        if hidden is not None and hidden.mean() > config.hidden:
            return Look(pose, error, odds)
        aligned = pairs.align(here, there, found.pose[0], percept.scan, hidden)
        if id(there) not in self._moved:
            self._moved[id(there)] = pairs.moved_off(there)
        difference = aligned.difference(self._moved[id(there)], self.own.usual(pairs, percept))
        if difference > config.exact[0]:
            return Look(pose, error, odds, difference, sigma=error)
        return Look(aligned.pose.astype(np.float64), error, odds, difference, config.exact[1] * difference * error)


class OwnPictures:
    """The last pictures of one robot on its way: how much two of them from nearly one place differ.

    Noise, compression, and what lies at other distances than it is guessed to, make a right place look like another
    one; and each camera has its own, in each light. Two pictures of the robot's own have all of it.

    Args:
        config: see there.
    """

    def __init__(self, config: LookConfig = LookConfig()) -> None:
        self._config, self._kept = (
            config,
            deque[tuple[Array, Floats]](maxlen=config.kept),
        )  # odometry (3,) and code of each

    def add(self, percept: Percept) -> None:
        """Keeps the picture of a moment, if it is sharp and from another pose than the last."""
        if percept.picture is None or abs(percept.velocity[1]) > self._config.steady:
            return
        if not self._kept or self._away(percept)[-1] > self._config.step:
            self._kept.append((np.asarray(percept.odometry), percept.picture))

    def usual(self, pairs: ArrayPairs, percept: Percept) -> Floats | None:
        """What the picture of a moment differs by (2,), once aligned, from one that was taken beside it; None: there
        is none."""
        away, config = enumerate(self._away(percept)), self._config
        beside = [(abs(far - config.best), k) for k, far in away if config.step < far < config.most]
        if not beside or percept.picture is None:
            return None
        odometry, there = self._kept[min(beside)[1]]
        x, y, yaw = relative(percept.odometry, odometry)
        pose = np.array([x, y, np.cos(yaw), np.sin(yaw)], np.float32)
        return pairs.align(percept.picture, there, pose, percept.scan, _hidden(pairs, percept)).off

    def _away(self, percept: Percept) -> list[float]:
        """How far [m] each is from a moment, turns counted."""
        poses = [relative(odometry, percept.odometry) for odometry, _ in self._kept]
        return [float(np.hypot(x, y) + self._config.turn * abs(yaw)) for x, y, yaw in poses]

    def forget(self) -> None:
        """Odometry restarted."""
        self._kept.clear()


def _hidden(pairs: ArrayPairs, percept: Percept) -> NDArray[np.bool_] | None:
    """Columns of the picture in which somebody stands who moves about; None: nobody is known of."""
    things = percept.things
    return pairs.hidden_by(things.discs(percept.odometry)) if things is not None and things.things else None
