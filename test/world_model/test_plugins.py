"""Image encoders and predictors of other packages: trained, saved, loaded and searched with as our own are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from ami_ros.world_model.by_torch import ByTorch, on_arrays
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel, load_model, save_model
from harness.installed import installed

CODE = '''
"""An encoder that looks at a coarse picture, and a predictor that remembers the steps of a rollout."""

import torch
from torch import nn

from ami_ros.world_model.torch_model import Predictor


class Coarse(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, spec.encoder_width))

    def forward(self, image):
        return self.layers(image.float() / 255)


class Recurrent(Predictor):
    def __init__(self, spec):
        super().__init__(spec)
        self.cell = nn.GRUCell(spec.predictor_width, spec.predictor_width)

    def begin(self, latent):
        return torch.tanh(self.enter(latent))

    def conditions(self, chunk, previous):
        return [self._condition(chunk, previous)]

    def advance(self, latent, state, conditions):
        state = self.cell(conditions[0], state)
        return latent + self.leave(state), state
'''
ENTRIES = """
[ami_ros.encoders]
coarse = tiny_ami_model:Coarse

[ami_ros.predictors]
recurrent = tiny_ami_model:Recurrent
"""
SPEC = ModelSpec(
    InputSpec(image_size=16, scan_beams=0),
    latent_dim=8,
    encoder_width=16,
    predictor_width=24,
    head_width=24,
    contrast_dim=8,
    image_encoder="coarse",
    predictor="recurrent",
)


@pytest.fixture
def package(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path, "tiny_ami_model", CODE, ENTRIES):
        yield


def made() -> WorldModel:
    """A model to which commands matter."""
    torch.manual_seed(0)
    model = WorldModel(SPEC)
    torch.nn.init.normal_(model.predictor.leave.weight, std=0.3)
    return model.eval()


@pytest.mark.usefixtures("package")
def test_a_model_of_them_comes_back_from_its_folder(tmp_path: Path) -> None:
    saved = save_model(tmp_path / "model", "foreign", made()).model
    image = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    latent, commands = saved.encode(Sensors(image)), torch.rand(3, 4, 3, 2)
    again = load_model(tmp_path / "model").model
    assert torch.equal(again.encode(Sensors(image)), latent)
    assert torch.equal(*(m.rollout(latent, commands, torch.zeros(3, 2))[0] for m in (saved, again)))


@pytest.mark.usefixtures("package")
def test_a_predictor_may_remember_the_steps_of_a_rollout() -> None:
    model, latent, commands = made(), torch.randn(4, 8), torch.rand(4, 3, 3, 2)
    with torch.inference_mode():
        seen, _ = model.rollout(latent, commands, torch.zeros(4, 2))
        first, _ = model.step(latent, commands[:, 0], torch.zeros(4, 2))
        anew, _ = model.step(seen[:, 1], commands[:, 2], commands[:, 1, -1])
    torch.testing.assert_close(seen[:, 0], first)
    assert float((seen[:, 2] - anew).abs().max()) > 1e-2


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("solver", sorted(BUILT_IN))
def test_the_planner_searches_with_it(solver: str) -> None:
    goal = np.random.default_rng(0).normal(size=8).astype(np.float32)
    model = on_arrays(made().requires_grad_(False))
    assert isinstance(model, ByTorch)
    planner = LatentPlanner(model, PlannerConfig(deadline=60.0, solver=SolverConfig(solver)))
    plan = planner.plan(0.0, np.zeros(8, np.float32), (0.0, 0.0), None, Target(goal, None, True))
    assert np.isfinite(plan.cost) and np.abs(plan.commands).max() > 0


@pytest.mark.usefixtures("package")
def test_every_weight_of_theirs_learns() -> None:
    model = made().train()
    latent = model.encode(Sensors(torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)))
    model.rollout(latent, torch.rand(8, 4, 3, 2), torch.zeros(8, 2))[0].square().sum().backward()  # type: ignore[no-untyped-call]
    learned = [*model.predictor.parameters(), *model.encoder.parameters()]
    assert all(p.grad is not None and (p.grad != 0).any() for p in learned)


@pytest.mark.parametrize(
    ("encoder", "predictor", "message"),
    [
        ("convv", "mlp", "model: no 'convv' among the ami_ros.encoders; known are conv"),
        ("conv", "gruu", "model: no 'gruu' among the ami_ros.predictors; known are mlp"),
    ],
)
def test_a_name_that_nobody_has_is_refused_in_one_line(encoder: str, predictor: str, message: str) -> None:
    with pytest.raises(AmiError, match=message) as refused:
        WorldModel(replace(SPEC, image_encoder=encoder, predictor=predictor))
    assert "\n" not in str(refused.value)


def test_a_model_whose_package_is_missing_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    with installed(tmp_path, "tiny_ami_model", CODE, ENTRIES):
        save_model(tmp_path / "model", "foreign", made())
    with pytest.raises(AmiError, match="no 'coarse'"):
        load_model(tmp_path / "model")
