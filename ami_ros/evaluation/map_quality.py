"""How good a map of places is, by the truth of where each place was founded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.expedition import Belief
from ami_ros.geometry import Array, compose, pose_gap
from ami_ros.registration import register
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.slam.place_memory import PlaceMemory

RIGHT = (0.5, 0.5)  # [m], [rad]: a belief no farther off, and in the right room, is right
FALSE_EDGE = 1.5  # [m] between the true ends of an edge from which it is false
CONFIDENCES = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)  # between which moments make one point of a reliability curve
COVERED = 0.75  # [m] of driving from a place within which a spot is covered


@dataclass(frozen=True)
class MapQuality:
    """Figures of one map."""

    places: int
    edges: int  # driven ways, and joins of places that stand on one spot
    false_edges: int  # of them: ends more than FALSE_EDGE apart
    error_median: float  # [m] of places, after the map was laid over the world
    error_p99: float  # [m]
    coverage: float  # share of the free space within COVERED of a place


def frame_of(memory: PlaceMemory, truths: Mapping[int, Array]) -> Array:
    """Where (3,) in the world the map's frame lies, by the places' true poses."""
    frame = register(memory.map.index.poses, _true_poses(memory, truths))
    return np.zeros(3) if frame is None else frame


def measure_map(memory: PlaceMemory, truths: Mapping[int, Array], space: FreeSpace) -> MapQuality:
    """Compares a memory's places and edges with the truth.

    Args:
        memory: holds at least one place.
        truths: the pose (3,) in the world where each place was founded, by id.
        space: of that world.
    """
    true = _true_poses(memory, truths)
    error, _ = pose_gap(compose(frame_of(memory, truths), memory.map.index.poses), true)
    rows = memory.map.graph.connections()
    lengths, _ = pose_gap(true[rows[:, 0]], true[rows[:, 1]])
    return MapQuality(
        places=len(memory),
        edges=len(rows),
        false_edges=int((lengths > FALSE_EDGE).sum()),
        error_median=float(np.median(error)),
        error_p99=float(np.percentile(error, 99)),
        coverage=space.share_within(true, COVERED),
    )


def _true_poses(memory: PlaceMemory, truths: Mapping[int, Array]) -> Array:
    return np.array([truths[int(i)] for i in memory.map.index.ids]).reshape(-1, 3)


def is_right(believed: Array, truth: Array, frame: Array, space: FreeSpace) -> bool:
    """Whether a belief (3,) in the map's `frame` (3,) is near enough to the truth (3,), and in the same room."""
    pose = compose(frame, believed)
    distance, turn = pose_gap(pose, truth)
    return bool(distance < RIGHT[0] and turn < RIGHT[1] and space.room_of(pose) == space.room_of(truth))


class Said(NamedTuple):
    """A point of the reliability curve: the moments at which memory said about the same."""

    confidence: float  # mean
    right: float  # share
    moments: int


@dataclass(frozen=True)
class Honesty:
    """Whether the confidence that memory states is the share of beliefs that are right."""

    moments: int
    right: float  # share of all moments
    localised: float  # share of moments at which it said so
    right_when_localised: float
    confidence_when_right: float  # mean
    confidence_when_wrong: float
    calibration_error: float  # mean gap between confidence and share right over ten bins (Guo et al. 2017)
    entropy_when_right: float  # mean [nat]
    entropy_when_wrong: float
    curve: tuple[Said, ...]  # the surer the later; without points that have no moments


def judge(moments: Iterable[Belief], right: Iterable[bool]) -> Honesty:
    """Compares what memory said of its own belief with whether it was right; NaN where nothing was."""
    beliefs, good = [m.location for m in moments], np.array(list(right), bool)
    confidence, entropy = np.array([(b.confidence, b.entropy) for b in beliefs]).reshape(-1, 2).T
    sure = np.array([b.localised for b in beliefs], bool)
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(float((confidence - good)[bins == k].sum())) for k in range(10)]
    return Honesty(
        moments=len(good),
        right=_mean(good),
        localised=_mean(sure),
        right_when_localised=_mean(good[sure]),
        confidence_when_right=_mean(confidence[good]),
        confidence_when_wrong=_mean(confidence[~good]),
        calibration_error=sum(gaps) / len(good) if len(good) else float("nan"),
        entropy_when_right=_mean(entropy[good]),
        entropy_when_wrong=_mean(entropy[~good]),
        curve=_curve(confidence, good),
    )


def _curve(confidence: Array, good: NDArray[np.bool_]) -> tuple[Said, ...]:
    number = np.digitize(confidence, CONFIDENCES)
    rows = [number == k for k in range(len(CONFIDENCES) + 1)]
    return tuple(Said(_mean(confidence[row]), _mean(good[row]), int(row.sum())) for row in rows if row.any())


def _mean(values: Array) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
