"""Ids of places that several robots share, and ways in tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.memory.tables import EdgeTable
from ami_ros.memory.types import OWN, WAYS, Edge, edge_values, is_own, key_of, local_id

from .conftest import Opener, Walker


@given(st.text(max_size=40))
def test_keys_are_exact_in_a_double_and_never_0(robot: str) -> None:
    assert 0 < key_of(robot) < 1 << 20
    foreign = local_id(OWN - 1, robot, "another robot than that")
    assert foreign == int(float(foreign)) and not is_own(foreign)


def test_a_key_stays_what_it_is_from_version_to_version() -> None:
    assert key_of("robot_1") == 0xBEBAF


def test_ids_lead_there_and_back() -> None:
    theirs = np.array([1, 7, OWN - 1])
    here = local_id(theirs, "anna", "bert")
    assert (here == key_of("anna") * OWN + theirs).all() and not is_own(here).any()
    np.testing.assert_array_equal(local_id(here, "bert", "anna"), theirs)
    np.testing.assert_array_equal(local_id(here, "bert", "carla"), here)  # a third robot calls them the same
    for i, j in zip(theirs.tolist(), here.tolist(), strict=True):
        assert local_id(i, "anna", "bert") == j and local_id(j, "carla", "anna") == i
    np.testing.assert_array_equal(local_id(theirs, "anna", "anna"), theirs)


def test_a_robot_gives_its_own_places_ids_of_its_own_beside_those_of_others(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory, (0.0, 0.0, 0.0), 1)
    walker.look()
    foreign = memory.map.details[1]
    memory.map.adopt([replace(foreign, id=local_id(1, "anna", "bert"), pose=np.array([9.0, 9.0, 0.0]))], [])
    walker.drive(1.6)
    own = memory.map.index.ids[is_own(memory.map.index.ids)]
    assert sorted(own.tolist()) == list(range(1, len(memory)))


def edge(start: int, stop: int, failures: int = 0, traversals: int = 2) -> Edge:
    return Edge(start, stop, np.array([0.1, 0.2, start + stop]), traversals, 1.5, failures, 30.0)


def same(a: Edge, b: Edge) -> bool:
    return edge_values(a) == edge_values(b)


def test_many_are_put_and_replaced() -> None:
    table = EdgeTable()
    for k in range(200):
        table.put(edge(k, k + 1))
    table.put(edge(7, 8, failures=3))
    assert len(table) == 200 and (7, 8) in table and (8, 7) not in table
    assert same(table[7, 8], edge(7, 8, failures=3)) and same(table[199, 200], edge(199, 200))
    assert table.failed == {(7, 8)} and [key for key in table][:2] == [(0, 1), (1, 2)]
    table.put(edge(7, 8))
    assert table.failed == set()
    with pytest.raises(KeyError):
        table[8, 7]


def test_stored_ones_join_those_that_are_there() -> None:
    table = EdgeTable()
    table.put(edge(1, 2))
    table.take(np.array([edge_values(edge(2, 3, failures=1)), edge_values(edge(3, 4, traversals=0))], WAYS))
    table.put(edge(4, 5))
    assert list(table) == [(1, 2), (2, 3), (3, 4), (4, 5)] and table.failed == {(2, 3)}
    assert table.driven().tolist() == [[1, 2], [2, 3], [4, 5]]  # a way tried in vain is none


def test_dropped_places_take_their_ways_with_them() -> None:
    table = EdgeTable()
    for k in range(6):
        table.put(edge(k, k + 1, failures=k))
    table.drop({2, 6})
    assert list(table) == [(0, 1), (3, 4), (4, 5)] and table.failed == {(3, 4), (4, 5)}
    assert same(table[4, 5], edge(4, 5, failures=4))
    table.put(edge(2, 3))
    assert same(table[2, 3], edge(2, 3)) and len(table) == 4


def test_what_leads_from_a_place_is_known_whatever_was_put_and_cut() -> None:
    rng, table, truth = np.random.default_rng(0), EdgeTable(), dict[tuple[int, int], float]()
    for first in (1, 5):  # what was stored; asked for or not, rows of places change when others are cut
        stored = [Edge(a, a + k, np.zeros(3), 1, 0.1 * a + k) for a in range(first, first + 4) for k in (1, 2)]
        table.take(np.array([edge_values(e) for e in stored], WAYS))
        truth |= {(e.start, e.stop): e.duration for e in stored}
        assert sorted(table.at(first)[::2]) == sorted(
            [y for x, y in truth if x == first] + [x for x, y in truth if y == first]
        )
    for k in range(400):
        a, b = (int(i) for i in rng.choice(10, 2, replace=False) + 1)
        if rng.random() < 0.6:
            table.put(Edge(a, b, np.zeros(3), 1, float(k)))
            truth[a, b] = float(k)
        else:
            table.cut(a, b)
            truth.pop((a, b), None)
        ends = table.at(a)
        assert sorted(ends[::2]) == sorted([y for x, y in truth if x == a] + [x for x, y in truth if y == a])
        found = {key: edge.duration for key, edge in table.items()}
        assert found == truth and {tuple(table.columns[r][["start", "stop"]]) for r in ends[1::2]} == {
            key for key in truth if a in key
        }
    whole = table.around([1], 100)
    assert whole[0] == 1 and len(set(whole)) == len(whole) and len(table.around([1], 3)) >= 3
    assert len(table.within(whole)) == len(table)
