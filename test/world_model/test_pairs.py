"""Pictures compared cell by cell."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.scan import Scan
from ami_ros.world_model import torch_layers
from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.by_torch import ByTorch, on_arrays
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.picture_rays import columns_behind
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

SPEC = ModelSpec(InputSpec(image_size=32, field_of_view=math.radians(90.0)), encoder_width=32, pair_size=32)


@pytest.fixture(scope="module")
def head() -> PairHead:
    torch.manual_seed(0)
    head: PairHead = torch_layers.network(PairHead, SPEC).eval()
    return head


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_pair_has_a_pose_an_error_and_a_probability(head: PairHead) -> None:
    with torch.inference_mode():
        codes = head.code(pictures(3))
        found = head(codes, codes.flip(0), torch.full((3, 4), 2.0))
    assert codes.shape == (3, SPEC.picture_code)
    torch.testing.assert_close(found.pose[:, 2:].norm(dim=-1), torch.ones(3))
    assert (found.error > 0).all() and ((found.same > 0) & (found.same < 1)).all()


def test_a_picture_matched_with_itself_is_here(head: PairHead) -> None:
    """Before anything is learned: points that are the same are brought onto one another by no motion."""
    codes = torch.zeros(1, 64, 16)
    codes[0, torch.arange(16), torch.arange(16)] = 10.0  # each cell like none but itself
    with torch.inference_mode():
        found = head(codes.flatten(1), codes.flatten(1))
    torch.testing.assert_close(found.pose[0], torch.tensor([0.0, 0.0, 1.0, 0.0]), atol=0.02, rtol=0)


def test_the_motion_between_matched_points_is_found_exactly(head: PairHead) -> None:
    """Cells that know their places: the second picture's are those of the first, seen from elsewhere."""
    generator = torch.Generator().manual_seed(2)
    own = 1 + 3 * torch.rand(1, 16, 2, generator=generator)
    x, y, yaw = 0.4, -0.2, 0.5
    c, s = math.cos(yaw), math.sin(yaw)
    seen = (own - torch.tensor([x, y])) @ torch.tensor([[c, -s], [s, c]])
    polar = [torch.stack([p.norm(dim=-1).log(), torch.atan2(p[..., 1], p[..., 0])], -1) for p in (own, seen)]
    counts = torch.zeros(1, 16)
    answers = iter([(polar[0], counts), (polar[1], counts)])
    plan, head.plan = head.plan, lambda features, bearings: next(answers)  # type: ignore
    try:
        with torch.inference_mode():
            found = head.match(torch.randn(1, 16, 64), torch.randn(1, 16, 64))
            pose, residual, _, _ = head._align(found, torch.eye(16)[None], torch.ones(1, 16))
    finally:
        head.plan = plan  # type: ignore
    torch.testing.assert_close(pose[0], torch.tensor([x, y, c, s]), atol=1e-3, rtol=0)
    assert residual < 2e-3


def in_both_ways(spec: ModelSpec) -> tuple[ArrayPairs, ArrayPairs]:
    """One head, by torch and by NumPy."""
    torch.manual_seed(0)
    model = WorldModel(spec).eval()
    with torch.no_grad():  # what begins as zeros says nothing
        for tensor in model.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
    by_torch = ByTorch(model).pairs
    assert by_torch is not None
    return by_torch, on_arrays(model.requires_grad_(False)).pairs


def test_columns_are_what_the_laser_sees_there() -> None:
    ranges = np.linspace(1.0, 2.0, 360, dtype=np.float32)
    pairs, _ = in_both_ways(SPEC)
    columns = pairs.columns([Scan(ranges, -np.pi, 2 * np.pi / 360), None])
    assert columns is not None and columns.shape == (2, 4) and np.isnan(columns[1]).all()
    left, right = float(columns[0, 0]), float(columns[0, -1])
    assert left > 1.5 > right, "bearings grow to the left"
    assert left - 1.5 == pytest.approx(math.atan(0.75) / (2 * np.pi), abs=0.01)
    assert pairs.columns([None]) is None and pairs.columns([]) is None
    pairs.mount = CameraMount(yaw=0.5)
    turned = pairs.columns([Scan(ranges, -np.pi, 2 * np.pi / 360)])
    assert turned is not None and turned[0, 0] - left == pytest.approx(0.5 / (2 * np.pi), abs=0.01)


