"""Where to look for a goal that no place shows for certain: at what may be it, and from where too little was seen.

Both in one order, by what the look is likely to bring for the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ami_ros.geometry import Array
from ami_ros.memory.matching import Hypothesis
from ami_ros.memory.views import missing_views

CHANCES = 0.32, 0.1  # that the best guess is right, and each further one; measured, see docs/decisions/0067
SPOT_CHANCE = 0.08  # that the goal is seen from a spot around which nothing was seen yet, less where something was
TURN = 2.5  # [m] that could be driven while the robot turns once around
MISSING = 0.35  # share of the directions that nobody looked in, from which a spot is worth it
REACH = 1.0  # [m] from a place within which it shows what can be seen from there
APART = 1.2  # [m] between two spots
CELL = 0.4  # [m] in which one place stands for all
MOST = 12  # spots

Lengths = Callable[[Array], Array]  # poses (k, 3) -> lengths (k,) [m] of the ways there from the robot; inf: none


def in_order(guesses: Sequence[Hypothesis], places: Array, lengths: Lengths) -> list[Hypothesis]:
    """Hypotheses of where a picture was taken: those that places show for certain, then what is worth a look; of each
    kind that first which is the likeliest for the way there.

    Args:
        guesses: best first; a share of 0: no place shows it for certain.
        places: (n, 3) all that are remembered.
        lengths: from the robot.

    Returns:
        The same and spots to look from, whose share is 0; of these without what no way leads to.
    """
    certain = [guess for guess in guesses if guess.share > 0]
    if len(certain) > 1:
        ways = lengths(np.array([guess.pose for guess in certain]))
        nearest_first = np.argsort([-guess.share / (way + TURN) for guess, way in zip(certain, ways, strict=True)])
        certain = [certain[k] for k in nearest_first]
    open_guesses = [guess for guess in guesses if guess.share <= 0]
    spots, missing = _spots(places)
    poses = np.concatenate([np.array([guess.pose for guess in open_guesses]).reshape(-1, 3), spots])
    chances = [CHANCES[min(rank, 1)] for rank in range(len(open_guesses))]
    worth = np.append(chances, SPOT_CHANCE * missing) / (lengths(poses) + TURN)
    order = np.argsort(-worth, kind="stable")[: len(open_guesses) + MOST]
    return certain + [Hypothesis(poses[k], 0.0) for k in order if worth[k] > 0]


def _spots(places: Array) -> tuple[Array, Array]:
    """Poses (k, 3) of remembered places from near which too little was seen, APART from one another, and the share (k,)
    of the directions that are missing there."""
    _, rows = np.unique(np.floor(places[:, :2] / CELL), axis=0, return_index=True)
    some = places[rows]
    missing = missing_views(some[:, :2], places, REACH)
    spots: list[int] = []
    for row in np.argsort(-missing, kind="stable"):
        if missing[row] < MISSING:
            break
        if not spots or np.hypot(*(some[spots, :2] - some[row, :2]).T).min() > APART:
            spots.append(int(row))
    return some[spots], missing[spots]
