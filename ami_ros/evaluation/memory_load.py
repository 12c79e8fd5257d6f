"""A large memory at work: opening, recalling, adding while it is asked, finding ways; time, disk and RAM."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.memory_town import PERIOD, Town
from ami_ros.extras import importing
from ami_ros.places.graph import GraphConfig
from ami_ros.places.place_map import PlaceMap
from ami_ros.places.questions import recall
from ami_ros.places.store import Store
from ami_ros.places.types import PlaceQuery
from ami_ros.world_model.checkpoint import LoadedModel

with importing("report"):
    import psutil

RESULTS = 10
ASKED = 50.0  # [Hz] recalls while places are added
CHUNK = 5000  # places written at once

Figures = dict[str, float]


def write_town(town: Town, loaded: LoadedModel, path: Path, thumbnails: bool) -> Figures:
    """Writes a town to a new file; returns what it takes on the disk."""
    store = Store(path, loaded.encoder_id, loaded.model.spec.latent_dim)
    for start in range(0, len(town.latents), CHUNK):
        store.put_places(town.places(np.arange(start, min(start + CHUNK, len(town.latents))), thumbnails))
        store.flush()
    store.put_edges(town.edges(np.arange(len(town.ways))))
    store.close()
    if store.error:
        raise store.error
    return {"disk_mb_with_pictures" if thumbnails else "disk_mb": round(path.stat().st_size / 1e6, 1)}


def load_memory(
    town: Town, loaded: LoadedModel, folder: Path, seed: int, report: Callable[[str], None] = lambda said: None
) -> Figures:
    """All figures of this module, with files in `folder`."""
    figures: Figures = {}
    for pictures in (True, False):
        report(f"writing {len(town.latents)} places")
        figures |= write_town(town, loaded, folder / f"town{pictures}.memory", pictures)
    memory = MemoryAtWork(town, loaded, folder / "townFalse.memory", seed)
    try:
        figures |= memory.figures
        for measure in (memory.recalls, memory.routes, memory.appends):
            report(measure.__name__)
            figures |= measure()
    finally:
        memory.close()
    return figures


class MemoryAtWork:
    """A town that was opened from its file. `close` it.

    Attributes:
        figures: what opening took: time to the first answer, and RAM.
    """

    def __init__(self, town: Town, loaded: LoadedModel, path: Path, seed: int) -> None:
        self.town = town
        self._rng = np.random.default_rng(seed)
        before, began = psutil.Process().memory_info().rss, time.perf_counter()
        self.map = PlaceMap(loaded.model, loaded.encoder_id, path, GraphConfig())
        self._recall(PlaceQuery(latent=town.queries[0]))
        seconds = time.perf_counter() - began
        used = psutil.Process().memory_info().rss - before
        self.map.index.wait()
        grouped = time.perf_counter() - began
        self.figures: Figures = {
            "reload_s": round(seconds, 2),
            "reload_until_grouped_s": round(grouped, 2),
            "rss_mb": round(used / 1e6, 1),
        }

    def close(self) -> None:
        """Closes the file."""
        self.map.store.close()

    def recalls(self) -> Figures:
        """Recall of ten neighbours: of all, in 5 % of the time, of one episode, within 3 m; the last three exact."""
        town, end = self.town, PERIOD * len(self.town.latents)
        figures: Figures = {}
        every = np.arange(len(town.latents))

        def ask(name: str, make: Callable[[int], tuple[PlaceQuery, NDArray[np.bool_]]]) -> None:
            seconds, wrong = np.zeros(len(town.queries)), 0
            for i, latent in enumerate(town.queries):
                query, fits = make(i)
                began = time.perf_counter()
                found = self._recall(replace(query, latent=latent))
                seconds[i] = time.perf_counter() - began
                if not fits.all():
                    wrong += self._is_wrong(latent, np.flatnonzero(fits), found)
            p50, p99 = np.percentile(1000 * seconds, [50, 99])
            figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"] = round(float(p50), 3), round(float(p99), 3)
            if name != "recall_of_all":
                figures[f"{name}_wrong_percent"] = round(100 * wrong / len(town.queries), 2)

        def window(_: int) -> tuple[PlaceQuery, NDArray[np.bool_]]:
            since = self._rng.uniform(0.0, 0.95 * end)
            times = PERIOD * every
            return PlaceQuery(since=since, until=since + 0.05 * end), (times >= since) & (times <= since + 0.05 * end)

        def episode(_: int) -> tuple[PlaceQuery, NDArray[np.bool_]]:
            home = int(self._rng.choice(town.homes))
            return PlaceQuery(episode=home), town.homes == home

        def near(_: int) -> tuple[PlaceQuery, NDArray[np.bool_]]:
            pose = town.poses[self._rng.integers(len(every))]
            return PlaceQuery(pose=pose, radius=3.0), np.square(town.poses[:, :2] - pose[:2]).sum(1) <= 9.0

        ask("recall_of_all", lambda _: (PlaceQuery(), np.ones(len(every), bool)))
        ask("recall_of_5_percent_of_time", window)
        ask("recall_of_one_episode", episode)
        ask("recall_within_3_m", near)
        return figures

    def routes(self) -> Figures:
        """Shortest ways between random places, and the noting of new ways."""
        graph, poses, count = self.map.graph, self.town.poses, max(20, len(self.town.queries) // 5)
        began = time.perf_counter()
        graph.shortest_path(poses[0], poses[-1])
        first = time.perf_counter() - began
        seconds = np.zeros(count)
        for i in range(count):
            start, goal = poses[self._rng.integers(len(poses), size=2)]
            began = time.perf_counter()
            graph.shortest_path(start, goal)
            seconds[i] = time.perf_counter() - began
        ends = self._rng.integers(1, len(poses) + 1, (10 * count, 2))
        inserted = np.zeros(len(ends))
        for i, (a, b) in enumerate(ends):
            began = time.perf_counter()
            self.map.link(int(a), int(b), np.zeros(3), 1.0, 0.0)
            inserted[i] = time.perf_counter() - began
        p50, p99 = np.percentile(1000 * seconds, [50, 99])
        return {
            "path_p50_ms": round(float(p50), 2),
            "path_p99_ms": round(float(p99), 2),
            "path_after_change_ms": round(1000 * first, 1),
            "edge_p50_us": round(1e6 * float(np.median(inserted)), 1),
            "edge_p99_us": round(1e6 * float(np.percentile(inserted, 99)), 1),
        }

    def appends(self, seconds: float = 5.0) -> Figures:
        """Adds places as fast as it goes while recalls come 50 times a second, until all are on the disk."""
        latents, end = self.town.latents, PERIOD * len(self.town.latents)
        jpeg = self._rng.bytes(4500)
        asked: list[float] = []
        began = time.perf_counter()
        added = 0
        while (now := time.perf_counter() - began) < seconds:
            if now * ASKED >= len(asked):
                query = PlaceQuery(latent=self.town.queries[len(asked) % len(self.town.queries)])
                start = time.perf_counter()
                self._recall(query)
                asked.append(time.perf_counter() - start)
            self.map.add(end + added, latents[added % len(latents)], self.town.poses[added % len(latents)], jpeg)
            added += 1
            if added % 1000 == 0:
                self.map.store.flush()
        self.map.store.flush()
        p99 = np.percentile(asked, 99)
        rate = added / (time.perf_counter() - began)
        return {"appends_per_s": round(rate), "recall_while_appending_p99_ms": round(1000 * float(p99), 2)}

    def _recall(self, query: PlaceQuery) -> list[float]:
        return [place.similarity for place in recall(self.map, replace(query, max_results=RESULTS))]

    def _is_wrong(self, latent: NDArray[np.float32], rows: NDArray[np.int64], found: list[float]) -> bool:
        """Whether the similarities are not those of the best among `rows`."""
        index = self.map.index
        best = np.sort(index.keys[rows] @ index.query(latent))[::-1][:RESULTS]
        return len(best) != len(found) or not np.allclose(best, found, atol=1e-5)
