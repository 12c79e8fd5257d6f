"""How pictures are compared is learned from views with depth; here of a wall with a pattern, without a renderer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.camera import Window
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.world_model import torch_layers
from ami_ros.world_model.learning.pair_training import (
    Judged,
    PairConfig,
    calibrate,
    columns_of,
    draw,
    fit_pairs,
    judge_pairs,
    label,
    plan_of,
    quality,
)
from ami_ros.world_model.learning.views import Views, framed, joined, load_views, photographed, rays_of, save_views
from ami_ros.world_model.pairs import PairHead
from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.wall_views import FIELD, SIDE, SIZE, view, world

SPEC = ModelSpec(InputSpec(32, field_of_view=FIELD), pair_size=32)


@pytest.fixture(scope="module")
def views() -> Views:
    return joined([world(0), world(1)])


def test_a_picture_shows_itself_cell_by_cell(views: Views) -> None:
    rows = np.arange(4)
    found = label(views, rows, rows)
    assert found.overlap.min() == 1.0 and found.same.min() == 1.0
    best = found.cells.gather(-1, found.weights.argmax(-1, keepdim=True))[..., 0]
    known = found.weights.sum(-1) > 0
    assert (best == torch.arange(SIDE**2))[known].all()


def test_a_turned_camera_shows_the_same_beside(views: Views) -> None:
    pair = joined([world(0)])
    pair.poses[:2] = [[0.5, 0.0, 0.0], [0.5, 0.0, math.pi / 2 * 0.5]]
    for k in range(2):
        pair.images[k], pair.depth[k] = view(pair.poses[k], 0)
    found = label(pair, np.array([0]), np.array([1]))
    assert 0.1 < float(found.overlap) < 0.7
    cells = found.cells[0].reshape(SIDE, SIDE, 4)
    assert (cells[:, -1] == SIDE**2).all(), "what is on the right is out of view after a turn to the left"
    np.testing.assert_allclose(found.pose[0].numpy(), relative(pair.poses[0], pair.poses[1]), atol=1e-6)


def test_other_worlds_show_nothing_of_each_other(views: Views) -> None:
    found = label(views, np.array([0]), np.array([16]))
    assert float(found.overlap) == 0.0 and float(found.same) == 0.0


def test_cells_are_points_on_the_floor_plan_and_columns_what_a_laser_sees(views: Views) -> None:
    views.poses[0] = [0.5, 0.0, 0.0]
    views.images[0], views.depth[0] = view(views.poses[0], 0)
    polar, known = plan_of(views, np.array([0]))
    middle = polar[0].reshape(SIDE, SIDE, 2)[1]
    wall = middle[:, 0].exp() * middle[:, 1].cos()
    np.testing.assert_allclose(wall.numpy(), 2.5, atol=0.06)
    assert middle[0, 1] > 0 > middle[-1, 1] and known.all()
    np.testing.assert_allclose(columns_of(views, np.array([0]))[0], middle[:, 0].exp().numpy(), rtol=0.06)


def test_a_narrow_camera_sees_the_middle_of_a_picture_and_black_around_it() -> None:
    image = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    (small,) = framed(image, np.array([[0.5, 0.25]]))
    assert (small[..., 0] > 0).sum() == SIZE // 2 * SIZE // 4 and small[SIZE // 2, SIZE // 4].min() == 200
    assert small[SIZE // 4].max() == 0 and (framed(image, np.ones((1, 2))) == image).all()


def test_cells_in_the_frame_of_a_narrow_camera_are_not_learned_from(views: Views) -> None:
    rows = np.arange(8)
    narrow = replace(views, frames=np.tile([1.0, 0.5], (len(views), 1)))
    seen = photographed(narrow, rows, np.random.default_rng(3))
    black = seen.images.reshape(8, SIDE, 8, SIDE, 8, 3).max((2, 4, 5)).reshape(8, -1) == 0
    known = label(seen, rows, rows).weights.sum(-1).numpy() > 0
    assert black.any() and not (known & black).any() and known.any()
    whole = photographed(views, rows, np.random.default_rng(3))
    assert (label(whole, rows, rows).weights.sum(-1) > 0).all()


def test_a_narrow_camera_shows_in_all_of_its_picture_what_a_wide_one_shows_in_the_middle(views: Views) -> None:
    """Its cells lie closer together, so that what is off the axis moves by more of them."""
    both = views.of(np.array([0, 0]))
    both.halves[1] /= 2
    found = label(both, np.array([0]), np.array([1]))
    cells, known = found.cells[0].gather(-1, found.weights[0].argmax(-1, keepdim=True))[:, 0], found.weights[0].sum(-1)
    inside = [SIDE + 1, SIDE + 2, 2 * SIDE + 1, 2 * SIDE + 2]  # the middle four of the wide one
    assert set(np.flatnonzero((cells < SIDE**2) & (known > 0))) <= set(inside)
    narrow, _ = plan_of(both, np.array([1]))
    wide, _ = plan_of(both, np.array([0]))
    assert narrow[0, 0, 1] < wide[0, 0, 1], "to the left by a smaller angle"


def test_what_is_said_of_a_camera_errs_and_is_missing_now_and_then(views: Views) -> None:
    told, bearings = rays_of(joined([views, views, views]), np.random.default_rng(0))
    heights = told[:, 3, 0, 0].numpy() / 2
    assert 0 < (heights == 0).mean() < 0.3 and heights[heights > 0].std() > 0.003
    assert heights[heights > 0].mean() == pytest.approx(0.3, abs=0.01) and (bearings[:, 0] > 0).all()


def test_views_come_back_from_a_file(views: Views, tmp_path: Path) -> None:
    save_views(tmp_path / "1.npz", views)
    again = load_views(tmp_path / "1.npz")
    np.testing.assert_array_equal(again.images, views.images)
    assert again.tangent == views.tangent and len(again.of_worlds(1)) == 16
    again.frames[3:5] = 1.0, 0.7
    assert len(again.of_cameras(narrow=True)) == 2 and len(again.of_cameras(narrow=False)) == 30
    (tmp_path / "1.npz").write_bytes(b"no views")
    with pytest.raises(AmiError, match="holds no views"):
        load_views(tmp_path / "1.npz")


def test_now_and_then_all_groups_of_a_step_are_of_one_robot(views: Views) -> None:
    """Rooms of one building are the hardest to tell apart."""
    steps = [draw(views, np.random.default_rng(seed), 8, 64) for seed in range(40)]
    assert 5 < sum(len(np.unique(views.robot[step.rows])) == 1 for step in steps) < 25


def test_pairs_are_of_all_kinds(views: Views) -> None:
    batch = draw(views, np.random.default_rng(0), 8, 64)
    first, second = batch.rows[batch.first], batch.rows[batch.second]
    same_group, same_robot = views.group[first] == views.group[second], views.robot[first] == views.robot[second]
    assert same_group[:32].all() and same_robot[:48].all() and not same_robot.all()


def test_learning_lowers_the_loss_and_repeats_itself(views: Views) -> None:
    def learned() -> list[float]:
        torch.manual_seed(0)
        head, losses = (
            torch_layers.network(PairHead, SPEC),
            list[float](),
        )
        fit_pairs(head, views, PairConfig(steps=45, groups=4, pairs=16), lambda done, loss: losses.append(loss))
        return losses

    losses = learned()
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert learned()[:3] == pytest.approx(losses[:3], rel=1e-4)


def test_what_is_said_is_calibrated_on_pairs_that_were_not_learned_from(views: Views) -> None:
    torch.manual_seed(0)
    head = torch_layers.network(PairHead, SPEC)
    fit_pairs(head, views, PairConfig(steps=5, groups=4, pairs=16), lambda done, loss: None)
    found = judge_pairs(head, views, 2, 0)
    calibrate(head, found, found)
    figures = quality(head, judge_pairs(head, views, 2, 0))
    assert figures.pairs == len(found.logit) and figures.accepted_unrelated <= 0.02


def test_the_threshold_lets_two_of_a_thousand_unrelated_pairs_pass() -> None:
    rng, count = np.random.default_rng(0), 4000
    sees = rng.random(count) < 0.5
    logit = np.where(sees, rng.normal(3, 1, count), rng.normal(-1, 1, count)).astype(np.float32)
    pose = np.zeros((count, 3))
    truth = np.where(sees[:, None], pose, [5.0, 0, 0])
    overlap, error = sees.astype(np.float32), np.full(count, 0.1, np.float32)
    head = torch_layers.network(PairHead, SPEC).requires_grad_(False)
    judged = Judged(pose, truth, overlap, logit, error, sees.astype(np.float32))
    calibrate(head, judged, replace(judged, logit=logit - 1))
    probability = 1 / (1 + np.exp(-logit / float(head.calibration[0])))
    assert (probability[~sees] >= head.threshold).mean() == pytest.approx(0.002, abs=0.001)
    assert (probability[sees] >= head.threshold).mean() > 0.7
    whole, head.window = head.threshold, Window(0.0, 0.0, 0.0, 0.0)
    assert (1 / (1 + np.exp(-(logit[~sees] - 1) / float(head.calibration[0]))) >= head.threshold).mean() < 0.003
    head.window, narrow = Window.square(0.8 * head.full), head.threshold
    assert narrow < head.threshold < whole, "between them, the more of the picture it sees the less"
