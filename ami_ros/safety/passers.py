"""How near somebody who passes may come: what the gate asks of a command, and planners of a plan beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points
from ami_ros.safety.tracks import Tracks

PAST = 0.1  # of its way, by which the robot may come nearer to what moves: it leads 6 degrees at most from past them
ROUNDING = 1e-6  # [m]

Distance = Callable[[Array], Array]  # of points (..., 2) in base_link from the robot's outline (...) [m]


@dataclass(frozen=True)
class Passers:
    """Where k things that move may be at n moments while the robot comes to a stand, in base_link of now.

    Too near is `most`; or only as near as somebody comes to a robot that stands, but not within `least`: who is pressed
    from one side may go closer to the other. On a way past somebody a tenth of it is not nearer: else one that somebody
    comes at from aside could not leave.
    """

    there: Array  # (n, k, 2) middles [m]
    radii: Array  # (n, k) with their doubt [m]
    distance: Distance
    standing: Array  # (n, k) gaps [m] to a robot that stands
    enough: Array  # (n, 1) gap [m] that is left to each

    @classmethod
    def of(
        cls, tracks: Tracks, here: Array, age: float, times: Array, distance: Distance, least: float, most: float
    ) -> Passers:
        """Those of `tracks` for a robot at `here` (3,) of their frame, `age` [s] after their stamp and at `times` (n,)
        from then on [s]. `least` and `most`: see the class [m].

        Each walks no farther than to where it would touch the robot if that stood: none walks through it, to where the
        robot could yield to.
        """
        there, radii = tracks.at(age, times)
        there = transform_points(relative(here, np.zeros(3)), there)
        met = distance(there) < tracks.bodies
        last = np.where(met.any(0), met.argmax(0), len(there))
        there = there[np.minimum(np.arange(len(there))[:, None], last), np.arange(there.shape[1])]
        standing = distance(there) - radii
        return cls(there, radii, distance, standing, standing.min(1, keepdims=True).clip(least, most))

    def nears(self, ways: Array, enough: Array | None = None) -> NDArray[np.bool_]:
        """On which of `ways` (p, n, 3) the robot comes too near to which, and nearer than if it stood (p, n, k).
        `enough` (n, 1 or k) in place of its own [m]."""
        gaps = self.distance(transform_points(relative(ways, np.zeros(3)), self.there)) - self.radii + ROUNDING
        past = PAST * np.hypot(ways[..., 0], ways[..., 1])[..., None]
        return np.asarray(gaps < np.minimum(self.standing - past, self.enough if enough is None else enough))
