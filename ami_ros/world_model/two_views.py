"""How a camera moved between two pictures, by points that both show, and by how far off those are.

Points are those of SIFT (Lowe, IJCV 2004). What is learned from drawn pictures tells places apart, but how far real
pictures are apart it tells badly: its cells are a tenth of a radian wide, and real surfaces match otherwise than drawn
ones. Points are exact to a pixel in any.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import CameraMount
from ami_ros.core.geometry import Array, wrap
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.spec import PAIR


@dataclass(frozen=True)
class TwoViewConfig:
    """How points are found, matched and fitted."""

    contrast: float = 0.02  # of a point of SIFT, half of OpenCV's: small pictures have few points
    least_contrast: float = 0.005  # down to which a camera that sees a part of the picture takes weaker ones
    ratio: float = 0.8  # of distances to the best and the second best match, above which it is ambiguous (Lowe 2004)
    least: int = 8  # points, with fewer of which no motion is tried
    epipolar: float = 0.01  # off the epipolar line, at distance 1: a pixel of a camera of 90 degrees at 192 px
    nearest: float = 0.1  # [m] that points are taken to lie before the second camera
    outlier: float = 3.0  # standard deviations, from which points lose their weight, and beyond which they do not agree
    wide: float = 8.0  # times as many in the first step of a refinement, from which on that halves
    largest_step: float = 0.3  # [rad] or [m] of one step
    farthest: float = 3.0  # [m] of a motion
    # Standard deviations between two moments, of tilt and roll [rad] and down [m]: of a robot's camera, which keeps its
    # height, and of one of which nothing is known, which may be carried by hand; and of turn [rad] and way [m].
    mounted: tuple[float, float, float] = (0.03, 0.04, 0.02)
    carried: tuple[float, float, float] = (0.15, 0.1, 0.15)
    moved: tuple[float, float] = (1.0, 0.7)
    # The error of a place: times the deviation of poses, more for few points, and [m] besides.
    error: tuple[float, float, float] = (1.2, 8.0, 0.01)
    # How much likelier a point makes it that both see the same, as a logarithm: each, from how many on, at most. Of 976
    # drawn pairs that show nothing of each other 8 points agreed in none; of 250 of one real kitchen that turn by more
    # than the camera sees 18 in none.
    evidence: tuple[float, float, float] = (0.4, 10.0, 12.0)
    turn_least: int = 5  # points that agree on a turn at least ...
    turn_share: float = 0.3  # ... and share of all
    turn_agree: float = 2.5  # standard deviations within which they agree
    turn_trusted: float = 3.0  # likewise of what odometry says: a point farther off was matched wrongly
    turn_alike: float = 0.5  # of its deviation that a point has in common with all: a camera's angles are off alike


POINTS = TwoViewConfig()


class Points(NamedTuple):
    """Of one picture."""

    at: Array  # (n, 2) across and down, from -1 to 1 in the square that is compared
    descriptors: Floats  # (n, PAIR.descriptor) of length 1


@lru_cache(maxsize=4)
def _sift(contrast: float) -> Any:
    import cv2  # 15 MB that processes without pictures do without

    return cv2.SIFT_create(nfeatures=PAIR.points, contrastThreshold=contrast)  # type: ignore[attr-defined]


def describe(image: NDArray[np.uint8], rows: slice, columns: slice, sees: float = 1.0) -> Floats:
    """The points of a picture (3, size, size) as numbers (PAIR.points_length,), those with most contrast; 0 where there
    are no more.

    Args:
        image: see there.
        rows: of pixels that the camera sees.
        columns: likewise.
        sees: share of the picture of the model's camera that this is.
    """
    size = image.shape[-1]
    red, green, blue = image[:, rows, columns].astype(np.uint16)
    grey = ((red + green + blue) // 3).astype(np.uint8)
    code = np.zeros((PAIR.points, 2 + PAIR.descriptor), np.float32)
    found, descriptors = _sift(max(POINTS.contrast * sees, POINTS.least_contrast)).detectAndCompute(grey, None)
    if found:
        count = min(len(found), PAIR.points)
        best = np.argsort([-point.response for point in found], kind="stable")[:count]
        at = np.array([found[k].pt for k in best]) + (columns.start, rows.start)
        code[:count, :2] = (at + 0.5) / size * 2 - 1
        code[:count, 2:] = descriptors[best]
    return code.ravel()


def points_of(code: Floats) -> Points:
    """What `describe` made numbers of."""
    rows = code.reshape(PAIR.points, 2 + PAIR.descriptor)
    at, described = rows[:, :2].clip(-1, 1), rows[:, 2:].clip(0, 255)  # a client may have sent anything
    known = described.any(1)
    # The roots of shares compare better than lengths (Arandjelovic and Zisserman, CVPR 2012).
    shares = described[known] / described[known].sum(1, keepdims=True)
    return Points(at[known].astype(np.float64), np.sqrt(shares))


def matched(here: Points, there: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (n,) of points that are each other's most alike, and more so than the next."""
    none = np.zeros(0, np.int64)
    if len(here.at) < 2 or len(there.at) < 2:
        return none, none
    alike = here.descriptors @ there.descriptors.T
    best = alike.argmax(1)
    rows = np.arange(len(best))
    first = alike[rows, best]
    alike[rows, best] = -1.0
    apart, next_apart = 1 - first, 1 - alike.max(1)
    alike[rows, best] = first
    good = (apart < POINTS.ratio**2 * next_apart) & (alike.argmax(0)[best] == rows)
    return np.flatnonzero(good), best[good]


