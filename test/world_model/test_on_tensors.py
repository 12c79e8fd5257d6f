"""The torch model behind a model for arrays: it computes the same, adapted or not, and has gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.adaptation.weights import apply
from ami_ros.evaluation.true_dynamics import TrueDynamics
from ami_ros.share import share
from ami_ros.world_model.arrays import ArrayModel, Floats
from ami_ros.world_model.by_torch import ByTorch, on_arrays
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.inference_loading import load_inference
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.on_tensors import on_tensors
from ami_ros.world_model.spec import InputSpec, ModelSpec

SHIPPED = ["onboard", "general", "omnidirectional", "ackermann", "laser"]


def questions(model: Any, count: int = 6) -> tuple[Floats, Floats, Floats, Floats]:
    """Latents, others, commands that the robot can carry out, and those before."""
    spec, rng = model.spec, np.random.default_rng(0)
    latent, other = rng.normal(size=(2, count, spec.latent_dim)).astype(np.float32)
    most = np.array(spec.command_maxima, np.float32)
    commands = (most * rng.uniform(-1, 1, (count, 5, spec.chunk, spec.command_dim))).astype(np.float32)
    return latent, other, commands, commands[:, 0, 0]


def assert_same(model: ArrayModel, tensors: WorldModel) -> None:
    latent, other, commands, previous = questions(model)
    asked = [torch.from_numpy(values) for values in (latent, commands, previous)]
    for found, wanted in zip(tensors.rollout(*asked), model.rollout(latent, commands, previous), strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4)
    pose = tensors.relative_pose(torch.from_numpy(latent), torch.from_numpy(other))
    np.testing.assert_allclose(pose.numpy(), model.relative_pose(latent, other), atol=1e-4)


@pytest.mark.parametrize("name", SHIPPED)
def test_it_computes_what_the_arrays_compute(name: str) -> None:
    model = load_inference(share("models", name)).model
    tensors = on_tensors(model)
    assert tensors is not None and not tensors.training
    assert_same(model, tensors)


@pytest.mark.parametrize("place_pose", [False, True])
def test_many_latents_are_compared_with_one_either_way(place_pose: bool) -> None:
    """As costs ask: all the latents of imagined paths, and the goal's."""
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=9), latent_dim=6, encoder_width=16, place_pose=place_pose)
    tensors = WorldModel(spec).eval().requires_grad_(False)
    model, rng = on_arrays(tensors), np.random.default_rng(0)
    assert isinstance(model, InferenceModel)
    many, one = rng.normal(size=(5, 4, 6)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    for first, second in ((many, one), (one, many), (many, many[:, :1])):
        wanted = np.stack(
            [
                [model.relative_pose(a, b) for a, b in zip(*pair, strict=True)]
                for pair in zip(*np.broadcast_arrays(first, second), strict=True)
            ]
        )
        found = tensors.relative_pose(torch.from_numpy(first), torch.from_numpy(second))
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
        np.testing.assert_allclose(model.relative_pose(first, second), wanted, atol=1e-5)
        np.testing.assert_allclose(ByTorch(tensors).relative_pose(first, second), wanted, atol=1e-5)


def adapted(model: ArrayModel) -> ArrayModel:
    """A private copy, and the matrix that it drives by."""
    own = model.private_copy()
    apply({"drive": np.array([[0.7, 0.1], [-0.05, 1.2]])}, own, model)
    return own


def test_what_is_adapted_counts_in_both_whenever_it_is_adapted() -> None:
    trained = load_inference(share("models", "general")).model
    early, late = adapted(trained), trained.private_copy()
    before, after = on_tensors(early), on_tensors(late)
    assert before is not None and after is not None
    assert_same(early, before)
    latent, _, commands, previous = questions(trained)
    asked = [torch.from_numpy(values) for values in (latent, commands, previous)]
    as_trained = after.rollout(*asked)[1].numpy()
    np.testing.assert_allclose(as_trained, trained.rollout(latent, commands, previous)[1], atol=1e-4)
    apply({"drive": early.drive}, late, trained)
    assert_same(late, after)
    assert np.abs(after.rollout(*asked)[1].numpy() - as_trained).max() > 1e-2
    late.drive[:] = np.eye(2)
    np.testing.assert_array_equal(after.rollout(*asked)[1].numpy(), as_trained)


def test_gradients_flow_to_commands_and_latents_and_to_no_weights() -> None:
    model = load_inference(share("models", "general")).model
    tensors = on_tensors(model)
    assert tensors is not None
    latent, other, commands, previous = (torch.from_numpy(values) for values in questions(model))
    leaves = [latent.requires_grad_(), commands.requires_grad_()]
    latents, motions = tensors.rollout(latent, commands, previous)
    (motions.sum() + tensors.relative_pose(latents[:, -1], other).sum()).backward()  # type: ignore[no-untyped-call]
    assert all(leaf.grad is not None and (leaf.grad != 0).any() for leaf in leaves)
    assert not any(parameter.requires_grad for parameter in tensors.parameters())


def test_weights_that_files_have_in_half_precision_are_converted_once_for_both() -> None:
    """The arrays stay float32, and what they say does not change when somebody asks for tensors."""
    model = load_inference(share("models", "onboard")).model
    assert isinstance(model, InferenceModel)
    latent, _, commands, previous = questions(model)
    before = model.rollout(latent, commands, previous)
    tensors = on_tensors(model)
    assert tensors is not None and all(weights.dtype == torch.float32 for weights in tensors.parameters())
    for found, wanted in zip(model.rollout(latent, commands, previous), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_world_model_is_its_own_and_other_dynamics_have_none() -> None:
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=9), latent_dim=4, encoder_width=16, predictor_width=16)
    model = WorldModel(spec)
    assert on_tensors(model) is model and on_tensors(ByTorch(model)) is model
    assert on_tensors(TrueDynamics(spec)) is None
