"""What maps are compared first, and which are not compared at all."""

from __future__ import annotations

import numpy as np

from ami_ros.memory.fleet.likeness import LIKENESS, Groups, ties

RNG = np.random.default_rng(0)


def test_maps_with_places_in_common_are_tied_first() -> None:
    usual = RNG.normal(size=32)  # that all places have in common
    worlds = [usual + RNG.normal(size=(30, 32)) for _ in range(8)]
    maps = [
        (world[first : first + 20] + 0.2 * RNG.normal(size=(20, 32))).astype(np.float32)
        for world in worlds
        for first in (0, 10)
    ]
    found = sorted(ties(maps), key=lambda tie: -tie[2])
    assert {(a, b) for a, b, _ in found[:8]} == {(2 * k, 2 * k + 1) for k in range(8)}
    assert len(found) <= LIKENESS.nearest * len(maps) and all(a < b for a, b, _ in found)
    assert ties(maps[:1]) == [] and len(ties(maps[:2])) == 1


def test_pairs_of_a_round_have_no_map_in_common_and_the_most_alike_go_first() -> None:
    groups = Groups(4, [(0, 1, 0.3), (1, 2, 0.9), (2, 3, 0.2), (0, 3, 0.1)])
    assert groups.pairs() == [(1, 2), (0, 3)]
    groups.join(1, 2)
    groups.part(0, 3)
    assert groups.members == {0: [0], 1: [1, 2], 3: [3]}
    assert groups.pairs() == [(0, 1)]


def test_large_groups_need_more_than_one_tie() -> None:
    chains = [(k, k + 1, 0.5) for k in (0, 1, 2, 4, 5, 6)]
    groups = Groups(8, [*chains, (0, 4, 0.9)])
    for a in (0, 4):
        for b in range(a + 1, a + 4):
            groups.join(a, b)
    assert groups.pairs() == []  # one tie for four maps
    assert sorted(groups.members) == [0, 4]


def test_who_was_compared_in_vain_is_compared_again_with_a_group_that_has_grown() -> None:
    groups = Groups(4, [(0, 3, 0.5), (0, 1, 0.4), (1, 2, 0.4)])
    groups.part(0, 3)
    assert (0, 3) not in groups.pairs()
    groups.join(0, 1)
    assert (0, 3) in groups.pairs()
    groups.part(0, 3)
    groups.join(0, 2)
    assert groups.pairs() == []  # half as large again is not enough
