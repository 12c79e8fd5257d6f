"""How fast and how completely neighbours are found: ours, and others on the same latents in the same run."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.evaluation.memory_town import Town
from ami_ros.places.vector_index import VectorIndex, VectorIndexConfig, best_rows
from ami_ros.world_model.model import WorldModel

NEIGHBOURS = 10
# Module: what pip calls it.
LIBRARIES = {"faiss": "faiss-cpu", "usearch": "usearch", "sqlite_vec": "sqlite-vec", "apsw": "apsw"}
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


def missing_libraries() -> set[str]:
    """Those that are not installed, as pip calls them."""
    return {name for module, name in LIBRARIES.items() if not importlib.util.find_spec(module)}


def time_searches(model: WorldModel, town: Town, others: bool) -> list[SearchTiming]:
    """Searches for each of the town's queries, one at a time, on one thread.

    Args:
        model: turns latents into keys and queries.
        town: where to search.
        others: whether to measure other libraries, too; those that are not installed are left out.
    """
    with torch.inference_mode():
        blocks = [town.latents[i : i + _BLOCK] for i in range(0, len(town.latents), _BLOCK)]
        keys = np.concatenate([model.contrast.keys(torch.from_numpy(block)).numpy() for block in blocks])
        queries = model.contrast.queries(torch.from_numpy(town.queries)).numpy()
    truth = [set(best_rows(keys @ query, NEIGHBOURS)[0].tolist()) for query in queries]
    ways = [("ours", _ours), ("numpy flat", _flat)]
    if others:
        missing = missing_libraries()
        ways += [(name, make) for libraries, name, make in _OTHERS if not missing & libraries]
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


def _faiss_flat(keys: NDArray[np.float32]) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(keys.shape[1])
    index.add(keys)
    return lambda query: index.search(query[None], NEIGHBOURS)[1][0]


def _faiss_groups(keys: NDArray[np.float32]) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    groups = int(4 * np.sqrt(len(keys)))
    index = faiss.index_factory(keys.shape[1], f"IVF{groups},SQ8", faiss.METRIC_INNER_PRODUCT)
    rng = np.random.default_rng(0)
    index.train(keys[rng.choice(len(keys), min(len(keys), 40 * groups), replace=False)])
    index.add(keys)
    faiss.ParameterSpace().set_index_parameter(index, "nprobe", 32)
    return lambda query: index.search(query[None], NEIGHBOURS)[1][0]


def _usearch(keys: NDArray[np.float32]) -> Search:
    from usearch.index import Index

    index = Index(ndim=keys.shape[1], metric="ip", dtype="f16")
    index.add(np.arange(len(keys)), keys, threads=1)
    return lambda query: index.search(query, NEIGHBOURS, threads=1).keys


def _sqlite_vec(keys: NDArray[np.float32]) -> Search:
    import apsw  # many a Python's own sqlite3 cannot load extensions
    import sqlite_vec

    connection = apsw.Connection(":memory:")
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(key float[{keys.shape[1]}] distance_metric=cosine)")
    rows: Iterator[tuple[int, bytes]] = ((i, key.tobytes()) for i, key in enumerate(keys))
    connection.executemany("INSERT INTO v (rowid, key) VALUES (?, ?)", rows)
    query_text = f"SELECT rowid FROM v WHERE key MATCH ? AND k = {NEIGHBOURS} ORDER BY distance"
    return lambda query: np.array([row[0] for row in connection.execute(query_text, (query.tobytes(),))])


_OTHERS = (
    ({"faiss-cpu"}, "faiss flat", _faiss_flat),
    ({"faiss-cpu"}, "faiss IVF,SQ8", _faiss_groups),
    ({"usearch"}, "usearch f16", _usearch),
    ({"apsw", "sqlite-vec"}, "sqlite-vec", _sqlite_vec),
)
