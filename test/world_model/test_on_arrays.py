"""A torch model, asked by arrays: once for all who ask, and following what is adapted."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.camera import CameraMount
from ami_ros.world_model.adaptation import apply
from ami_ros.world_model.latent_model import ByTorch, InferenceModel, on_arrays
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import LoadedModel, WorldModel, save_model
from harness.exact_model import ExactModel
from harness.model_answers import assert_alike

SPEC = ModelSpec(InputSpec(image_size=48, scan_beams=9), latent_dim=6, encoder_width=16, pair_size=48)
DRIVE = np.array([[0.8, 0.1], [-0.2, 1.1]], np.float32)
COLOURS = np.array([[0.9, 0.1], [1.2, 0.0], [1.0, -0.1]], np.float32)


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedModel:
    """A small model whose every layer says something."""
    torch.manual_seed(0)
    model = WorldModel(SPEC)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
    return save_model(tmp_path, "small", model)


def test_all_who_ask_share_one_object_that_does_without_torch(loaded: LoadedModel) -> None:
    found = on_arrays(loaded.model)
    assert isinstance(found, InferenceModel)
    assert on_arrays(loaded.model) is found and on_arrays(found) is found
    assert_alike(found, ByTorch(loaded.model))


def test_it_follows_what_is_adapted_in_the_torch_model_and_the_other_way_round(loaded: LoadedModel) -> None:
    own = loaded.model.private_copy()
    found, trained = on_arrays(own), on_arrays(loaded.model)
    assert found is not trained
    assert_alike(found, trained)
    apply({"drive": DRIVE, "colours": COLOURS}, own, loaded.model)
    np.testing.assert_array_equal(found.drive, DRIVE)
    np.testing.assert_array_equal(found.colours, COLOURS)
    assert_alike(found, ByTorch(own))
    assert_alike(trained, ByTorch(loaded.model))  # which stays as it was
    np.testing.assert_array_equal(trained.drive, np.eye(2))

    found.drive[:] = 2 * DRIVE
    assert torch.equal(own.drive, torch.from_numpy(2 * DRIVE)) and torch.equal(loaded.model.drive, torch.eye(2))


def test_it_follows_the_steps_of_an_optimizer(loaded: LoadedModel) -> None:
    own = loaded.model.private_copy()
    found = on_arrays(own)
    adapted = [own.drive.requires_grad_(), own.colours.requires_grad_()]
    optimizer = torch.optim.SGD(adapted, lr=0.1)
    sum(((values - 2.0) ** 2).sum() for values in adapted).backward()  # type: ignore[union-attr]
    optimizer.step()
    np.testing.assert_array_equal(found.drive, own.drive.detach().numpy())
    assert np.abs(found.drive - np.eye(2)).max() > 0.1
    assert on_arrays(own) is found


def test_a_private_copy_is_another_one_with_the_same_camera(loaded: LoadedModel) -> None:
    """Where the camera sits is told once, to the model of the process."""
    found, own = on_arrays(loaded.model), on_arrays(loaded.model.private_copy())
    assert found.pairs is not None and own.pairs is not None
    found.pairs.mount = CameraMount(z=0.3, pitch=0.1)
    assert own.pairs.mount == found.pairs.mount == CameraMount(z=0.3, pitch=0.1)
    mine = found.private_copy()
    mine.drive[:] = DRIVE
    np.testing.assert_array_equal(found.drive, np.eye(2))
    assert mine.pairs is found.pairs


def test_a_model_that_learns_is_asked_by_torch_until_it_has_learned(loaded: LoadedModel) -> None:
    model, before = loaded.model, on_arrays(loaded.model)
    latent = np.ones((1, SPEC.latent_dim), np.float32)
    model.requires_grad_(True)
    learning = on_arrays(model)
    assert isinstance(learning, ByTorch)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.05 * torch.randn_like(tensor))
    goal = np.zeros_like(latent)
    np.testing.assert_array_equal(learning.relative_pose(latent, goal), ByTorch(model).relative_pose(latent, goal))
    learned = on_arrays(model.requires_grad_(False))
    assert isinstance(learned, InferenceModel) and learned is not before
    assert_alike(learned, ByTorch(model))


def test_one_part_that_learns_is_enough(loaded: LoadedModel) -> None:
    next(loaded.model.motion.parameters()).requires_grad_(True)
    assert isinstance(on_arrays(loaded.model), ByTorch)


def test_a_model_that_computes_otherwise_is_asked_by_torch() -> None:
    assert isinstance(on_arrays(ExactModel()), ByTorch)


@pytest.mark.parametrize("learning", [False, True])
def test_it_keeps_no_model_alive(loaded: LoadedModel, learning: bool) -> None:
    model = loaded.model.private_copy().requires_grad_(learning)
    on_arrays(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
