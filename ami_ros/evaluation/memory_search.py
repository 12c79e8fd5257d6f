"""How fast and how completely neighbours are found: by the index, and by comparing with all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.evaluation.memory_town import Town
from ami_ros.places.vector_index import VectorIndex, VectorIndexConfig, best_rows
from ami_ros.world_model.model import WorldModel

NEIGHBOURS = 10
_BLOCK = 20_000

Search = Callable[[NDArray[np.float32]], NDArray]  # query (d,) -> rows (10,)


@dataclass(frozen=True)
class SearchTiming:
    """One way of searching."""

    name: str
    build_s: float
    p50_ms: float
    p99_ms: float
    recall: float  # share of the true ten neighbours that were found


def time_searches(model: WorldModel, town: Town) -> list[SearchTiming]:
    """Searches for each of the town's queries, one at a time, on one thread.

    Args:
        model: turns latents into keys and queries.
        town: where to search.
    """
    with torch.inference_mode():
        blocks = [town.latents[i : i + _BLOCK] for i in range(0, len(town.latents), _BLOCK)]
        keys = np.concatenate([model.contrast.keys(torch.from_numpy(block)).numpy() for block in blocks])
        queries = model.contrast.queries(torch.from_numpy(town.queries)).numpy()
    truth = [set(best_rows(keys @ query, NEIGHBOURS)[0].tolist()) for query in queries]
    ways = [("ours", _ours), ("numpy flat", _flat)]
    return [_time(name, make, keys, queries, truth) for name, make in ways]


def _time(
    name: str,
    make: Callable[[NDArray[np.float32]], Search],
    keys: NDArray[np.float32],
    queries: NDArray[np.float32],
    truth: list[set[int]],
) -> SearchTiming:
    began = time.perf_counter()
    search = make(keys)
    search(queries[0])
    built = time.perf_counter() - began
    seconds, hits = np.zeros(len(queries)), 0
    for i, query in enumerate(queries):
        began = time.perf_counter()
        rows = search(query)
        seconds[i] = time.perf_counter() - began
        hits += len(truth[i] & {int(row) for row in rows})
    p50, p99 = np.percentile(1000 * seconds, [50, 99])
    recall = hits / (NEIGHBOURS * len(queries))
    return SearchTiming(name, round(built, 2), round(float(p50), 3), round(float(p99), 3), round(recall, 4))


def _ours(keys: NDArray[np.float32]) -> Search:
    index = VectorIndex(VectorIndexConfig())
    index.search(keys, keys[0], NEIGHBOURS)
    index.wait()
    return lambda query: index.search(keys, query, NEIGHBOURS)[0]


def _flat(keys: NDArray[np.float32]) -> Search:
    return lambda query: best_rows(keys @ query, NEIGHBOURS)[0]
