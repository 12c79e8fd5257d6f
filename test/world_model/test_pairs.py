"""Pictures compared cell by cell."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ami_ros.scan import Scan
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.spec import InputSpec, ModelSpec

SPEC = ModelSpec(InputSpec(image_size=32, field_of_view=math.radians(90.0)), encoder_width=32, pair_size=32)


@pytest.fixture(scope="module")
def head() -> PairHead:
    torch.manual_seed(0)
    return PairHead(SPEC).eval()


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_pair_has_a_pose_an_error_and_a_probability(head: PairHead) -> None:
    with torch.inference_mode():
        codes = head.code(pictures(3))
        found = head(codes, codes.flip(0), torch.full((3, 4), 2.0))
    assert codes.shape == (3, head.code_size)
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
            codes = head.match(torch.randn(1, head.code_size), torch.randn(1, head.code_size))
            pose, residual, _, _ = head._align(codes, torch.eye(16)[None], torch.ones(1, 16))
    finally:
        head.plan = plan  # type: ignore
    torch.testing.assert_close(pose[0], torch.tensor([x, y, c, s]), atol=1e-3, rtol=0)
    assert residual < 2e-3


def test_columns_are_what_the_laser_sees_there(head: PairHead) -> None:
    ranges = np.linspace(1.0, 2.0, 360, dtype=np.float32)
    columns = head.columns(Scan(ranges, -np.pi, 2 * np.pi / 360))
    assert columns is not None and columns.shape == (1, 4)
    left, right = float(columns[0, 0]), float(columns[0, -1])
    assert left > 1.5 > right, "bearings grow to the left"
    assert left - 1.5 == pytest.approx(math.atan(0.75) / (2 * np.pi), abs=0.01)
    assert head.columns(None) is None


def test_a_model_with_pairs_encodes_pictures_for_them_and_keeps_who_it_is() -> None:
    model = WorldModel(SPEC).eval()
    assert model.pairs is not None
    with torch.inference_mode():
        assert model.encode_picture(pictures(2)).shape == (2, model.pairs.code_size)
    with pytest.raises(ValueError, match="multiple of 16"):
        ModelSpec(pair_size=50)


def test_pictures_of_one_spot_are_aligned_by_their_codes_whatever_the_light() -> None:
    head = PairHead(replace(SPEC, pair_size=96))
    rng = np.random.default_rng(4)
    blurred = [cv2.GaussianBlur(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8), (0, 0), 6.0) for _ in range(2)]
    room, other = (cv2.normalize(p, None, 20, 230, cv2.NORM_MINMAX) for p in blurred)
    dark = (room * np.array([0.5, 0.55, 0.6])).astype(np.uint8)
    codes = head.code(torch.from_numpy(np.stack([room, dark, other])).permute(0, 3, 1, 2))
    straight = torch.tensor([0.0, 0.0, 1.0, 0.0])
    with torch.inference_mode():
        moved, found = head.moved_off(codes[0]), [head.align(code, codes[0], straight) for code in codes]
    same, darker, another = (one.difference(moved) for one in found)
    assert same < 1e-3 and darker < 0.5 and another > 5.0
    assert found[1].pose.abs().max() < 0.01
