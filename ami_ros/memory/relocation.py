"""Where a lost robot is: the one spot of the whole map that its surroundings fit.

Single scans of a building that is not in the map fit somewhere in it, too. So the fit has to be as good as that of a
join (`closures`), and no other spot may fit nearly as well; where rooms are alike, the robot stays lost until it has
seen more. Rooms that are alike and not in the map cannot be told by scans: there the pictures have a say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, inverse, pose_gap
from ami_ros.memory.closures import ELSEWHERE, Closures
from ami_ros.memory.place_map import PlaceMap
from ami_ros.outlines import Outline
from ami_ros.scan_matching import Match, Matcher, Window

GRAIN = 0.8  # [m] side of the squares of which each gives one place to compare with ...
REACH = 0.8  # [m] ... and around which the robot may be
MOST = 300  # places that are compared at once, those that look most alike: half a second
FOUND = 24  # poses that are looked at closely
NEAR, ASIDE = 1.2, 0.7  # [m], [rad] within which a place shows what the robot sees
PICTURES = 4  # that are compared
ALIKE = 0.5  # probability of seeing the same, at least, where there are pictures to compare

Compare = Callable[[list[int]], Array | None]  # places -> probabilities (k,) that each sees what the robot sees


class Relocation:
    """Looks for lost robots.

    Args:
        places: the map.
        closures: holds outlines, and says which fits are good enough.
    """

    def __init__(self, places: PlaceMap, closures: Closures) -> None:
        self.places, self.closures = places, closures

    def find(self, outline: Outline, latent: NDArray[np.float32], compare: Compare) -> tuple[int, Match] | None:
        """The place that the robot is near, and where that lies as seen from the robot; None: that cannot be told.

        Args:
            outline: what is around the robot.
            latent: of that moment, to choose among very many places.
            compare: what pictures say; None where there are none.
        """
        found = self._fits(outline, latent)
        if not found:
            return None
        row, best, where = found[0]
        if not self.closures.holds(best, self.closures.config.conflict):
            return None
        least = self.closures.worth(best) - self.closures.config.margin
        if any(
            self.closures.worth(m) > least and np.greater(pose_gap(at, where), ELSEWHERE).any() for _, m, at in found
        ):
            return None
        if not self._looks_like(where, compare):
            return None
        return int(self.places.index.ids[row]), best

    def _fits(self, outline: Outline, latent: NDArray[np.float32]) -> list[tuple[int, Match, Array]]:
        """Row of a place, where it lies as seen from the robot, and where the robot then is in the map; best first."""
        index = self.places.index
        known = [(int(row), other) for row in self._spread(latent) if (other := self._outline(row)) is not None]
        matcher = Matcher(outline)
        windows = [Window(np.zeros(3), REACH, np.pi)] * len(known)
        found = []
        for k, pose, _ in matcher.search([other for _, other in known], windows, most=FOUND):
            match = matcher.fit(known[k][1], pose)
            if match is not None:
                found.append((known[k][0], match, compose(index.poses[known[k][0]], inverse(match.pose))))
        return sorted(found, key=lambda item: -self.closures.worth(item[1]))

    def _spread(self, latent: NDArray[np.float32]) -> NDArray[np.int64]:
        """Rows of one place in each square."""
        index = self.places.index
        cells = np.floor(index.poses[:, :2] / GRAIN).astype(np.int64)
        rows = np.unique(cells, axis=0, return_index=True)[1]
        if len(rows) > MOST:
            rows = rows[np.argsort(-index.scores(latent)[rows])[:MOST]]
        return rows

    def _outline(self, row: int) -> Outline | None:
        return self.closures.outline(int(self.places.index.ids[row]))

    def _looks_like(self, where: Array, compare: Compare) -> bool:
        """Whether what was seen before from near `where` (3,) is what is seen now; true if nothing was."""
        index = self.places.index
        gap, turn = pose_gap(index.poses, where)
        near = np.flatnonzero((gap < NEAR) & (turn < ASIDE))
        if not len(near):
            return True
        near = near[np.argsort(gap[near] + turn[near])[:PICTURES]]
        same = compare(index.ids[near].tolist())
        return same is None or bool(same.max(initial=0.0) >= ALIKE)
