"""Where to look for a goal that no place shows for certain: from where most speaks for it, for the way there. And where
to go first towards a goal that no way is known to.

Four things speak for a spot to look from: what places say of the goal, though none for certain; that little was seen
from there; that nobody has been there yet; and that it is near to where the goal was asked for. Against it speaks each
look around near by that did not find the goal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.places.matching import Hypothesis
from ami_ros.places.recognition import Evidence
from ami_ros.places.seen_directions import all_round, gaps, missing_views
from ami_ros.places.types import ALONE, FAR_OFF, REST, SearchState

TURN = 2.5  # [m] that could be driven while the robot turns once around
SEEN = 0.3  # of the evidence for a spot from which all was seen, beside one from which nothing was; measured, see ...
PRIOR = 0.1  # of evidence for any spot, where the picture says nothing; ... docs/archive/0097
LEAST = 0.05  # of such a chance, below which a spot is not worth a look: of 69 goals 65 lay where there was more
REACH = 0.8  # [m] from a place within which it shows what can be seen from there: beyond, few goals are recognised
NEAR_GAIN = 10.0  # times more speaks for a spot where the goal was asked for ...
NEAR_FADE = 0.7  # ... of which so much is left after each look in vain ...
NEAR_SCALE = 0.7  # [m] ... and which falls with the distance over that
NEAR_FIRST = 3.0  # times more, with which a spot comes before a place that may be the wrong one and is far off ...
BESIDE = 2.5  # [m] ... if the way to the spot is no longer
LOOKED = 0.5  # [m] from where it was looked for, within which nothing more is to be seen
FOUND, FOUND_SCALE = 0.9, 0.6  # share of goals that a look around finds where it lies, and [m] with which that falls
APART = 0.5  # [m] between two spots
FRONTIERS_APART = 1.2  # [m] between two frontiers
OFF, NEW = 0.4, 0.9  # [m] from all places, of free ground that is looked from, and of what nobody has been near to
CELL = 0.4  # [m] in which one place, or one spot beside them, stands for all ...
COARSE_CELL = 0.8  # [m] ... and what it saw to be free for what all saw
MOST = 12  # spots

Lengths = Callable[[Array], Array]  # poses (k, 3) -> lengths (k,) [m] of the ways there from the robot; inf: none
# Rows of places and how far off all places [m] -> spots (k, 2) that they saw to be free, and the rows (k,) that did;
# see `FreeWays.beyond`.
Beyond = Callable[[NDArray[np.int64], float], tuple[Array, NDArray[np.int64]]]


def in_order(
    guesses: Sequence[Hypothesis],
    places: Array,
    lengths: Lengths,
    evidence: Evidence,
    search: SearchState,
    beyond: Beyond | None = None,
) -> list[Hypothesis]:
    """Hypotheses of where a picture was taken: those that places show for certain, then spots that are worth a look; of
    each kind that first which is the likeliest for the way there. Where what is certain is far off and may be the wrong
    place all the same, the search goes on around where the goal was asked for first.

    Args:
        guesses: best first; a share of 0: no place shows it for certain.
        places: (n, 3) all that are remembered.
        lengths: from the robot.
        evidence: of the picture; see `Recogniser.evidence`.
        search: until now; where it began is known.
        beyond: spots that places saw to be free, and that nobody drove to; None: that is not known.

    Returns:
        The same and spots to look from, whose share is 0; of these without what no way leads to.
    """
    certain, way = _certain(guesses, lengths)
    doubtful_far = len(search.looked_from) > 0 and bool(certain) and certain[0].share < ALONE and way > FAR_OFF
    doubtful = np.array([guess.pose for guess in guesses if guess.share <= 0]).reshape(-1, 3)
    spots, ends = _spots(doubtful, places, beyond)
    missing = missing_views(spots[:, :2], np.concatenate([places, all_round(search.looked_from)]), REACH)
    assert search.asked_at is not None
    near = np.exp(-np.hypot(*(spots[:, :2] - search.asked_at).T) / NEAR_SCALE)
    near = 1.0 + NEAR_GAIN * NEAR_FADE ** len(search.looked_from) * near
    chance = near * (evidence(spots[:, :2]) + PRIOR * missing) * (SEEN + missing) * _missed(spots, search.looked_from)
    good = (chance > LEAST) & (gaps(spots[:, :2], search.looked_from) > LOOKED)
    spots, chance, ends, near = (values[good] for values in (spots, chance, ends, near))
    ways = lengths(ends) + np.hypot(*(spots - ends)[:, :2].T)
    worth = chance / (ways + TURN)
    best = np.argsort(-worth, kind="stable")[: np.count_nonzero(worth)]  # 0: no way leads there
    chosen = _apart(spots, best, APART)
    first = [row for row in chosen if near[row] > NEAR_FIRST and ways[row] < BESIDE] if doubtful_far else []
    rest = [row for row in chosen if row not in first]
    return [*(Hypothesis(spots[row], 0.0) for row in first), *certain, *(Hypothesis(spots[row], 0.0) for row in rest)]


def _certain(guesses: Sequence[Hypothesis], lengths: Lengths) -> tuple[list[Hypothesis], float]:
    """Those that places show for certain, the likeliest for the way first, and the way [m] to that."""
    certain = [guess for guess in guesses if guess.share > 0]
    if not certain:
        return [], 0.0
    ways = lengths(np.array([guess.pose for guess in certain]))
    order = np.argsort([-guess.share / (way + TURN) for guess, way in zip(certain, ways, strict=True)], kind="stable")
    return [certain[k] for k in order], float(ways[order[0]])


def _missed(spots: Array, looked_from: Array) -> Array:
    """Share (k,) of the goals at `spots` (k, 2+) that looks around `looked_from` (n, 2) in vain have missed."""
    apart = np.hypot(*(spots[:, None, :2] - looked_from[None]).transpose(2, 0, 1))
    return np.asarray((1.0 - FOUND * np.exp(-np.square(apart / FOUND_SCALE) / 2)).prod(axis=1))


def frontiers(goal: Array, places: Array, lengths: Lengths, beyond: Beyond) -> Array:
    """Free ground (k, 3) that nobody drove to, that first over which the way to a `goal` (3,) is likely short.

    Args:
        goal: in the map frame; no way to it is known.
        places: (n, 3) all that are remembered.
        lengths: from the robot.
        beyond: see `in_order`.
    """
    spots, seen_from = beyond(_one_a_cell(places, COARSE_CELL), NEW)
    if not len(spots):
        return np.zeros((0, 3))
    ends, rest = places[seen_from], goal[:2] - spots
    way = lengths(ends) + np.hypot(*(spots - ends[:, :2]).T) + REST * np.hypot(*rest.T)
    best = np.argsort(way, kind="stable")[: np.isfinite(way).sum()]
    return np.column_stack([spots, np.arctan2(rest[:, 1], rest[:, 0])])[_apart(spots, best, FRONTIERS_APART)]


def _spots(guesses: Array, places: Array, beyond: Beyond | None) -> tuple[Array, Array]:
    """Poses (k, 3) to look from: guesses (m, 3), remembered places, and free ground beside them; and the poses (k, 3)
    on the map from which the rest of the way is straight and free."""
    rows = _one_a_cell(places, CELL)
    known = np.concatenate([guesses, places[rows]])
    if beyond is None:
        return known, known
    new, seen_from = beyond(rows[_one_a_cell(places[rows], COARSE_CELL)], OFF)
    thinned = _one_a_cell(new, CELL)  # neighbours see the same ground
    new, seen_from = new[thinned], seen_from[thinned]
    spots = np.concatenate([known, np.column_stack([new, np.zeros(len(new))])])
    return spots, np.concatenate([known, places[seen_from]])


def _apart(spots: Array, rows: NDArray[np.int64], gap: float) -> list[int]:
    """Of `rows` of `spots` (n, 2+), best first, MOST of which none is nearer to a better one than the gap [m]."""
    chosen: list[int] = []
    for row in rows.tolist():
        if len(chosen) == MOST:
            break
        if gaps(spots[[row], :2], spots[chosen, :2])[0] > gap:
            chosen.append(row)
    return chosen


def _one_a_cell(poses: Array, side: float) -> NDArray[np.int64]:
    """Rows of `poses` (n, 3), one in each square of that side [m]."""
    return np.asarray(np.unique(np.floor(poses[:, :2] / side), axis=0, return_index=True)[1])
