"""Neighbours among many vectors: nearly all are found, whatever was added and dropped."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.memory.vector_index import VectorIndex, VectorIndexConfig, Vectors, best_rows

CONFIG = VectorIndexConfig(exact_up_to=500, probes=8)


def cloud(count: int, seed: int = 0) -> Vectors:
    """Unit vectors (count, 16) around curves, as latents along ways are."""
    rng = np.random.default_rng(seed)
    time, phase = rng.uniform(0.0, 40.0, (count, 1)), np.linspace(0.0, 3.0, 16)
    points = np.sin(time * (0.3 + phase) + phase) + rng.normal(0.0, 0.05, (count, 16))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def recall(index: VectorIndex, vectors: Vectors, count: int = 10) -> float:
    """Share of the true neighbours of fresh vectors that are found, once the rows are grouped."""
    index.search(vectors, vectors[0], 1)
    index.wait()
    hits = [
        len(set(index.search(vectors, query, count)[0]) & set(best_rows(vectors @ query, count)[0])) / count
        for query in cloud(50, seed=99)
    ]
    return float(np.mean(hits))


def test_few_vectors_are_searched_exactly() -> None:
    vectors, index = cloud(500), VectorIndex(CONFIG)
    assert recall(index, vectors) == 1.0
    rows, scores = index.search(vectors, vectors[7], 3)
    assert rows[0] == 7 and scores[0] == pytest.approx(1.0) and list(scores) == sorted(scores, reverse=True)
    assert len(index.search(vectors[:4], vectors[0], 10)[0]) == 4
    assert len(index.search(vectors[:0], vectors[0], 10)[0]) == 0


def test_among_many_nearly_all_neighbours_are_found_with_their_scores() -> None:
    vectors, index = cloud(5000), VectorIndex(CONFIG)
    assert recall(index, vectors) >= 0.97
    rows, scores = index.search(vectors, cloud(1, seed=5)[0], 10)
    np.testing.assert_array_equal(scores, vectors[rows] @ cloud(1, seed=5)[0])


def test_what_was_just_added_is_found_at_once() -> None:
    vectors, index = cloud(4000), VectorIndex(CONFIG)
    for size in range(600, 4000, 7):
        rows, _ = index.search(vectors[:size], vectors[size - 1], 1)
        assert rows[0] == size - 1
    assert recall(index, vectors) >= 0.97


def test_until_the_groups_are_made_all_vectors_are_compared() -> None:
    vectors, index = cloud(5000), VectorIndex(VectorIndexConfig(exact_up_to=500, probes=1))
    exact = best_rows(vectors @ vectors[7], 50)[0]
    np.testing.assert_array_equal(index.search(vectors, vectors[7], 50)[0], exact)
    index.wait()
    assert len(set(index.search(vectors, vectors[7], 50)[0]) & set(exact)) < 50


def test_rows_dropped_while_groups_are_made_do_not_return() -> None:
    vectors, index = cloud(5000), VectorIndex(CONFIG)
    index.search(vectors, vectors[0], 1)
    kept = np.arange(5000) >= 2000
    index.keep(kept)
    assert recall(index, vectors[kept]) >= 0.97


def test_dropped_rows_are_found_no_more_and_the_others_still_are() -> None:
    vectors, index = cloud(3000), VectorIndex(CONFIG)
    assert recall(index, vectors[:2900]) >= 0.97
    kept = np.random.default_rng(1).random(3000) < 0.6
    index.keep(kept)
    vectors = vectors[kept]
    assert recall(index, vectors) >= 0.97
    assert all(index.search(vectors, vectors[row], 1)[0][0] == row for row in range(0, len(vectors), 40))
    index.keep(np.zeros(len(vectors), bool))
    vectors = cloud(2000, seed=3)  # all anew
    assert recall(index, vectors) >= 0.97


def test_more_neighbours_than_the_groups_hold_are_found_exactly() -> None:
    vectors, index = cloud(1000), VectorIndex(CONFIG)
    assert recall(index, vectors, 900) == 1.0
