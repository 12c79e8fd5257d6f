"""A search by ONNX Runtime finds what one by torch finds, whatever was adapted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.adaptation.weights import apply
from ami_ros.errors import AmiError
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.planning.solvers.registry import SolverConfig
from ami_ros.world_model.checkpoint import LoadedModel, save_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.onnx_dynamics import OnnxDynamics
from ami_ros.world_model.onnx_runtime import export_onnx
from ami_ros.world_model.spec import InputSpec, ModelSpec

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

SPEC = ModelSpec(InputSpec(image_size=0, scan_beams=36), latent_dim=16, predictor_width=32, head_width=32)
EXACT = 1e-4


def made(folder: Path, spec: ModelSpec = SPEC) -> LoadedModel:
    """A model to which commands matter."""
    torch.manual_seed(0)
    model = WorldModel(spec)
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return save_model(folder, "small", model)


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedModel:
    found = made(tmp_path)
    export_onnx(found, tmp_path / "onnx")
    return found


def question(batch: int, steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Arguments of a rollout."""
    return torch.randn(batch, SPEC.latent_dim), torch.randn(batch, steps, SPEC.chunk, 2), torch.randn(batch, 2)


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (5, 7), (64, 3)])
def test_rollouts_of_any_size_and_poses_are_the_models(
    tmp_path: Path, loaded: LoadedModel, batch: int, steps: int
) -> None:
    dynamics, asked = OnnxDynamics(loaded.model, loaded, tmp_path / "onnx"), question(batch, steps)
    with torch.inference_mode():
        found, wanted = dynamics.rollout(*asked), loaded.model.rollout(*asked)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, atol=EXACT, rtol=0)
        assert torch.dist(wanted[0][:, 0], asked[0]) > 0.1
        goal = torch.randn(SPEC.latent_dim).expand_as(wanted[0])
        poses = dynamics.relative_pose(wanted[0], goal), loaded.model.relative_pose(wanted[0], goal)
    torch.testing.assert_close(*poses, atol=EXACT, rtol=0)


def test_it_follows_what_is_adapted(tmp_path: Path, loaded: LoadedModel) -> None:
    model, asked = loaded.model.private_copy(), question(4, 3)
    dynamics = OnnxDynamics(model, loaded, tmp_path / "onnx")
    before = dynamics.rollout(*asked)
    apply({"drive": np.array([[0.6, 0.1], [-0.1, 1.2]])}, model, loaded.model)
    after = dynamics.rollout(*asked)
    for a, b, c in zip(after, model.rollout(*asked), before, strict=True):
        torch.testing.assert_close(a, b, atol=EXACT, rtol=1e-5)
        assert torch.dist(a, c) > 0.03


@pytest.mark.parametrize("solver", ["icem", "hybrid"])
def test_plans_are_the_same_within_rounding(tmp_path: Path, loaded: LoadedModel, solver: str) -> None:
    """Gradients are torch's own; what is sampled is by ONNX Runtime."""
    config = PlannerConfig(deadline=60.0, horizon=4, solver=SolverConfig(solver, samples=32))
    rng = np.random.default_rng(0)
    latent, goal = rng.normal(size=(2, SPEC.latent_dim)).astype(np.float32)
    dynamics = OnnxDynamics(loaded.model, loaded, tmp_path / "onnx")
    plans = [
        LatentPlanner(m, config).plan(0.0, latent, (0.1, 0.0), None, Target(goal, None, True))
        for m in (dynamics, loaded.model)
    ]
    np.testing.assert_allclose(plans[0].commands, plans[1].commands, atol=1e-2)
    assert plans[0].cost == pytest.approx(plans[1].cost, abs=EXACT)


def test_files_that_are_missing_and_a_missing_extra_are_named(
    tmp_path: Path, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx" / "predictor.onnx").unlink()
    with pytest.raises(AmiError, match=r"predictor\.onnx is missing: make them with \./ami export"):
        OnnxDynamics(loaded.model, loaded, tmp_path / "onnx")
    absent: Any = None
    monkeypatch.setitem(sys.modules, "onnxruntime", absent)
    with pytest.raises(AmiError, match=r"it is in the extra onnx"):
        OnnxDynamics(loaded.model, loaded, tmp_path / "onnx")
