"""The objective: every term is there, and its weight decides what it teaches."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.objective import LossWeights, losses
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
