"""Real pictures with poses, drawn here: the layouts that data sets have, and what is measured of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ami_ros.bench.pictures import DISTANCES, Pictures, Sift, by_matching, compare, look, read_sequence, rows_at
from ami_ros.bench.scenario import load_scenario
from ami_ros.core.camera import Camera
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import pose_gap, relative
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.learning.views import ViewConfig, Views, axes_of, take_views

SIZE = 240
SKEW = Rotation.from_euler("xyz", [1.1, -0.4, 0.7]).as_matrix()  # of the world that poses are given in


@pytest.fixture(scope="module")
def views() -> Views:
    config = ViewConfig(groups=2, members=8, robots=1, size=SIZE, people=0.0)
    return take_views(load_world("building:home:5200"), config, seed=3)


def cameras(views: Views) -> list[np.ndarray]:
    """(4, 4) poses of the cameras, in a world that lies askew."""
    found = []
    for (x, y, yaw), (height, pitch, roll) in zip(views.poses, views.cameras, strict=True):
        pose = np.eye(4)
        pose[:3, :3] = SKEW @ Rotation.from_euler("z", yaw).as_matrix() @ axes_of(pitch, roll)
        pose[:3, 3] = SKEW @ (x, y, height)
        found.append(pose)
    return found


@pytest.fixture(scope="module")
def folder(views: Views, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for k, pose in enumerate(cameras(views)):
        cv2.imwrite(str(folder / f"frame-{k:06}.color.{'jpg' if k % 2 else 'png'}"), views.images[k][..., ::-1])
        np.savetxt(folder / f"frame-{k:06}.pose.txt", pose)
    focal = SIZE / 2 / views.halves[0]
    np.savetxt(folder / "camera-intrinsics.txt", [[focal, 0, SIZE / 2 - 0.5], [0, focal, SIZE / 2 - 0.5], [0, 0, 1]])
    return folder


def test_poses_of_a_world_that_lies_askew_are_those_on_the_floor(views: Views, folder: Path) -> None:
    found = read_sequence(folder)
    # Pictures roll by hundredths of a radian: so exactly the vertical is found.
    assert found.up @ SKEW[:, 2] > 0.9995
    gap, turn = pose_gap(relative(found.poses[:-1], found.poses[1:]), relative(views.poses[:-1], views.poses[1:]))
    assert gap.max() < 0.05 and turn.max() < 0.05
    assert np.allclose(found.pitches, views.cameras[:, 1], atol=0.03)


def test_tums_layout_says_the_same(views: Views, folder: Path, tmp_path: Path) -> None:
    lines, poses = ["# timestamp filename"], ["# timestamp tx ty tz qx qy qz qw"]
    for k, pose in enumerate(cameras(views)):
        lines.append(f"{k}.00 {folder.resolve()}/frame-{k:06}.color.{'jpg' if k % 2 else 'png'}")
        quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()
        poses.append(" ".join(map(str, [k + 0.01 if k else 9e9, *pose[:3, 3], *quaternion])))
    (tmp_path / "rgb.txt").write_text("\n".join(lines))
    (tmp_path / "groundtruth.txt").write_text("\n".join(poses))
    (tmp_path / "camera.yaml").write_text(
        "{image_width: 240, image_height: 240, camera_matrix: {data: [101, 0, 120, 0, 102, 121, 0, 0, 1]},"
        " distortion_model: plumb_bob, distortion_coefficients: {data: [0.1, 0, 0, 0, 0]}}"
    )
    found, first = read_sequence(tmp_path), read_sequence(folder)
    assert found.without_pose == 1 and len(found.frames) == len(first.frames) - 1
    assert np.allclose(found.frames[0].camera, first.frames[1].camera, atol=1e-6)
    assert found.camera == Camera(240, 240, (101.0, 102.0), (120.0, 121.0), (0.1, 0.0, 0.0, 0.0, 0.0))


def test_lost_tracking_and_missing_poses_are_left_out(folder: Path, tmp_path: Path) -> None:
    for k in range(4):
        (tmp_path / f"a{k}.color.png").write_bytes((folder / "frame-000000.color.png").read_bytes())
        np.savetxt(tmp_path / f"a{k}.pose.txt", np.full((4, 4), -np.inf) if k == 1 else np.eye(4))
    (tmp_path / "a3.pose.txt").unlink()
    with pytest.raises(AmiError, match="240x240 is not known"):
        read_sequence(tmp_path)
    (tmp_path / "camera-intrinsics.txt").write_text((folder / "camera-intrinsics.txt").read_text())
    found = read_sequence(tmp_path)
    assert [frame.picture.name for frame in found.frames] == ["a0.color.png", "a2.color.png"]
    assert found.without_pose == 2
    with pytest.raises(AmiError, match="holds no sequence"):
        read_sequence(tmp_path / "nowhere")


def test_pictures_beside_each_other_are_accepted_and_measured(views: Views, folder: Path) -> None:
    loaded = load_inference("models/general")
    pairs = loaded.model.pairs
    assert pairs is not None
    seen = look(read_sequence(folder), pairs, loaded.model.spec.inputs)
    poses = seen.sequence.poses
    first, second = np.triu_indices(len(poses), 1)
    truth = relative(poses[first], poses[second])
    rows = rows_at("0 to 0.7 m", truth)
    found = compare(pairs, seen.codes[first[rows]], seen.codes[second[rows]])
    apart = compare(pairs, seen.codes[:8], seen.codes[8:])
    assert len(rows) >= 5 and found.accepted.mean() > 0.4 and not apart.accepted.any()
    by_sift = by_matching(Sift(), seen, first[rows], second[rows], truth[rows])
    assert by_sift.accepted.any()
    assert np.median(pose_gap(by_sift.pose, truth[rows])[1][by_sift.accepted]) < 0.05


def test_the_scenario_has_a_row_for_each_distance_memory_and_pair_of_places(folder: Path) -> None:
    kind = Pictures((str(folder), str(folder)), frames=16, rivals=(), across_pairs=20)
    rows = list(kind.run("pictures", 0, (), lambda what: None))
    assert [row["distance"] for row in rows if "who" in row] == 2 * list(DISTANCES)
    assert rows[0]["frames"] == 16 and rows[-1]["pairs_across"] == 20
    assert rows[-1]["accepted_across"] > 0  # it is the same place
    figures = {f.name: f for f in load_scenario("pictures").figures(rows)}
    assert figures["every second: recall@1"].n > 0
    with pytest.raises(AmiError, match="no baseline 'orb'"):
        list(Pictures((str(folder),), rivals=("orb",)).run("pictures", 0, (), lambda what: None))
    with pytest.raises(AmiError, match="say where the sequences are"):
        Pictures().parts()
