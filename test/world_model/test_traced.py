"""A traced function says what it says untraced, whatever the shapes, and follows its module."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from ami_ros.adaptation.weights import apply
from ami_ros.share import share
from ami_ros.world_model.checkpoint import load_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.runtime import TracedDynamics
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.traced import Traced

SPEC = ModelSpec(InputSpec(image_size=32, scan_beams=9), latent_dim=16, predictor_width=32, head_width=32, ensemble=2)


def made() -> WorldModel:
    """A model to which commands matter."""
    torch.manual_seed(0)
    model = WorldModel(SPEC)
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.requires_grad_(False).eval()


def question(batch: int, steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Arguments of a rollout."""
    return torch.randn(batch, SPEC.latent_dim), torch.randn(batch, steps, SPEC.chunk, 2), torch.randn(batch, 2)


def test_only_the_first_shapes_are_traced_and_the_others_right_all_the_same() -> None:
    model, kept = made(), []

    def rollout(model: WorldModel, *asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kept.append(0)
        return model.rollout(*asked)

    traced = Traced(model, rollout)
    with torch.inference_mode():
        for steps, calls in ((3, 1), (3, 0), (2, 1), (2, 1), (3, 0)):
            before, asked = len(kept), question(4, steps)
            torch.testing.assert_close(traced(*asked)[0], model.rollout(*asked)[0])
            assert len(kept) == before + calls


@pytest.mark.parametrize("name", ["onboard", "ceiling", "general", "omnidirectional", "ackermann"])
def test_rollouts_of_shipped_models_are_the_same_traced(name: str) -> None:
    model = load_model(share("models", name)).model
    spec, traced = model.spec, TracedDynamics(model)
    for batch in (7, 1, 20):
        width = spec.command_dim
        asked = torch.randn(batch, spec.latent_dim), torch.rand(batch, 5, spec.chunk, width), torch.rand(batch, width)
        with torch.inference_mode():
            for found, wanted in zip(traced.rollout(*asked), model.rollout(*asked), strict=True):
                torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_rollouts_of_any_batch_and_length_are_those_of_the_model() -> None:
    model = made()
    traced = TracedDynamics(model)
    for batch, steps in ((4, 3), (1, 3), (9, 3), (4, 1), (4, 3), (2, 1)):
        asked = question(batch, steps)
        with torch.inference_mode():
            for found, wanted in zip(traced.rollout(*asked), model.rollout(*asked), strict=True):
                torch.testing.assert_close(found, wanted)


def test_what_is_adapted_counts_at_once() -> None:
    trained = made()
    model, asked = trained.private_copy(), question(5, 3)
    traced = TracedDynamics(model)
    before = traced.rollout(*asked)
    apply({"drive": np.array([[0.6, 0.1], [-0.1, 1.2]])}, model, trained)
    for found, wanted, old in zip(traced.rollout(*asked), model.rollout(*asked), before, strict=True):
        torch.testing.assert_close(found, wanted)
        assert torch.dist(found, old) > 0.1


def test_gradients_are_those_of_the_model() -> None:
    model, (latent, commands, previous) = made(), question(5, 3)
    found = []
    for dynamics in (TracedDynamics(model), model):
        leaf = commands.clone().requires_grad_()
        dynamics.rollout(latent, leaf, previous)[1].sum().backward()
        found.append(leaf.grad)
    assert found[0] is not None and found[0].abs().sum() > 0
    torch.testing.assert_close(found[0], found[1])


def test_threads_may_ask_at_once() -> None:
    model, asked = made(), [question(batch, 3)[:2] for batch in range(1, 13)]
    traced = Traced(model, lambda model, latent, commands: model.motion(latent, commands[:, 0], commands[:, 0, 0]))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: traced(*each), asked))
    for motions, (latent, commands) in zip(found, asked, strict=True):
        torch.testing.assert_close(motions, model.motion(latent, commands[:, 0], commands[:, 0, 0]))
