"""What a model says of pairs of real pictures, against what is true of them: sequences of one camera, see
`picture_sequences`.

Pairs are compared both ways, as `places.recognition` does. How high and how tilted the camera was is told to nobody: it
was held by hand.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import Rectifier
from ami_ros.errors import AmiError
from ami_ros.evaluation.picture_sequences import PictureSequence
from ami_ros.geometry import Array, from_cos_sin, pose_gap, relative
from ami_ros.images import Image
from ami_ros.world_model.array_pairs import ArrayPairs, odds_of
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.spec import InputSpec

BATCH = 32  # pairs compared at once
RECALL = 0.5, math.radians(30.0)  # [m], [rad] within which a place is the right one
SAID = 0.0, 0.1, 0.2, 0.4, math.inf  # [m] of expected errors, by which calibration is looked at


class Distance(NamedTuple):
    """Pairs that are so far apart."""

    name: str
    least: float  # [m]
    most: float  # [m]
    turn: float  # [rad] at most

    def rows(self, truth: Array) -> NDArray[np.int64]:
        """Those of the pairs (n, 3)."""
        gap, turn = np.hypot(truth[:, 0], truth[:, 1]), np.abs(truth[:, 2])
        return np.flatnonzero((gap >= self.least) & (gap < self.most) & (turn < self.turn))


DISTANCES = (
    Distance("0 to 0.3 m", 0.0, 0.3, 0.3),
    Distance("0 to 0.7 m", 0.0, 0.7, 0.6),
    Distance("0.3 to 0.7 m", 0.3, 0.7, 0.6),
    Distance("0.7 to 1.5 m", 0.7, 1.5, 1.0),
)


@dataclass(frozen=True)
class Seen:
    """A sequence as a model's camera would have taken it."""

    sequence: PictureSequence
    pictures: tuple[Image, ...]
    codes: Floats  # (n, code)
    half: float  # how far from the axis the pictures reach that are compared, at distance 1
    share: float  # of their sides
    seconds: float  # that a code takes


@dataclass(frozen=True)
class Estimates:
    """Of n pairs."""

    pose: Array  # (n, 3)
    accepted: NDArray[np.bool_]
    odds: Array  # (n,) that both see the same; of rivals: inliers
    error: Array | None = None  # (n,) [m] that it expects


