"""Scans that are made of pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.errors import AmiError
from ami_ros.world_model import torch_layers
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.picture_rays import picture_rays
from ami_ros.world_model.picture_scan import (
    BEARINGS,
    FARTHEST,
    NEAREST,
    SIZE,
    STEPS,
    PictureScan,
    RangeBelief,
    RangeNetwork,
    bearings_of,
    load_picture_scan,
    save_ranges,
)

FIELD = math.radians(100.0)
PICTURE = np.random.default_rng(3).integers(0, 255, (SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("ranges")
    save_ranges(folder, torch_layers.network(RangeNetwork), FIELD)
    return folder


def told(distances: np.ndarray, doubt: float = 0.3) -> PictureScan:
    """A network that says, whatever it is shown, how far off things are (BEARINGS,) [m], give or take `doubt` steps."""
    made = PictureScan({k: v.numpy() for k, v in torch_layers.network(RangeNetwork).state_dict().items()}, FIELD)
    step = np.log(distances / NEAREST) / math.log(FARTHEST / NEAREST) * STEPS - 0.5
    scores = -0.5 * np.square((np.arange(STEPS) - step[:, None]) / doubt)
    made._network = lambda *_: scores.astype(np.float32)[None]
    return made


def test_by_arrays_and_by_tensors_it_says_the_same(folder: Path) -> None:
    made = load_picture_scan(folder, FIELD)
    made.mount = CameraMount(z=0.25, pitch=-0.1)
    network = torch_layers.network(RangeNetwork).eval()
    torch.manual_seed(0)
    network.load_state_dict({k: v.half().float() for k, v in torch_layers.network(RangeNetwork).state_dict().items()})
    tangent = math.tan(FIELD / 2)
    given = (
        PICTURE[None].transpose(0, 3, 1, 2),
        picture_rays(made.mount, tangent, SIZE).told[None],
        np.array([tangent], np.float32),
    )
    with torch.inference_mode():
        wanted = network(*map(torch.from_numpy, given))
    np.testing.assert_allclose(made._network(*given), wanted.numpy(), atol=1e-4)


def test_beams_look_where_the_picture_shows_it() -> None:
    """Things to the left of the picture are at positive angles."""
    distances = np.where(np.arange(BEARINGS) < BEARINGS // 2, 1.0, 2.0)
    scan = told(distances).scan(PICTURE, 51, FIELD, 4.0)
    assert len(scan.ranges) == 51 and scan.angles[0] == pytest.approx(-FIELD / 2)
    np.testing.assert_allclose(scan.ranges[scan.angles > 0.05], 1.0, rtol=0.05)
    np.testing.assert_allclose(scan.ranges[scan.angles < -0.05], 2.0, rtol=0.05)


def test_what_is_far_is_free_and_of_what_is_not_known_the_least_is_told() -> None:
    assert np.isinf(told(np.full(BEARINGS, 5.0)).scan(PICTURE, 51, FIELD, 4.0).ranges).all()
    unsure = told(np.full(BEARINGS, 1.0), doubt=5.0).scan(PICTURE, 51, FIELD, 4.0).ranges
    assert unsure == pytest.approx(math.exp(-5.0 * math.log(FARTHEST / NEAREST) / STEPS), rel=0.1)


def test_beams_beyond_what_the_camera_sees_know_nothing() -> None:
    narrow = told(np.full(BEARINGS, 1.0))
    half = math.tan(math.radians(30.0))
    narrow.window = Window(-half, -half, half, half)
    scan = narrow.scan(PICTURE, 101, FIELD, 4.0)
    seen = np.isfinite(scan.ranges)
    assert np.degrees(scan.angles[seen]).min() == pytest.approx(-31.0, abs=1.5) and seen.sum() in range(58, 66)


def test_a_folder_without_a_network_is_refused_in_one_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(AmiError, match=r"no network that makes scans.*ami ranges"):
        load_picture_scan(tmp_path, FIELD)
    (tmp_path / "config.yaml").write_bytes((folder / "config.yaml").read_bytes())
    (tmp_path / "weights.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(AmiError, match="no network"):
        load_picture_scan(tmp_path, FIELD)


def test_a_network_of_another_camera_is_refused(folder: Path) -> None:
    """It would see things in other directions."""
    with pytest.raises(AmiError, match="is for a camera of 100 degrees, and that of the model has 69"):
        load_picture_scan(folder, 1.2)


# What stands how far off, by the pictures of the last moments.


HERE = np.zeros(3)


def told_belief(distances: np.ndarray, doubt: float = 0.7) -> Floats:
    """Chances (BEARINGS, STEPS) around distances (BEARINGS,) [m]."""
    step = np.log(distances / NEAREST) / math.log(FARTHEST / NEAREST) * STEPS - 0.5
    chances = np.exp(-0.5 * np.square((np.arange(STEPS) - step[:, None]) / doubt))
    return (chances / chances.sum(-1, keepdims=True)).astype(np.float32)


def middles(chances: np.ndarray) -> np.ndarray:
    """[m] (BEARINGS,), of the likeliest."""
    return np.asarray(NEAREST * np.exp((chances.argmax(-1) + 0.5) / STEPS * math.log(FARTHEST / NEAREST)))


def wall(ahead: float, turned: float = 0.0) -> np.ndarray:
    """Distances (BEARINGS,) to a wall across the robot's first direction, once it has turned."""
    return np.asarray(ahead / np.cos(bearings_of(math.tan(math.radians(50.0))) + turned))


def belief() -> RangeBelief:
    return RangeBelief(bearings_of(math.tan(math.radians(50.0))), NEAREST, FARTHEST)


def test_a_picture_that_leaves_open_what_it_shows_is_taken_as_those_before_it() -> None:
    """The gate stopped a robot for seconds before a thing that a single picture had close, or far."""
    seen = belief()
    for _ in range(3):
        seen.update(told_belief(wall(2.0)), HERE)
    unclear = 0.5 * told_belief(wall(2.0)) + 0.5 * told_belief(np.full(BEARINGS, 0.2))
    assert unclear[:, :10].sum(-1).min() > 0.4
    assert seen.update(unclear, HERE)[:, :10].sum(-1).max() < 0.05


def test_what_was_seen_moves_as_the_robot_does() -> None:
    seen, nothing = belief(), told_belief(wall(2.0), doubt=1e3)
    seen.update(told_belief(wall(2.0)), HERE)
    after = middles(seen.update(nothing, np.array([0.8, 0.0, 0.3])))
    there = wall(1.2, 0.3)
    looked = np.arange(BEARINGS) > BEARINGS // 2  # on the other side nobody has looked yet
    np.testing.assert_allclose(after[looked], there[looked], rtol=0.15)


def test_who_steps_before_the_robot_is_seen_at_once() -> None:
    seen = belief()
    for _ in range(20):
        seen.update(told_belief(wall(3.0)), HERE)
    np.testing.assert_allclose(middles(seen.update(told_belief(np.full(BEARINGS, 0.5)), HERE)), 0.5, rtol=0.1)


def test_without_odometry_a_picture_counts_alone() -> None:
    seen = belief()
    seen.update(told_belief(wall(3.0)), HERE)
    np.testing.assert_allclose(middles(seen.update(told_belief(wall(1.0), 5.0), None)), wall(1.0), rtol=0.1)
