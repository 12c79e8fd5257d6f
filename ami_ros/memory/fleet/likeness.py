"""Which of many maps are worth laying over each other: those whose places look alike, and on what evidence.

To look for one map in another takes seconds, and most maps of a fleet have nothing in common. A first look at latents
takes microseconds. It is often wrong, so all that it says is what is tried, and in which order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.memory.index import Latents


@dataclass(frozen=True)
class LikenessConfig:
    """Which maps are worth comparing."""

    share: float = 0.5  # of the places of a map that have to look like some of the other
    nearest: int = 6  # other maps that each is compared with, those most alike, and more where these are alike to it
    least: float = 0.5  # ties for each map of the smaller group, below which two groups are not compared
    grown: int = 2  # times as many maps as it had when it was compared in vain has a group that is compared again
    floor: float = 0.1  # of the largest variance, added to all: directions in which latents hardly differ are noise


LIKENESS = LikenessConfig()


Tie = tuple[int, int, float]  # two maps, the smaller number first, and how alike they are


def ties(latents: Sequence[Latents]) -> list[Tie]:
    """Each map and the `LIKENESS.nearest` ones, by the latents (n, latent_dim) of the places of each, n at least 1."""
    if len(latents) < 2:
        return []
    sizes = np.array([len(part) for part in latents])
    ends, rows = np.cumsum(sizes), _whitened(np.concatenate(list(latents)))
    alike = np.zeros((len(sizes), len(sizes)), np.float32)
    for number, (end, size) in enumerate(zip(ends.tolist(), sizes.tolist(), strict=True)):
        best = np.maximum.reduceat(rows[end - size : end] @ rows.T, ends - sizes, axis=1)
        alike[number] = np.sort(best, axis=0)[-int(np.ceil(LIKENESS.share * size)) :].mean(axis=0)
    alike = np.round((alike + alike.T) / 2, 4)
    np.fill_diagonal(alike, -np.inf)
    found: dict[tuple[int, int], float] = {}
    for a in range(len(alike)):
        for b in np.argsort(-alike[a], kind="stable")[: min(LIKENESS.nearest, len(alike) - 1)].tolist():
            found[min(a, b), max(a, b)] = float(alike[a, b])
    return [(a, b, value) for (a, b), value in sorted(found.items())]


def _whitened(latents: Latents) -> NDArray[np.float32]:
    """Of unit length: what all places have in common, and what goes together, counts less than what is rare."""
    centred = latents - latents.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    rows = centred @ axes / np.sqrt(np.maximum(variances, 0.0) + LIKENESS.floor * variances.max() + 1e-12)
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9), np.float32)


class Groups:
    """Maps that were found to belong together, and which to compare next.

    Args:
        count: of maps; each is a group of its own at first.
        known: ties between them.

    Attributes:
        members: numbers of the maps of each group, by the number of its first one.
    """

    def __init__(self, count: int, known: Iterable[Tie]) -> None:
        self.members = {number: [number] for number in range(count)}
        self._of = [*range(count)]
        self._ties = {(a, b): value for a, b, value in known}
        self._tried: dict[tuple[int, int], int] = {}  # ties that did not hold; maps of the larger group at that time

    def pairs(self) -> list[tuple[int, int]]:
        """Groups to compare now, each in one pair at most; empty: nothing speaks for any."""
        counts, sums = Counter[tuple[int, int]](), defaultdict[tuple[int, int], float](float)
        best = self._best()
        for (a, b), value in self._ties.items():
            key = self._groups(a, b)
            small, large = sorted(key, key=lambda group: len(self.members[group]))
            then = self._tried.get((a, b), 0)
            if not then or (len(self.members[large]) >= LIKENESS.grown * then and best[small] == key):
                counts[key] += 1
                sums[key] += value
        smaller = {key: min(len(self.members[group]) for group in key) for key in counts}
        worth = [key for key in counts if counts[key] >= LIKENESS.least * smaller[key]]
        taken, chosen = set[int](), list[tuple[int, int]]()
        for key in sorted(worth, key=lambda key: (-sums[key] / smaller[key], key)):
            if not taken.intersection(key):
                taken.update(key)
                chosen.append(key)
        return chosen

    def join(self, a: int, b: int) -> None:
        """Group b becomes part of group a."""
        for number in self.members[b]:
            self._of[number] = a
        self.members[a] += self.members.pop(b)
        self._ties = {key: value for key, value in self._ties.items() if self._of[key[0]] != self._of[key[1]]}

    def part(self, a: int, b: int) -> None:
        """Two groups were compared in vain: what spoke for it does not count until one has grown."""
        for tie in self._ties:
            if {*self._groups(*tie)} == {a, b}:
                self._tried[tie] = max(len(self.members[a]), len(self.members[b]))

    def _groups(self, a: int, b: int) -> tuple[int, int]:
        """Of two maps, the smaller number first."""
        return min(self._of[a], self._of[b]), max(self._of[a], self._of[b])

    def _best(self) -> dict[int, tuple[int, int]]:
        """Of each group the pair that most speaks for."""
        sums = defaultdict[tuple[int, int], float](float)
        for (a, b), value in self._ties.items():
            sums[self._groups(a, b)] += value
        found: dict[int, tuple[int, int]] = {}
        for key in sorted(sums, key=lambda key: (-sums[key], key)):
            for group in key:
                found.setdefault(group, key)
        return found
