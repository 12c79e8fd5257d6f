"""The losses, each against what it must tell apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.core.geometry import relative
from ami_ros.world_model.learning.objective import info_nce, pose_loss, relative_poses, rollout_loss, vicreg

ROWS, DIM = 512, 16


@pytest.fixture
def normal() -> Tensor:
    return torch.randn(ROWS, DIM, generator=torch.Generator().manual_seed(0))


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "collapsed to a point": lambda z: torch.zeros_like(z),
    "collapsed to a line": lambda z: z[:, :1].expand(-1, DIM),
    "half of the dimensions unused": lambda z: z * (torch.arange(DIM) < DIM // 2),
    "not isotropic": lambda z: z * torch.linspace(0.1, 2.5, DIM),
    "not centred": lambda z: z + 1.0,
    "too wide": lambda z: 3.0 * z,
    "two clusters": lambda z: 0.2 * z + z[:, :1].sign(),
}


def test_vicreg_is_small_for_wide_independent_numbers_whatever_their_mean(normal: Tensor) -> None:
    assert vicreg(normal) < 0.05
    torch.testing.assert_close(vicreg(normal + 5.0), vicreg(normal), atol=1e-5, rtol=0)
    assert vicreg(2 * normal) < 0.1  # wider than needed costs nothing but its covariances


@pytest.mark.parametrize("fault", ["collapsed to a point", "collapsed to a line", "half of the dimensions unused"])
def test_vicreg_is_large_for_latents_that_are(normal: Tensor, fault: str) -> None:
    assert vicreg(FAULTS[fault](normal)) > 0.4


def test_the_covariances_of_vicreg_weigh_what_they_are_given(normal: Tensor) -> None:
    line = normal[:, :1].expand(-1, DIM) / normal[:, :1].std()
    torch.testing.assert_close(vicreg(line, 0.5) - vicreg(line, 0.0), torch.tensor(0.5 * (DIM - 1)))


def test_rollout_loss_is_the_mean_over_what_lies_inside_the_window() -> None:
    predicted, latents = torch.randn(3, 3, 4, 5), torch.randn(3, 3, 4, 5)
    valid = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
    loss = rollout_loss(predicted, latents, valid)
    beyond = predicted.clone()
    beyond[~valid] = 1e3
    torch.testing.assert_close(rollout_loss(beyond, latents, valid), loss)
    torch.testing.assert_close(loss, (predicted - latents)[valid].square().mean())


def test_gradients_of_the_rollout_loss_reach_both_sides_but_not_beyond_the_window() -> None:
    predicted, latents = torch.randn(2, 2, 3, 4).requires_grad_(), torch.randn(2, 2, 3, 4).requires_grad_()
    valid = torch.tensor([[True, True], [True, False]])
    rollout_loss(predicted, latents, valid).backward()  # type: ignore[no-untyped-call]
    for side in (predicted, latents):
        assert side.grad is not None
        assert (side.grad[valid] != 0).all() and (side.grad[~valid] == 0).all()


def test_pose_loss_is_zero_for_the_right_pose_and_blind_to_full_turns() -> None:
    pose = torch.tensor([[1.0, -2.0, 0.7], [0.3, 0.1, -3.0]])
    right = torch.stack([pose[:, 0], pose[:, 1], pose[:, 2].cos(), pose[:, 2].sin()], -1)
    turned = pose + torch.tensor([0.0, 0.0, 2 * math.pi])
    torch.testing.assert_close(pose_loss(right, turned), torch.tensor(0.0), atol=1e-9, rtol=0)
    for change in torch.eye(4):
        assert pose_loss(right + 0.1 * change, pose) > 1e-3


def test_pose_loss_draws_what_cannot_be_told_apart_to_the_middle_and_not_nearer() -> None:
    far = torch.linspace(0.5, 1.5, 101)
    targets = torch.stack([far, torch.zeros(101), torch.zeros(101)], -1)
    seen = torch.tensor([0.2, 0.0, 1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.Adam([seen], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        pose_loss(seen.expand(101, 4), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert seen[0].item() == pytest.approx(1.0, abs=0.03)


def test_relative_poses_are_those_of_geometry() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    found = relative_poses(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(found, relative(first, second), atol=1e-12)


def test_info_nce_is_small_only_where_every_row_finds_its_own_key() -> None:
    keys = torch.eye(8)
    assert info_nce(keys, keys, 0.1) < 1e-2
    assert info_nce(keys.roll(1, 0), keys, 0.1) > 5.0
    torch.testing.assert_close(info_nce(torch.zeros(8, 8), keys, 0.1), torch.tensor(math.log(8)))
