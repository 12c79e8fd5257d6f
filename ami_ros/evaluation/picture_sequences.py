"""Real pictures with poses, as data sets of RGB-D cameras have them: 7-Scenes' and TUM's layouts.

Poses are those of the camera (right, down, ahead), to a world whose vertical is often not its z axis: it is estimated
from the pictures, whose horizontal edges are level on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from ami_ros.camera import LENSES, Camera
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, wrap
from ami_ros.images import Image, decode_image

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
