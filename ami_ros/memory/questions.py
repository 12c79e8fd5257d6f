"""What memory can be asked: where a goal is, and which places fit a description."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.memory.codes import Code
from ami_ros.memory.index import Latents
from ami_ros.memory.matching import cluster, match, pose_gap
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.types import GoalQuery, Place, PlaceQuery

GOAL_MATCHES = 48  # places that vote on where a goal's latent was taken


def check_latent(latent: Latents, latent_dim: int) -> None:
    """Raises AmiError (INVALID_INPUT) unless `latent` is (latent_dim,) and finite."""
    if np.shape(latent) != (latent_dim,) or not np.isfinite(latent).all():
        raise AmiError(f"memory: a latent must be {latent_dim} finite numbers", Code.INVALID_INPUT)


def check_pose(pose: Array) -> None:
    """Raises AmiError (INVALID_INPUT) unless `pose` is (3,) and finite."""
    if np.shape(pose) != (3,) or not np.isfinite(pose).all():
        raise AmiError("memory: a pose must be three finite numbers", Code.INVALID_INPUT)


def locate(places: PlaceMap, goal: GoalQuery, hypothesis: int) -> tuple[Array, float]:
    """Pose (3,) of a goal in the map frame, and the share of this hypothesis [0, 1].

    Raises:
        AmiError: `Code.NOT_FOUND` or `INVALID_INPUT`.
    """
    if goal.latent is not None:
        check_latent(goal.latent, places.latent_dim)
        hypotheses = cluster(match(places.index, goal.latent, GOAL_MATCHES))
        if hypothesis >= len(hypotheses):
            raise AmiError(f"memory: the goal has only {len(hypotheses)} hypotheses", Code.NOT_FOUND)
        return hypotheses[hypothesis].pose, hypotheses[hypothesis].share
    if goal.pose is not None:
        check_pose(goal.pose)
        return np.asarray(goal.pose, np.float64), 1.0
    for place_id, row in places.details.items():
        if place_id == goal.place_id or (goal.label and row.label == goal.label):
            return row.pose.copy(), 1.0
    name = f"'{goal.label}'" if goal.label else str(goal.place_id)
    raise AmiError(f"memory: no place {name} is remembered", Code.NOT_FOUND)


def recall(places: PlaceMap, query: PlaceQuery) -> list[Place]:
    """Places that fit all conditions: most similar first, else nearest first, else newest first.

    Raises:
        AmiError: `Code.INVALID_INPUT`.
    """
    if query.max_results < 1:
        raise AmiError("memory: max_results must be at least 1", Code.INVALID_INPUT)
    rows = [places.details[int(i)] for i in places.index.ids]
    keep = np.ones(len(rows), bool)
    rank = -np.array([row.last_seen for row in rows])
    distance = similarity = np.full(len(rows), np.nan)
    if query.label:
        keep &= np.array([row.label == query.label for row in rows], bool)
    if query.pose is not None:
        check_pose(query.pose)
        distance, _ = pose_gap(places.index.poses, np.asarray(query.pose, np.float64))
        keep, rank = keep & (distance <= query.radius), distance
    if query.latent is not None:
        check_latent(query.latent, places.latent_dim)
        similarity = places.index.scores(np.asarray(query.latent, np.float32))
        rank = -similarity
    kept = np.flatnonzero(keep)
    kept = kept[np.argsort(rank[kept], kind="stable")][: query.max_results]
    found = [
        replace(places.place(rows[k].id), similarity=float(similarity[k]), distance=float(distance[k])) for k in kept
    ]
    if query.with_thumbnails:
        found = [replace(p, thumbnail=places.store.thumbnail(p.id)) for p in found]
    return found