def shrunk(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Pictures (k, 3, n, n), n a multiple of `size`, as ones of `size` pixels."""
    times = images.shape[-1] // size
    if times == 1:
        return images
    total = np.zeros((len(images), 3, size, size), np.float32)
    for down in range(times):  # three times as fast as the mean over two axes
        for across in range(times):
            total += images[:, :, down::times, across::times]
    return np.asarray(np.rint(total / times**2), np.uint8)


class Correspondences(NamedTuple):
    """Points of two pictures that may be each other's."""

    rays: Array  # (n, 3) of the first: right, down, and 1 ahead
    seen: Array  # (n, 2) of the second: right and down, at distance 1
    depth: Array  # (n, m) [m] along the first one's axis: m guesses, of which the best counts
    log_sigma: Array  # (n, m) standard deviations of their logarithms
    pixel: float  # [1] standard deviation of where points are seen, at distance 1

    def of(self, rows: NDArray[np.bool_]) -> Correspondences:
        """Those of some `rows` (n,)."""
        return Correspondences(self.rays[rows], self.seen[rows], self.depth[rows], self.log_sigma[rows], self.pixel)


class Poses(NamedTuple):
    """k motions, each of which brings points from the first camera's frame to the second's."""

    rotation: Array  # (k, 3, 3)
    translation: Array  # (k, 3) [m]

    @property
    def centres(self) -> Array:
        """(k, 3) [m] where the second camera is, in the frame of the first."""
        return -np.einsum("kji,kj->ki", self.rotation, self.translation)

    def of(self, rows: NDArray[np.int64]) -> Poses:
        """Those of some `rows`."""
        return Poses(self.rotation[rows], self.translation[rows])


class Refined(NamedTuple):
    """What came of k guesses."""

    poses: Poses
    information: Array  # (k, 6, 6) of rotation vector and translation
    agree: NDArray[np.bool_]  # (k, n) points that fit
    cost: Array  # (k,) twice the negative logarithm of their likelihood


class _Projected(NamedTuple):
    """Points (k, n) as they would be seen, each with the depth that fits best."""

    turned: Array  # (k, n, 3) [m] in the second camera's axes, but seen from the first's centre
    at: Array  # (k, n, 3) right and down at distance 1, and depth [m]
    error: Array  # (k, n, 2)
    along: Array  # (k, n, 2) by the logarithm of the depth: along the epipolar line
    shrunk: Array  # (k, n) what is left of a deviation along it, counted in standard deviations, of one across
    squared: Array  # (k, n) error in standard deviations, squared


def refine(points: Correspondences, guesses: Poses, deviations: Array, steps: int) -> Refined:
    """The motion of a camera by points whose depth is uncertain: several guesses, refined side by side.

    Perspective-n-point by Gauss-Newton with Geman and McClure's weights (Zhang, Image and Vision Computing 1997). Where
    a point is seen errs by a pixel, across all directions, and by what is not known of its depth, along its epipolar
    line (the covariance is carried through the projection as by Hartley and Zisserman, Multiple View Geometry, 5.2).
    Each point may have several depths, as of a laser and of a network: the one that fits best counts.

    Args:
        points: see there.
        guesses: k of them.
        deviations: (6,) standard deviations of rotation vector [rad] and translation [m] that are to be expected.
        steps: of Gauss-Newton, at least one.
    """
    prior, poses = np.diag(1 / np.square(deviations)), guesses
    for step in range(steps):
        slack = POINTS.outlier**2 * (1 + POINTS.wide * 0.5**step) ** 2
        seen = _project(points, poses)
        weight = slack / (slack + seen.squared) / points.pixel
        change, error = _whitened(seen, weight)
        information = change.transpose(0, 2, 1) @ change + prior
        slope = (change.transpose(0, 2, 1) @ error + prior @ _vectors(poses)[..., None])[..., 0]
        update = np.clip(
            -np.linalg.solve(information, slope[..., None])[..., 0], -POINTS.largest_step, POINTS.largest_step
        )
        poses = Poses(rotations(update[:, :3]) @ poses.rotation, poses.translation + update[:, 3:])
    squared = _project(points, poses).squared
    unlikely = np.square(_vectors(poses) / deviations).sum(1)
    cost = (POINTS.outlier**2 * squared / (POINTS.outlier**2 + squared)).sum(1) + unlikely
    return Refined(poses, information, squared < POINTS.outlier**2, cost)


def rotations(vectors: Array) -> Array:
    """Matrices (k, 3, 3) of rotation `vectors` (k, 3) [rad] (Rodrigues): scipy's takes memory that a robot saves."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = (vectors / np.maximum(angle[:, 0], 1e-12)).T
    none = np.zeros(len(vectors))
    cross = np.stack([none, -z, y, z, none, -x, -y, x, none], -1).reshape(-1, 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _vectors(poses: Poses) -> Array:
    """(k, 6) rotation vectors [rad] and translations [m]."""
    import cv2  # as for `_sift`

    vectors = np.stack([cv2.Rodrigues(rotation)[0].ravel() for rotation in poses.rotation])
    return np.concatenate([vectors, poses.translation], 1)


def _project(points: Correspondences, poses: Poses) -> _Projected:
    turned = (points.rays @ poses.rotation.transpose(0, 2, 1))[:, :, None] * points.depth[..., None]  # (k, n, m, 3)
    x, y, z = np.moveaxis(turned + poses.translation[:, None, None], -1, 0)
    z = np.maximum(z, POINTS.nearest)
    at = np.stack([x / z, y / z, z], -1)
    error = at[..., :2] - points.seen[:, None]
    along = (turned[..., :2] - at[..., :2] * turned[..., 2:]) / z[..., None]
    length = np.linalg.norm(along, axis=-1)
    spread = 1 + np.square(points.log_sigma / points.pixel * length)  # of a variance along it
    off = (along * error).sum(-1) / np.maximum(length, 1e-12)
    squared = (np.square(error).sum(-1) - (1 - 1 / spread) * np.square(off)) / points.pixel**2
    best = (squared + np.log(spread)).argmin(-1)[..., None]

    def chosen(values: Array) -> Array:
        return np.take_along_axis(values, best if values.ndim == 3 else best[..., None], 2)[:, :, 0]

    return _Projected(*(chosen(values) for values in (turned, at, error, along, 1 / np.sqrt(spread), squared)))


def _whitened(seen: _Projected, weight: Array) -> tuple[Array, Array]:
    """Derivatives (k, 2n, 6) of where points are seen, and errors (k, 2n, 1), all of the same deviation."""
    u, v, z = np.moveaxis(seen.at, -1, 0)
    by_place = np.zeros((*z.shape, 2, 3))
    by_place[..., 0, 0] = by_place[..., 1, 1] = 1 / z
    by_place[..., 0, 2], by_place[..., 1, 2] = -u / z, -v / z
    by_turn = np.cross(seen.turned[:, :, None], by_place)
    both = np.concatenate([by_turn, by_place, seen.error[..., None]], -1)  # (k, n, 2, 7)
    line = (seen.along / np.maximum(np.linalg.norm(seen.along, axis=-1, keepdims=True), 1e-12))[..., None]
    both -= (1 - seen.shrunk)[..., None, None] * line * (line * both).sum(2, keepdims=True)
    both *= weight[..., None, None]
    flat = both.reshape(len(both), -1, 7)
    return flat[..., :6], flat[..., 6:]


class Motion(NamedTuple):
    """Of the second camera, in the frame of the first, on the floor plan."""

    pose: Array  # (3,) x, y [m], yaw [rad], of cameras that look straight ahead
    inliers: int  # points that agree
    deviation: float  # [m] of the place, by how well points agree


def motion(points: Correspondences, mount: CameraMount) -> Motion | None:
    """From points that may be each other's; None: too few agree.

    Five points give the rotation and the direction of the motion, whatever else was matched wrongly (RANSAC on the
    essential matrix, Nister, PAMI 2004; OpenCV's USAC, after Raguram, PAMI 2013, gives the same in a seventh of the
    time). How far it went is in what is known of distances. So the motion of six degrees is fitted to the points that
    agree, with what is known of the robot: its camera keeps its height and its tilt.

    What a narrow camera sees of a wall may come of a turn or of a step aside, nearly as well. So several guesses are
    refined, and where more than one explains the points, how far these are apart is the doubt.

    Args:
        points: of both pictures.
        mount: of the camera; a height of 0 means that nothing is known of it.
    """
    import cv2  # as for `_sift`

    if len(points.rays) < POINTS.least:
        return None
    a, b = points.rays[:, :2], points.seen
    essential, agree = cv2.findEssentialMat(a, b, np.eye(3), cv2.USAC_DEFAULT, 0.999, POINTS.epipolar)
    if essential is None or essential.shape != (3, 3):
        return None
    keep = agree.ravel() > 0
    if keep.sum() < POINTS.least:
        return None
    tilt, roll, down = POINTS.mounted if mount.z > 0 else POINTS.carried
    turned, way = POINTS.moved
    points, deviations = points.of(keep), np.array([tilt, turned, roll, way, down, way])
    first = refine(points, _guesses(points, essential), deviations, 4)
    found = refine(points, first.poses.of(np.argsort(first.cost)[:3]), deviations, 7)
    k = int(found.cost.argmin())
    inliers = int(found.agree[k].sum())
    if inliers < POINTS.least:
        return None
    likely = np.exp((found.cost[k] - found.cost) / 2)
    centres, turn = found.poses.centres, found.poses.rotation[k]
    variance = np.linalg.inv(found.information)[:, 3:, 3:].trace(axis1=1, axis2=2)
    variance += np.square(centres - centres[k]).sum(1)
    level = rotations(np.array([[-mount.pitch, 0.0, 0.0]]))[0]  # from the camera to a level one
    right, _, ahead = level @ centres[k]
    axis = (level @ turn.T @ level.T)[:, 2]
    deviation = float(np.sqrt((likely * variance).sum() / likely.sum()))
    return Motion(np.array([ahead, -right, np.arctan2(-axis[0], axis[2])]), inliers, deviation)


def _guesses(points: Correspondences, essential: Array) -> Poses:
    """That of the epipolar geometry, and steps of a half or one metre to the sides and ahead, each turned to fit."""
    import cv2  # as for `_sift`

    room = points.rays * points.depth[:, :1]
    _, turn, way, _ = cv2.recoverPose(essential, points.rays[:, :2], points.seen, np.eye(3))
    seen = np.column_stack([points.seen, np.ones(len(room))])
    across, along = np.cross(seen, room @ turn.T), np.cross(seen, way[:, 0])
    length = -(across * along).sum(1) / np.maximum(np.square(along).sum(1), 1e-9)
    gone = way[:, 0] * float(np.clip(np.median(length), 0.0, POINTS.farthest))
    to = (0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.5), (0.0, -0.5)
    steps = np.array([(-right, 0.0, -ahead) for right, ahead in to])
    x, _, z = np.moveaxis(room + steps[:, None], -1, 0)
    angle = np.median(np.arctan(points.seen[:, 0]) - np.arctan2(x, np.maximum(z, POINTS.nearest)), axis=1)
    turns = rotations(np.column_stack([0 * angle, angle, 0 * angle]))
    moves = np.concatenate([gone[None], np.einsum("kij,kj->ki", turns, steps)])
    return Poses(np.concatenate([turn[None], turns]), moves)


def expected_error(moved: Motion) -> float:
    """[m] of the place: more than points agree to, and still more where they are few."""
    times, few, exact = POINTS.error
    return (times + few / moved.inliers) * moved.deviation + exact


def weight_of_evidence(inliers: int) -> float:
    """Logarithm of how much likelier so many points agree where both pictures see the same."""
    each, chance, most = POINTS.evidence
    return min(max(each * (inliers - chance), 0.0), most)


class Turn(NamedTuple):
    """Of the robot, from the moment of one picture to that of another."""

    angle: float  # [rad], to the left
    deviation: float  # [rad] standard deviation


class Sighting(NamedTuple):
    """Points that two pictures show, from where the camera was at each."""

    before: Array  # (n,) [rad] bearing in the first picture, to the left
    after: Array  # (n,) likewise in the second
    away: Array  # (n,) [m] from the first camera in the plane of the floor
    log_sigma: Array  # (n,) standard deviation of its logarithm


def turn(points: Sighting, way: Array, expected: Turn, pixel: float) -> Turn | None:
    """How far the camera turned, where odometry tells how far it drove; None: too few points agree.

    Wheels tell a short way well and a turn badly: what they err by grows with each turn around (Borenstein and Feng,
    "Measurement and correction of systematic odometry errors in mobile robots", 1996). A picture tells a turn well and
    a way badly, for it does not know how far off things are (Scaramuzza and Fraundorfer, "Visual odometry", 2011). So
    each point gives the turn by itself, given the way; what things that move, and wrong matches, say is outvoted.

    Args:
        points: of both pictures.
        way: (2,) [m] that the camera moved ahead and to the left, as seen from where it was first.
        expected: by odometry.
        pixel: [rad] standard deviation of a bearing.
    """
    directions = np.column_stack([np.cos(points.before), np.sin(points.before)])
    seen = points.away[:, None] * directions - way
    off = wrap(np.arctan2(seen[:, 1], seen[:, 0]) - points.after - expected.angle)
    # A point that is farther off than thought changes its bearing less.
    across = directions[:, 0] * way[1] - directions[:, 1] * way[0]
    sigma = np.hypot(np.sqrt(2.0) * pixel, across / points.away * points.log_sigma)
    likely = np.flatnonzero(np.abs(off) < POINTS.turn_trusted * np.hypot(expected.deviation, sigma))
    least, agreeing = max(POINTS.turn_least, POINTS.turn_share * len(off)), POINTS.turn_agree
    if len(likely) < POINTS.turn_least:
        return None
    near = np.abs(off[likely, None] - off[likely]) < agreeing * np.hypot(sigma[likely, None], sigma[likely])
    centre = off[likely[near.sum(1).argmax()]]
    weights = 1.0 / np.square(sigma)
    for _ in range(3):
        agree = np.abs(off - centre) < agreeing * sigma
        if agree.sum() < least:
            return None
        centre = weights[agree] @ off[agree] / weights[agree].sum()
    deviation = np.hypot(weights[agree].sum() ** -0.5, POINTS.turn_alike * pixel)
    return Turn(expected.angle + float(centre), float(deviation))
