"""The same dynamics in bf16: nearly the same numbers, of the model as it is now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.adaptation.weights import apply
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.runtime import FEW, HalfDynamics, cpu_has_bf16
from ami_ros.world_model.spec import InputSpec, ModelSpec

SPEC = ModelSpec(InputSpec(image_size=0, scan_beams=36), latent_dim=16, predictor_width=32, head_width=32)
ROUNDING = 0.03  # of sums of some ten numbers about 1, rounded to 8 bits


def made(spec: ModelSpec = SPEC) -> WorldModel:
    """A model to which commands matter."""
    torch.manual_seed(0)
    model = WorldModel(spec)
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.requires_grad_(False)


def question(batch: int, steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Arguments of a rollout."""
    return torch.randn(batch, SPEC.latent_dim), torch.randn(batch, steps, SPEC.chunk, 2), torch.randn(batch, 2)


def test_numbers_are_those_of_the_model_but_for_rounding() -> None:
    model, asked = made(), question(FEW, 5)
    half = HalfDynamics(model)
    goal = torch.randn(SPEC.latent_dim).expand(FEW, 5, -1)
    for found, wanted in (
        *zip(half.rollout(*asked), model.rollout(*asked), strict=True),
        (half.relative_pose(goal, goal), model.relative_pose(goal, goal)),
    ):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=ROUNDING)
        assert not torch.equal(found, wanted)
    assert model.predictor.leave.weight.dtype == torch.float32


def test_few_are_exact_as_the_sighting_of_a_goal_has_to_be() -> None:
    model, asked = made(), question(3, 4)
    half = HalfDynamics(model)
    first, second = torch.randn(2, FEW - 1, SPEC.latent_dim)
    assert torch.equal(half.relative_pose(first, second), model.relative_pose(first, second))
    assert all(torch.equal(a, b) for a, b in zip(half.rollout(*asked), model.rollout(*asked), strict=True))


def test_single_steps_and_other_lengths_are_right_after_the_first_was_traced() -> None:
    model = made()
    half = HalfDynamics(model)
    for batch, steps in ((FEW, 4), (1, 1), (FEW, 2), (5, 1), (FEW, 4)):
        asked = question(batch, steps)
        for found, wanted in zip(half.rollout(*asked), model.rollout(*asked), strict=True):
            torch.testing.assert_close(found, wanted, atol=ROUNDING, rtol=ROUNDING)


def test_it_follows_what_is_adapted() -> None:
    trained, asked = made(), question(FEW, 3)
    model = trained.private_copy()
    half = HalfDynamics(model)
    before = half.rollout(*asked)
    apply({"drive": np.array([[0.6, 0.1], [-0.1, 1.2]])}, model, trained)
    for a, b, c in zip(half.rollout(*asked), model.rollout(*asked), before, strict=True):
        torch.testing.assert_close(a, b, atol=3 * ROUNDING, rtol=ROUNDING)
        assert torch.dist(a, c) > 0.1


def test_gradients_are_those_of_the_model() -> None:
    model, (latent, commands, previous) = made(), question(FEW, 3)
    found = []
    for dynamics in (HalfDynamics(model), model):
        leaf = commands.clone().requires_grad_()
        latents, motions = dynamics.rollout(latent, leaf, previous)
        pose = dynamics.relative_pose(latents, torch.zeros_like(latents))
        (pose.sum() + motions.sum()).backward()
        found.append(leaf.grad)
    torch.testing.assert_close(found[0], found[1], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("line", "has"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16 fma", True),
        ("flags\t\t: fpu avx2 amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx2", False),
        ("model name\t: a bf16 one", False),
    ],
)
def test_the_kernel_tells_what_the_cpu_has(tmp_path: Path, line: str, has: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")
    assert cpu_has_bf16(tmp_path / "cpuinfo") == has
    assert not cpu_has_bf16(tmp_path / "none")