def test_what_a_laser_sees_counts_the_same_on_both_kinds_of_arrays() -> None:
    by_torch, by_numpy = in_both_ways(SPEC)
    here, there = by_numpy.code(pictures(4).numpy()), by_numpy.code(pictures(4).flip(0).numpy())
    ranges = np.random.default_rng(0).uniform(0.1, 12.0, (4, 360)).astype(np.float32)
    ranges[0, :90], ranges[1, 90:], ranges[2] = np.inf, np.nan, np.nan
    scans = [*(Scan(r, -np.pi, 2 * np.pi / 360) for r in ranges[:3]), None]
    found, wanted, without = (
        pairs.compare(here, there, given) for pairs, given in ((by_numpy, scans), (by_torch, scans), (by_numpy, ()))
    )
    for ours, theirs, blind in zip(found, wanted, without, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        assert (np.abs(ours - blind)[:2] > 1e-3).any(), "the laser tells something"
        np.testing.assert_allclose(ours[3], blind[3], atol=1e-6)


@pytest.mark.parametrize("window", [Window.square(1.0), Window(-0.6, -0.3, 0.5, 0.4)])
def test_pictures_are_aligned_the_same_on_both_kinds_of_arrays(window: Window) -> None:
    """By what the cells guess, and by laser and floor."""
    both = in_both_ways(replace(SPEC, pair_size=96))
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (96, 100, 3), dtype=np.uint8), (0, 0), 4.0)
    wide = cv2.normalize(wide, np.empty_like(wide), 20, 230, cv2.NORM_MINMAX)
    images = np.stack([wide[:, :96], wide[:, 3:99]]).transpose(0, 3, 1, 2)
    scan = Scan((2 + np.sin(np.arange(360) / 20)).astype(np.float32), -np.pi, 2 * np.pi / 360)
    pose = np.array([0.03, -0.02, 1.0, 0.0], np.float32)
    told = list[tuple[np.ndarray, ...]]()
    for pairs in both:
        pairs.mount, pairs.window = CameraMount(0.1, 0.05, 0.2, z=0.3, pitch=0.1), window
        here, there = pairs.code(images)
        guessed, known = pairs.align(here, there, pose), pairs.align(here, there, pose, scan)
        told.append((pairs.distances(here), *guessed, *known, pairs.moved_off(there)))
    for ours, theirs in zip(*told, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    distances, guessed_pose, _, known_pose, *_ = told[0]
    assert distances.std() > 0.01 and np.abs(guessed_pose - known_pose).max() > 1e-3


def test_who_stands_in_front_of_the_camera_hides_the_columns_behind_him() -> None:
    mount, window = CameraMount(0.1, 0.0, 0.0, z=0.3), Window.square(1.0)
    right_of_it = np.array([[1.1, -0.5, 0.15]])  # atan(0.5) to the right of the axis, 0.25 m wide to each side
    hidden = columns_behind(right_of_it, mount, window, 32)
    bearings = np.arctan((np.arange(32) + 0.5) / 16 - 1)
    reach = np.arcsin(0.25 / np.hypot(1.0, 0.5))
    assert (hidden == (np.abs(bearings - np.arctan(0.5)) < reach)).all() and 0 < hidden.sum() < 16
    assert not columns_behind(np.array([[-1.0, 0.0, 0.2]]), mount, window, 32).any(), "he stands behind the robot"
    assert columns_behind(np.array([[0.2, 0.0, 0.2]]), mount, window, 32).all(), "he stands against the lens"


def test_a_model_with_pairs_encodes_pictures_for_them_and_keeps_who_it_is() -> None:
    model = WorldModel(SPEC).eval()
    assert model.pairs is not None
    with torch.inference_mode():
        assert model.encode_picture(pictures(2)).shape == (2, SPEC.picture_code)
    with pytest.raises(ValueError, match="multiple of 16"):
        ModelSpec(pair_size=50)


def test_poses_are_those_of_the_base_wherever_the_camera_sits_on_it() -> None:
    """Where pictures show nothing the guess stands, which is one of the base."""
    _, pairs = in_both_ways(replace(SPEC, pair_size=96))
    pairs.mount = CameraMount(0.2, -0.1, 0.4, z=0.3)
    (code,) = pairs.code(np.full((1, 3, 96, 96), 128, np.uint8))
    pose = np.array([0.1, -0.05, np.cos(0.2), np.sin(0.2)], np.float32)
    assert pairs.align(code, code, pose).pose == pytest.approx([0.1, -0.05, 0.2], abs=1e-5)


def test_pictures_of_one_spot_are_aligned_by_their_codes_whatever_the_light() -> None:
    _, pairs = in_both_ways(replace(SPEC, pair_size=96))
    rng = np.random.default_rng(4)
    blurred = [cv2.GaussianBlur(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), (0, 0), 6.0) for _ in range(2)]
    room, other = (cv2.normalize(p, None, 20, 230, cv2.NORM_MINMAX) for p in blurred)
    dark = (room * np.array([0.5, 0.55, 0.6])).astype(np.uint8)
    codes = pairs.code(np.stack([room, dark, other]).transpose(0, 3, 1, 2))
    straight = np.array([0.0, 0.0, 1.0, 0.0], np.float32)
    moved, found = pairs.moved_off(codes[0]), [pairs.align(code, codes[0], straight) for code in codes]
    same, darker, another = (one.difference(moved) for one in found)
    assert same < 1e-3 and darker < 0.5 and another > 5.0
    assert np.abs(found[1].pose).max() < 0.01
