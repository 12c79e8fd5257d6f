"""Pictures by their features: which remembered one shows what another shows, and how the robot stood between the two.

SIFT features, ratio test, and a two-view check for a robot that moves on a plane: of all turns and directions of motion
the one that most features agree with. Where a turn alone explains them, both pictures were taken at one spot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.classical.mapping import Anchor
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.robot_model import camera_axes

RATIO = 0.8  # of the best to the second best match (D. Lowe, IJCV 2004)
ENOUGH = 16  # features that agree
SCALE = 3.0  # small pictures are enlarged to so many times, for features need room
SHARE = 0.4  # of the matched features that have to agree
AGREE = math.radians(1.0)  # by which a ray may be off
EPIPOLAR = math.radians(4.0)  # by which the plane of two rays may miss the way
TURNS = np.radians(np.arange(-60, 61, 2.0))
DIRECTIONS = np.radians(np.arange(-180, 180, 6.0))


@dataclass(frozen=True)
class View:
    """Features of one picture: rays (n, 3) in base_link, descriptors (n, 128)."""

    rays: Array
    descriptors: NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """How the robot stood at a second picture, seen from where it stood at the first: `turn` to the left [rad],
    `direction` of the way there [rad], `parallax` [rad] that is left without the way; `agree` features agree."""

    agree: int
    turn: float
    direction: float
    parallax: float


class Eye:
    """Features of pictures of a robot's camera."""

    def __init__(self, robot: RobotDescription) -> None:
        camera = robot.camera
        assert camera is not None
        self._matrix, self._axes = camera.matrix, camera_axes(camera)
        self._sift = cv2.SIFT.create(nfeatures=300, contrastThreshold=0.01)
        self._scale = SCALE if camera.width < 320 else 1.0

    def look(self, image: NDArray[np.uint8]) -> View:
        """A picture (H, W, 3) by its features."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        large = cv2.resize(grey, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_CUBIC)
        points, descriptors = self._sift.detectAndCompute(large, None)
        if descriptors is None or not points:
            return View(np.zeros((0, 3)), np.zeros((0, 128), np.float32))
        at = (np.array([p.pt for p in points]) + 0.5) / self._scale - 0.5
        fx, fy, cx, cy = self._matrix
        rays = np.stack([np.ones(len(at)), -(at[:, 0] - cx) / fx, -(at[:, 1] - cy) / fy], -1)  # ahead, left, up
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return View(rays @ self._axes.T, np.asarray(descriptors, np.float32))


def compare(first: View, second: View) -> Match | None:
    """How two pictures were taken from each other; None: too few features agree."""
    if min(len(first.rays), len(second.rays)) < ENOUGH:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [m for m, other in (p for p in pairs if len(p) == 2) if m.distance < RATIO * other.distance]
    if len(good) < ENOUGH:
        return None
    a, b = first.rays[[m.queryIdx for m in good]], second.rays[[m.trainIdx for m in good]]
    return _two_views(a, b)


def _two_views(a: Array, b: Array) -> Match | None:
    """Rays (n, 3) of the same things from two places."""
    c, s = np.cos(TURNS)[:, None], np.sin(TURNS)[:, None]
    turned = np.stack(
        [c * b[:, 0] - s * b[:, 1], s * b[:, 0] + c * b[:, 1], np.broadcast_to(b[:, 2], (len(c), len(b)))], -1
    )
    apart = np.arccos(np.clip((turned * a).sum(-1), -1.0, 1.0))  # (turns, n): left without any way
    normal = np.cross(a[None], turned)
    size = np.linalg.norm(normal, axis=-1) + 1e-9
    way = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], -1)
    off = np.abs(np.einsum("tni,di->tdn", normal[..., :2], way)) / np.maximum(size, math.radians(2.0))[:, None]
    fits = off < math.sin(EPIPOLAR)
    fits |= (apart < AGREE)[:, None]
    # Features that lie where a point ahead would have moved to against the way do not count.
    count = fits.sum(-1)
    t, d = np.unravel_index(int((count - 2.0 * np.median(apart, axis=1)[:, None]).argmax()), count.shape)
    if count[t, d] < max(ENOUGH, SHARE * len(a)):
        return None
    agree = fits[t, d]
    parallax = float(np.median(apart[t, agree]))
    still = (apart < 1.5 * AGREE).sum(axis=1)
    if still.max() >= 0.7 * count[t, d]:  # a turn alone explains them
        best = int(still.argmax())
        return Match(int(still[best]), float(TURNS[best]), 0.0, float(np.median(apart[best])))
    return Match(int(count[t, d]), float(TURNS[t]), _ahead(a[agree], turned[t][agree], way[d]), parallax)


def _ahead(a: Array, b: Array, way: Array) -> float:
    """Which of the two directions along `way` was driven: things move against it."""
    moved = ((b - a)[:, :2] @ way).sum()
    sign = -1.0 if moved > 0 else 1.0
    return math.atan2(sign * way[1], sign * way[0])


@dataclass
class Album:
    """Remembered pictures, and where they were taken."""

    views: list[View] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)

    def add(self, view: View, anchor: Anchor) -> None:
        """One more."""
        self.views.append(view)
        self.anchors.append(anchor)

    def find(self, goal: View) -> list[tuple[Anchor, Match]]:
        """Where pictures were taken that agree with `goal`, the best one first."""
        matches = ((anchor, compare(view, goal)) for view, anchor in zip(self.views, self.anchors, strict=True))
        found = [(anchor, match) for anchor, match in matches if match is not None]
        return sorted(found, key=lambda each: -each[1].agree)