def look(sequence: PictureSequence, pairs: ArrayPairs, inputs: InputSpec) -> Seen:
    """Encodes all pictures, and leaves `pairs` with this sequence's camera.

    Raises:
        AmiError: the camera sees less than the model needs.
    """
    rectify = Rectifier(sequence.camera, inputs.field_of_view, inputs.narrowest)
    pairs.window = rectify.window
    pictures = [rectify(sequence.picture(row)) for row in range(len(sequence.frames))]
    began = time.perf_counter()
    codes = [pairs.code(fit_image(p, pairs.picture_size, pairs.share).transpose(2, 0, 1)[None])[0] for p in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    return Seen(sequence, tuple(pictures), np.stack(codes), pairs.tangent, pairs.share, seconds)


def compare(pairs: ArrayPairs, here: Floats, there: Floats) -> Estimates:
    """Pairs of codes (n, code), both ways."""
    parts = []
    for start in range(0, len(here), BATCH):
        a, b = here[start : start + BATCH], there[start : start + BATCH]
        found = pairs.compare_both_ways(a, b)
        parts.append((found.pose, odds_of(found.same), found.error))
    pose, odds, error = (np.concatenate(values).astype(np.float64) for values in zip(*parts, strict=True))
    return Estimates(from_cos_sin(pose), odds >= odds_of(pairs.threshold), odds, error)


def measure(seen: Seen, pairs: ArrayPairs, rivals: dict[str, Rival], most: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of all pairs of a sequence; of rivals those of `most` pairs of each distance.

    Raises:
        AmiError: no two pictures are near each other.
    """
    poses, name = seen.sequence.poses, seen.sequence.name
    first, second = np.triu_indices(len(poses), 1)
    truth = relative(poses[first], poses[second])
    began = time.perf_counter()
    found = compare(pairs, seen.codes[first], seen.codes[second])
    seconds = (time.perf_counter() - began) / (2 * len(first))
    figures = [_of_distance(d, truth, found) for d in DISTANCES]
    if not sum(f["pairs"] for f in figures):
        raise AmiError(f"{name}: no two pictures are near each other and look the same way")
    yield {
        "place": name, "frames": len(poses), "without_pose": seen.sequence.without_pose,
        "tilt_rad": float(seen.sequence.tilts[:, 0].mean()), "heights_m": float(np.ptp(seen.sequence.heights)),
        "code_ms": 1000 * seen.seconds, "compare_ms": 1000 * seconds,
    }  # fmt: skip
    yield from ({"who": f"{name}, {f['distance']}"} | f for f in figures)
    yield from ({"said": f"{name}, from {f['from_m']:.1f} m"} | f for f in _said(truth, found))
    yield from ({"place": name} | f for f in _recall(poses, first, second, found.odds))
    rng = np.random.default_rng(seed)
    for who, rival in rivals.items():
        rows = np.unique(np.concatenate([_some(d.rows(truth), most, rng) for d in DISTANCES]))
        began = time.perf_counter()
        theirs = rival(seen, first[rows], second[rows], truth[rows])
        yield {"place": f"{name}, {who}", "compare_ms": 1000 * (time.perf_counter() - began) / max(1, len(rows))}
        of_rival = [_of_distance(d, truth[rows], theirs) for d in DISTANCES]
        yield from ({"who": f"{name}, {who}, {f['distance']}"} | f for f in of_rival)


Rival = Callable[[Seen, NDArray[np.int64], NDArray[np.int64], Array], Estimates]  # of pairs by rows, and their truth


def _some(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else rng.choice(rows, most, replace=False)


def _of_distance(distance: Distance, truth: Array, found: Estimates) -> dict[str, Any]:
    """How many are accepted, and how far off these are; "still": that nothing moved."""
    rows = distance.rows(truth)
    accepted = rows[found.accepted[rows]]
    off, turned = pose_gap(found.pose[accepted], truth[accepted])
    still, unturned = np.hypot(truth[accepted, 0], truth[accepted, 1]), np.abs(truth[accepted, 2])
    said = np.array([]) if found.error is None else found.error[accepted]
    return {
        "distance": distance.name, "pairs": len(rows), "accepted": len(accepted),
        "position_m": _median(off), "still_m": _median(still),
        "heading_rad": _median(turned), "unturned_rad": _median(unturned), "said_m": _median(said),
    }  # fmt: skip


def _said(truth: Array, found: Estimates) -> list[dict[str, Any]]:
    """Of accepted pairs, by the error that was expected: what it was."""
    assert found.error is not None
    off = pose_gap(found.pose, truth)[0]
    rows = [
        found.accepted & (found.error >= low) & (found.error < high) for low, high in zip(SAID, SAID[1:], strict=False)
    ]
    return [
        {"from_m": low, "n": int(k.sum()), "expected_m": _median(found.error[k]), "off_m": _median(off[k])}
        for low, k in zip(SAID, rows, strict=False)
    ]


def _recall(poses: Array, first: NDArray[np.int64], second: NDArray[np.int64], odds: Array) -> Iterator[dict[str, Any]]:
    """Of pictures that have another beside them in memory: whether the likeliest one there is such a one. Memory is
    every second picture, or the first half of them."""
    count = len(poses)
    alike = np.zeros((count, count))
    alike[first, second] = alike[second, first] = odds
    for name, kept in (("every second", np.arange(count) % 2 == 0), ("the first half", np.arange(count) < count // 2)):
        asked, known = np.flatnonzero(~kept), np.flatnonzero(kept)
        gap, turn = pose_gap(poses[known][None], poses[asked][:, None])
        right = (gap < RECALL[0]) & (turn < RECALL[1])
        asked, right = asked[right.any(1)], right[right.any(1)]
        best = alike[np.ix_(asked, known)].argmax(1) if len(asked) else np.array([], int)
        hits = int(right[np.arange(len(asked)), best].sum())
        yield {"in_memory": name, "asked": len(asked), "right": hits}


def across(one: Seen, other: Seen, pairs: ArrayPairs, most: int, seed: int) -> dict[str, Any]:
    """Of pairs of pictures of two places: how many are accepted."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(one.codes) * len(other.codes), min(most, len(one.codes) * len(other.codes)), replace=False)
    found = compare(pairs, one.codes[chosen // len(other.codes)], other.codes[chosen % len(other.codes)])
    places = " and ".join(seen.sequence.name for seen in (one, other))
    return {"across": places, "pairs_across": len(chosen), "accepted_across": int(found.accepted.sum())}


def _median(values: Array) -> float | None:
    return float(np.median(values)) if len(values) else None
