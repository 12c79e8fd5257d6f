"""The objective: every term is there, and its weight decides what it teaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.core.geometry import relative
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.objective import (
    LossWeights,
    info_nce,
    losses,
    pose_loss,
    relative_poses,
    rollout_loss,
    vicreg,
)
from ami_ros.world_model.learning.windows import Batch, WindowConfig, WindowSampler
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

TERMS = [f.name for f in fields(LossWeights)]
EQUAL = LossWeights(**dict.fromkeys(TERMS, 1.0))


@pytest.fixture(scope="module")
def batch(dataset: Dataset, spec: ModelSpec) -> Batch:
    return WindowSampler(dataset, spec, WindowConfig(starts=4)).batch(np.random.default_rng(0), 6)


@pytest.fixture
def model(spec: ModelSpec) -> WorldModel:
    torch.manual_seed(0)
    model = WorldModel(spec).train()
    for parameter in model.predictor.parameters():  # zeros at first, which let no gradient through
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def evaluate(model: WorldModel, batch: Batch, weights: LossWeights) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The terms, and the gradient of their sum by parameter."""
    terms = losses(model, batch, weights)
    model.zero_grad()
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    gradients = {n: p.grad.clone() if p.grad is not None else torch.zeros_like(p) for n, p in model.named_parameters()}
    return {name: float(value.detach()) for name, value in terms.items()}, gradients


def test_all_terms_are_there_and_finite(model: WorldModel, batch: Batch) -> None:
    terms, gradients = evaluate(model, batch, EQUAL)
    assert set(terms) == set(TERMS)
    assert all(np.isfinite(v) and v > 0 for v in terms.values())
    assert all(g.isfinite().all() and (g != 0).any() for g in gradients.values())


def test_windows_are_rolled_out_as_the_planner_does(batch: Batch, spec: ModelSpec) -> None:
    torch.manual_seed(0)
    model = WorldModel(spec).train()
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    size = batch.commands.shape[1]
    with torch.no_grad():
        latents = model.encode(batch.sensors).view(-1, size, spec.latent_dim)
        # Terms from the windows' starts alone, computed by the planner's way.
        steps = batch.commands.shape[0]
        errors = [
            (model.rollout(latents[i], batch.commands[i:].transpose(0, 1), batch.previous[i])[0].transpose(0, 1)
             - latents[i + 1 : steps + 1]).square().mean((1, 2))
            for i in range(steps)
        ]  # fmt: skip
    terms, _ = evaluate(model, batch, replace(LossWeights(**dict.fromkeys(TERMS, 0.0)), prediction=1.0))
    assert terms["prediction"] == pytest.approx(float(torch.cat(errors).mean()), rel=1e-3)


@pytest.mark.parametrize("term", TERMS)
def test_a_weight_of_zero_removes_a_term_and_any_other_scales_it(model: WorldModel, batch: Batch, term: str) -> None:
    terms, gradients = evaluate(model, batch, EQUAL)
    without, without_gradients = evaluate(model, batch, replace(EQUAL, **{term: 0.0}))
    assert set(without) == set(TERMS) - {term}
    assert any(not torch.allclose(gradients[n], without_gradients[n], rtol=1e-4, atol=1e-7) for n in gradients)
    double, _ = evaluate(model, batch, replace(EQUAL, **{term: 2.0}))
    assert double[term] == pytest.approx(2 * terms[term], rel=1e-4)
    assert {n: v for n, v in double.items() if n != term} == pytest.approx(without, rel=1e-4)


HEADS = {
    "prediction": {"encoder", "predictor"},
    "vicreg": {"encoder"},
    "inverse_dynamics": {"encoder", "inverse_dynamics"},
    "relative_pose": {"encoder", "relative_pose"},
    "imagined_pose": {"encoder", "predictor", "relative_pose"},
    "contrast": {"encoder", "contrast"},
    "motion": {"motion"},
    "goal": {"encoder", "goal_head"},
}


@pytest.mark.parametrize("term", TERMS)
def test_each_term_teaches_the_parts_that_it_is_meant_for(model: WorldModel, batch: Batch, term: str) -> None:
    weights = replace(LossWeights(**dict.fromkeys(TERMS, 0.0)), **{term: 1.0})
    _, gradients = evaluate(model, batch, weights)
    assert {name.partition(".")[0] for name, g in gradients.items() if (g != 0).any()} == HEADS[term]


def test_reading_out_goals_leaves_the_fused_latent_alone(model: WorldModel, batch: Batch) -> None:
    _, gradients = evaluate(model, batch, replace(LossWeights(**dict.fromkeys(TERMS, 0.0)), goal=1.0))
    assert all((g == 0).all() for n, g in gradients.items() if n.startswith("encoder.join"))


def test_prediction_is_free_of_error_when_nothing_moves_and_the_predictor_expects_so(
    batch: Batch, spec: ModelSpec
) -> None:
    """All frames of a window alike, and a predictor that is the identity, as it is made."""
    assert batch.sensors.image is not None
    size = batch.commands.shape[1]
    still = batch.sensors.image[:size].repeat(len(batch.sensors.image) // size, 1, 1, 1)
    terms, _ = evaluate(
        WorldModel(spec).train(), batch._replace(sensors=batch.sensors._replace(image=still)), LossWeights()
    )
    assert terms["prediction"] < 1e-8


def test_a_blind_model_has_no_goal_term(dataset: Dataset, spec: ModelSpec) -> None:
    blind = replace(spec, inputs=InputSpec(image_size=0, scan_beams=36))
    batch = WindowSampler(dataset, blind, WindowConfig(starts=4)).batch(np.random.default_rng(0), 6)
    terms, _ = evaluate(WorldModel(blind).train(), batch, EQUAL)
    assert set(terms) == set(TERMS) - {"goal"}


def test_without_far_frames_there_is_nothing_to_contrast(dataset: Dataset, spec: ModelSpec) -> None:
    sampler = WindowSampler(dataset, spec, WindowConfig(starts=4, far_frames=0))
    terms, _ = evaluate(WorldModel(spec).train(), sampler.batch(np.random.default_rng(0), 6), EQUAL)
    assert terms.get("contrast", 0.0) == 0.0 and np.isfinite(terms["imagined_pose"])


# The losses, each against what it must tell apart.


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
