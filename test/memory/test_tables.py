"""Ways in columns read like a dictionary, and grow and shrink like one."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.memory.tables import EdgeTable
from ami_ros.memory.types import WAYS, Edge, edge_values


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
