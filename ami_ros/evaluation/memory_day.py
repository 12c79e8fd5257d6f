"""A whole day of driving where everything is new: the worst that can happen to a memory with a limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ami_ros.evaluation.memory_town import THUMBNAIL, Town
from ami_ros.places.graph import GraphConfig
from ami_ros.places.place_map import PlaceMap
from ami_ros.places.questions import recall
from ami_ros.places.types import PlaceQuery
from ami_ros.slam.growth import Growth, Moment
from ami_ros.slam.place_memory import MemoryConfig
from ami_ros.world_model.checkpoint import LoadedModel

RATE = 10.0  # [Hz] moments
HOURS = 24.0
SPEED = 0.5  # [m/s]
SPACING = MemoryConfig().spacing  # [m] between new places
MOMENTS = round(SPACING / SPEED * RATE)  # at each place
FOUND = 0.5  # [m] from where a moment was that a recalled place may lie
NEIGHBOURS = 10  # recalled

Figures = dict[str, float]


def places_of_day(hours: float) -> int:
    """How many places a robot founds that drives on and on where it has never been."""
    return int(hours * 3600.0 * RATE / MOMENTS)


def live_a_day(
    town: Town, loaded: LoadedModel, path: Path, config: MemoryConfig, report: Callable[[int, int], None]
) -> Figures:
    """Takes in every moment of a day: the robot passes the town's places one after the other, each for some moments.

    Where the robot is, is taken to be known: it is the growing of the map, and what is forgotten, that is measured.

    Args:
        town: its places are the day; its queries are other moments at some of them.
        loaded: the model.
        path: of the memory, a new file.
        config: of the memory.
        report: is told how many places are done, of how many.
    """
    places = PlaceMap(loaded.model, loaded.encoder_id, path, GraphConfig())
    growth, count, moment = Growth(places, config), len(town.latents), 0
    jpeg = np.random.default_rng(0).bytes(THUMBNAIL)
    largest = 0
    try:
        for k in range(count):
            for _ in range(MOMENTS):
                here = Moment(moment / RATE, town.latents[k], town.poses[k], jpeg)
                growth.grow(here, town.poses[k], lambda: np.zeros((3, 3)))
                moment += 1
            if k % 1000 == 999 or k + 1 == count:
                places.store.flush()
                largest = max(largest, places.store.size())
                report(k + 1, count)
        figures: Figures = {
            "day_moments": moment,
            "day_places": len(places),
            "day_mb": round(places.store.size() / 1e6, 1),
            "day_largest_mb": round(largest / 1e6, 1),
            "day_pictures_kept_share": round(len(places.store.picture_sizes()) / len(places), 4),
        }
        found = [_finds(places, latent, pose) for latent, pose in zip(town.queries, town.asked, strict=True)]
        return figures | {
            "day_recall_share": round(float(np.mean(found)), 4),
            "day_recall_share_of_exact_search": round(_exact_search(town, loaded), 4),
        }
    finally:
        places.store.close()


def _exact_search(town: Town, loaded: LoadedModel) -> float:
    """The same share by comparison with every place of the day, none merged or forgotten: homes resemble each other."""
    with torch.inference_mode():
        keys = loaded.model.contrast.keys(torch.from_numpy(town.latents))
        asked = loaded.model.contrast.queries(torch.from_numpy(town.queries))
        best = torch.cat([(some @ keys.T).topk(NEIGHBOURS).indices for some in asked.split(16)]).numpy()
    apart = np.linalg.norm(town.poses[best, :2] - town.asked[:, None, :2], axis=-1)
    return float((apart <= FOUND).any(axis=1).mean())


def _finds(places: PlaceMap, latent: np.ndarray, pose: np.ndarray) -> bool:
    """Whether another moment at `pose` (3,) recalls a place there."""
    found = recall(places, PlaceQuery(latent=latent, max_results=NEIGHBOURS))
    return any(np.hypot(*(place.pose - pose)[:2]) <= FOUND for place in found)
