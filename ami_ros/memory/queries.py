"""What memory can be asked: where a goal is, and which places fit a description."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, pose_gap
from ami_ros.memory.index import Latents, cluster, match
from ami_ros.memory.next_best_view import LOOKS, frontiers, next_best_views
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.types import ALONE, MAX_RESULTS, Code, GoalQuery, Place, PlaceQuery, Statistics
from ami_ros.memory.vector_index import best_rows


def check_latent(latent: Latents, latent_dim: int) -> None:
    """Raises AmiError (INVALID_INPUT) unless `latent` is (latent_dim,) and finite."""
    if np.shape(latent) != (latent_dim,) or not np.isfinite(latent).all():
        raise AmiError(f"memory: a latent must be {latent_dim} finite numbers", Code.INVALID_INPUT)


def check_pose(pose: Array) -> None:
    """Raises AmiError (INVALID_INPUT) unless `pose` is (3,) and finite."""
    if np.shape(pose) != (3,) or not np.isfinite(pose).all():
        raise AmiError("memory: a pose must be three finite numbers", Code.INVALID_INPUT)


def locate(places: PlaceMap, goal: GoalQuery, hypothesis: int, robot: Array) -> tuple[Array, float]:
    """Pose (3,) of a goal in the map frame, and the share of this hypothesis [0, 1]; the robot is at `robot` (3,).

    Of a goal with a picture hypotheses go on with where to look for it, or, for who searches, are in the order to look;
    see `next_best_view`.

    Raises:
        AmiError: `Code.NOT_FOUND` or `INVALID_INPUT`.
    """
    if goal.latent is not None:
        check_latent(goal.latent, places.latent_dim)
        recognised = None
        if goal.picture is not None and places.recogniser is not None:
            for view in goal.more:
                check_latent(view.latent, places.latent_dim)
            candidates = places.recogniser.candidates(places.index, goal.views)
            recognised = places.recogniser.hypotheses(places.index, candidates)
            certain = [found.share for found in recognised or () if found.share > 0]
            is_sure = bool(certain) and certain[0] >= ALONE and not len(goal.search.looked_from)
            searched = goal.search.reach > 0 and not is_sure
            if recognised is not None and (hypothesis >= len(certain) or searched):
                graph = places.graph
                beyond = None if graph.free is None else graph.free.beyond
                evidence = places.recogniser.evidence(places.index, candidates)
                lengths, poses = partial(graph.lengths, robot), places.index.poses
                views = next_best_views(recognised, poses, robot, lengths, evidence, goal.search, beyond)
                recognised = views if searched else [*recognised[: len(certain)], *(v for v in views if not v.share)]
        hypotheses = recognised
        if hypotheses is None:
            looked = goal.search.looked_from
            matches = match(places.index, goal.latent, 48)  # places that vote on where its latent was taken
            hypotheses = [h for h in cluster(matches) if (np.hypot(*(looked - h.pose[:2]).T) > LOOKS.looked).all()]
        if hypothesis >= len(hypotheses):
            raise AmiError(f"memory: the goal has only {len(hypotheses)} hypotheses", Code.NOT_FOUND)
        return hypotheses[hypothesis].pose, hypotheses[hypothesis].share
    if goal.pose is not None:
        check_pose(goal.pose)
        return np.asarray(goal.pose, np.float64), 1.0
    for place_id in places.labelled(goal.label) if goal.label else [goal.place_id]:
        if place_id in places.index:
            return places.details[place_id].pose, 1.0
    name = f"'{goal.label}'" if goal.label else str(goal.place_id)
    raise AmiError(f"memory: no place {name} is remembered", Code.NOT_FOUND)


def frontier_towards(places: PlaceMap, goal: Array, hypothesis: int, robot: Array) -> Array:
    """Pose (3,) in the map of a frontier from where the way to `goal` (3,) may go on; the robot is at `robot` (3,).

    Raises:
        AmiError: `Code.NO_ROUTE`: there is none, or there are not that many.
    """
    graph, spots = places.graph, np.zeros((0, 3))
    if graph.free is not None:
        count = min(hypothesis + 1, LOOKS.most)
        spots = frontiers(goal, places.index.poses, graph.distances(robot), graph.free.beyond, count)
    if hypothesis >= len(spots):
        raise AmiError("memory: no way to the goal is known, nor a frontier from where to look for one", Code.NO_ROUTE)
    return np.asarray(spots[hypothesis])


def recall(places: PlaceMap, query: PlaceQuery) -> list[Place]:
    """Places that fit all conditions: most similar first, else nearest first, else newest first.

    Conditions are exact, and so is the comparison of what they leave; only a large memory that is searched by
    likeness alone is searched by groups (`VectorIndex`).

    Raises:
        AmiError: `Code.INVALID_INPUT`.
    """
    if not 1 <= query.max_results <= MAX_RESULTS:
        raise AmiError(f"memory: max_results must be from 1 to {MAX_RESULTS}", Code.INVALID_INPUT)
    index, rows = places.index, _fitting_rows(places, query)
    similarity: Latents | None = None
    if query.latent is not None:
        check_latent(query.latent, places.latent_dim)
        latent = np.asarray(query.latent, np.float32)
        if len(rows) == len(index):
            rows, similarity = index.most_similar(latent, query.max_results)
        else:
            similarity = index.keys[rows] @ index.query(latent)
    distance = pose_gap(index.poses[rows], np.asarray(query.pose))[0] if query.pose is not None else None
    merit: NDArray = index.column("last_seen")[rows]
    if similarity is not None:
        merit = similarity
    elif distance is not None:
        merit = -distance
    best, _ = best_rows(merit, query.max_results)
    found = places.places_of(index.ids[rows[best]].tolist(), query.with_experience)
    return [
        replace(
            place,
            similarity=float(similarity[k]) if similarity is not None else np.nan,
            distance=float(distance[k]) if distance is not None else np.nan,
            thumbnail=places.store.thumbnail(place.id) if query.with_thumbnails else b"",
        )
        for k, place in zip(best, found, strict=True)
    ]


def count(places: PlaceMap, query: PlaceQuery) -> int:
    """How many places fit all conditions. Raises AmiError as `recall` does."""
    return len(_fitting_rows(places, query))


def _fitting_rows(places: PlaceMap, query: PlaceQuery) -> NDArray[np.int64]:
    """Rows of the places for which all conditions hold."""
    index = places.index
    masks: list[NDArray[np.bool_]] = []
    if query.label:
        masks.append(np.isin(index.ids, places.labelled(query.label)))
    if query.pose is not None:
        check_pose(query.pose)
        if not query.radius >= 0.0:
            raise AmiError("memory: the radius must be a distance in metres", Code.INVALID_INPUT)
        dx, dy = index.poses[:, 0] - query.pose[0], index.poses[:, 1] - query.pose[1]
        masks.append(dx * dx + dy * dy <= query.radius * query.radius)
    if not query.since <= query.until:
        raise AmiError("memory: the time window must begin before it ends", Code.INVALID_INPUT)
    if np.isfinite([query.since, query.until]).any():
        masks.append((index.column("created") <= query.until) & (index.column("last_seen") >= query.since))
    if query.episode is not None:
        masks.append(index.column("episode") == query.episode)
    if np.isnan(query.surprise):
        raise AmiError("memory: the least surprise must be a number", Code.INVALID_INPUT)
    if query.surprise > 0.0:
        masks.append(index.column("surprise") >= query.surprise)
    return np.flatnonzero(np.logical_and.reduce(masks)) if masks else np.arange(len(index))


def statistics(places: PlaceMap) -> Statistics:
    """How much there is of everything."""
    index, edges = places.index, places.graph.edges.columns
    return Statistics(
        places=len(places),
        ways=int((edges["traversals"] > 0).sum()),
        blocked=int((edges["failures"] > 0).sum()),
        labels=len(places.labels),
        episodes=len(np.unique(index.column("episode"))),
        visits=int(index.column("visits").sum()),
        first=float(index.column("created").min()) if len(index) else 0.0,
        last=float(index.column("last_seen").max()) if len(index) else 0.0,
        size=places.store.size(),
    )
