"""Where to look for a goal next: from where a look finds it with the most probability, for the way there. And where to
go first towards a goal that no way is known to.

All places together say where a picture was taken. What none of them shows for certain is spread over spots: by what
places say of it, and by how little was seen from there. Each look around that did not find it makes it less likely
nearby. For independent spots, probability over cost is the best order (Black, Discrete Sequential Search, 1965).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.memory.coverage import all_round, gaps, gaussian_sums, missing_views, one_a_square
from ami_ros.memory.index import Hypothesis
from ami_ros.memory.recognition import Evidence
from ami_ros.memory.types import LATE, RECALLED, REST, SearchState


@dataclass(frozen=True)
class LookConfig:
    """What a look around is worth and costs, and how coarsely spots for it are sought."""

    turn: float = 2.5  # [m] that could be driven while the robot turns once around
    # Evidence for a spot from which all was seen, beside one from which nothing was, and for any spot, where the
    # picture says nothing; measured, see docs/design/goal_search.md.
    seen: float = 0.3
    prior: float = 0.1
    least: float = 0.05  # such a chance, below which a spot is not worth a look: of 69 goals 65 lay above
    reach: float = 0.8  # [m] from a place within which it shows what can be seen: beyond, few goals are recognised
    looked: float = 0.5  # [m] from where it was looked for, within which nothing more is to be seen
    found: float = 0.9  # share of goals that a look around finds where it lies ...
    found_scale: float = 0.6  # ... and [m] with which that falls
    apart: float = 0.5  # [m] between two spots
    frontiers_apart: float = 1.2  # [m] between two frontiers
    off: float = 0.4  # [m] from all places, of free ground that is looked from ...
    new: float = 0.9  # ... and of what nobody has been near to
    cell: float = 0.4  # [m] in which one place, or one spot beside them, stands for all ...
    coarse_cell: float = 0.8  # ... and what it saw to be free for what all saw
    most: int = 12  # spots
    sight: float = 2.0  # [m] from a place to spots that it may have seen to be free, at most
    asked: int = 500  # places at once that are asked for such spots


LOOKS = LookConfig()

Lengths = Callable[[Array], Array]  # poses (k, 3) -> lengths (k,) [m] of the ways there from the robot; inf: none
# Rows of places and how far off all places [m] -> spots (k, 2) that they saw to be free, and the rows (k,) that did;
# see `FreeWays.beyond`.
Beyond = Callable[[NDArray[np.int64], float], tuple[Array, NDArray[np.int64]]]


def next_best_views(
    guesses: Sequence[Hypothesis],
    places: Array,
    robot: Array,
    lengths: Lengths,
    evidence: Evidence,
    search: SearchState,
    beyond: Beyond | None = None,
    config: LookConfig = LOOKS,
) -> list[Hypothesis]:
    """Where a picture may have been taken, and from where to look for that: first where a look finds it with the most
    probability for the way there. The robot's own spot is one of them.

    Args:
        guesses: of where it was taken, best first; a share of 0: no place shows it for certain.
        places: (n, 3) all that are remembered.
        robot: (3,) where it is.
        lengths: from there.
        evidence: of the picture; see `Recogniser.evidence`.
        search: until now. Spots farther off than it can reach do not count.
        beyond: spots that places saw to be free, and that nobody drove to; None: that is not known.
        config: see there.

    Returns:
        Guesses with a share, and spots to look from, whose share is 0; of these without what no way leads to.
    """
    certain, doubtful = ([guess for guess in guesses if (guess.share > 0) == sure] for sure in (True, False))
    known, shares = _poses(certain), np.array([RECALLED * guess.share for guess in certain])
    reach, unsure = search.reach or np.inf, _poses(doubtful)
    near, rows = (np.flatnonzero(np.hypot(*(p[:, :2] - robot[:2]).T) < reach) for p in (unsure, places))
    spots, ends, end = _spots(np.concatenate([robot[None], unsure[near]]), places, rows, beyond, config)
    missing = missing_views(spots[:, :2], np.concatenate([places[rows], all_round(search.looked_from)]), config.reach)
    chance = (evidence(spots[:, :2]) + config.prior * missing) * (config.seen + missing)
    rest = (1.0 - shares.sum()) / max(chance.sum(), 1e-9)
    at = np.concatenate([known, spots])
    apart = np.hypot(*(at[:, None, :2] - search.looked_from[None]).transpose(2, 0, 1))
    # Share of the goals there that looks around in vain have missed.
    missed = (1.0 - config.found * np.exp(-np.square(apart / config.found_scale) / 2)).prod(axis=1)
    gain = found_from(at, np.concatenate([shares, rest * chance]) * missed, config)
    way = lengths(np.concatenate([known, ends]))
    ways = np.append(way[: len(known)], way[len(known) + end] + np.hypot(*(spots - ends[end])[:, :2].T))
    ways[len(known)] = 0.0  # the robot is there
    is_spot = np.arange(len(at)) >= len(known)
    late = np.where(ways < reach, 1.0, np.where(is_spot, 0.0, LATE))
    good = (gaps(at[:, :2], search.looked_from) > config.looked) & np.isfinite(ways)
    good[is_spot] &= (chance * missed[is_spot] > config.least) & (gaps(spots[:, :2], known[:, :2]) > config.apart)
    rate = np.where(good, gain * late / (ways + config.turn), 0.0)
    best = np.argsort(-rate, kind="stable")[: np.count_nonzero(rate)]
    return [
        certain[k] if k < len(certain) else Hypothesis(at[k], 0.0) for k in _apart(at, best, config.apart, config.most)
    ]


def _poses(guesses: Sequence[Hypothesis]) -> Array:
    return np.array([guess.pose for guess in guesses]).reshape(-1, 3)


def found_from(at: Array, chance: Array, config: LookConfig = LOOKS) -> Array:
    """Probability (k,) that a look around from each of the spots `at` (k, 3) finds the goal, which lies at each of them
    with a `chance` (k,)."""
    return config.found * gaussian_sums(at[:, :2], at[:, :2], chance, config.found_scale)


def frontiers(
    goal: Array, places: Array, distances: Array, beyond: Beyond, count: int = LOOKS.most, config: LookConfig = LOOKS
) -> Array:
    """Free ground (k, 3) that nobody drove to, that first over which the way to a `goal` (3,) is likely short.

    Args:
        goal: in the map frame; no way to it is known.
        places: (n, 3) all that are remembered. Those are asked first beside which the way may be shortest: all of a
            large building take seconds.
        distances: (n,) [m] of the ways there from the robot; inf: none.
        beyond: see `next_best_views`.
        count: so many at most.
        config: see there.
    """
    asked = one_a_square(places, config.coarse_cell)
    least = distances[asked] + REST * np.hypot(*(places[asked] - goal)[:, :2].T) - (REST - 1.0) * config.sight
    order = np.argsort(least, kind="stable")[: np.isfinite(least).sum()]
    spots, costs, chosen = np.zeros((0, 2)), np.zeros(0), list[int]()
    for first in range(0, len(order), config.asked):
        new, seen_from = beyond(asked[order[first : first + config.asked]], config.new)
        there = np.hypot(*(new - places[seen_from, :2]).T) + REST * np.hypot(*(goal[:2] - new).T)
        spots = np.concatenate([spots, new])
        costs = np.concatenate([costs, distances[seen_from] + there])
        chosen = _apart(spots, np.argsort(costs, kind="stable"), config.frontiers_apart, count)
        if len(chosen) == count and costs[chosen[-1]] <= least[order[first + config.asked :]].min(initial=np.inf):
            break
    rest = goal[:2] - spots[chosen]
    return np.column_stack([spots[chosen], np.arctan2(rest[:, 1], rest[:, 0])])


def _spots(
    guesses: Array, places: Array, near: NDArray[np.int64], beyond: Beyond | None, config: LookConfig
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Poses (k, 3) to look from, one in a cell: guesses (m, 3), remembered places `near` (n,), and free ground beside
    them; poses (l, 3) on the map from which the rest of the way is straight and free, and which of these for each."""
    rows = np.sort(near[one_a_square(places[near], config.cell)])
    spots = ends = np.concatenate([guesses, places[rows]])
    end = np.arange(len(ends))
    if beyond is not None:
        new, seen_from = beyond(rows[one_a_square(places[rows], config.coarse_cell)], config.off)
        spots = np.concatenate([spots, np.column_stack([new, np.zeros(len(new))])])
        end = np.concatenate([end, len(guesses) + np.searchsorted(rows, seen_from)])
    thinned = np.sort(one_a_square(spots, config.cell))  # neighbours see the same ground
    return spots[thinned], ends, end[thinned]


def _apart(spots: Array, rows: NDArray[np.int64], gap: float, count: int) -> list[int]:
    """Of `rows` of `spots` (n, 2+), best first, so many of which none is nearer to a better one than the gap [m]."""
    chosen: list[int] = []
    for row in rows.tolist():
        if len(chosen) == count:
            break
        if (np.hypot(*(spots[chosen, :2] - spots[row, :2]).T) > gap).all():
            chosen.append(row)
    return chosen
