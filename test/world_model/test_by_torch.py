"""A torch model, asked by arrays: once for all who ask, and following what is adapted."""

from __future__ import annotations

import gc
import math
import weakref
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.world_model.adaptation import apply
from ami_ros.world_model.by_torch import ByTorch, on_arrays
from ami_ros.world_model.latent_model import InferenceModel, load_inference
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import LoadedModel, WorldModel, load_model, save_model
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


# Without torch a model says what it says with it.


SMALL = ModelSpec(InputSpec(image_size=32, scan_beams=9), latent_dim=6, encoder_width=16, ensemble=2)


@pytest.mark.parametrize("name", ["onboard", "general", "omnidirectional", "ackermann"])
def test_shipped_model_says_the_same_without_torch(name: str) -> None:
    folder = share("models", name)
    loaded, found = load_model(folder), load_inference(folder)
    assert (found.encoder_id, found.sha256) == (loaded.encoder_id, loaded.sha256)
    assert found.model.count_parameters() == loaded.model.count_parameters()
    assert_alike(found.model, ByTorch(loaded.model))


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        ModelSpec(InputSpec(image_size=0, scan_beams=11), latent_dim=4, encoder_width=16, predictor_blocks=1),
        ModelSpec(InputSpec(image_size=48, scan_beams=0), latent_dim=4, encoder_width=16, pair_size=48, chunk=1),
    ],
)
def test_other_shapes_do_too(spec: ModelSpec, tmp_path: Path) -> None:
    model = WorldModel(spec)
    with torch.no_grad():  # what begins as zeros says nothing
        for tensor in model.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
    loaded = save_model(tmp_path, "small", model)
    assert_alike(load_inference(tmp_path).model, ByTorch(loaded.model))


def test_what_a_narrow_camera_sees_is_encoded_the_same_without_torch(tmp_path: Path) -> None:
    inputs = InputSpec(image_size=48, scan_beams=0, field_of_view=1.6)
    loaded = save_model(tmp_path, "small", WorldModel(ModelSpec(inputs, latent_dim=4, encoder_width=16, pair_size=48)))
    picture = np.random.default_rng(0).integers(0, 255, (1, 3, 48, 48), np.uint8)
    codes = []
    for pairs in (load_inference(tmp_path).model.pairs, ByTorch(loaded.model).pairs):
        assert pairs is not None
        whole, pairs.window = pairs.code(picture), Window(-0.5, -0.3, 0.4, 0.3)
        pairs.mount = CameraMount(z=0.2, pitch=0.1)
        assert pairs.share == pytest.approx(0.5 / math.tan(0.8))
        codes.append((whole, pairs.code(picture), pairs.threshold))
    (whole, narrow, threshold), (_, by_torch, same) = codes
    np.testing.assert_allclose(narrow, by_torch, atol=1e-4)
    assert narrow.shape == whole.shape and np.abs(narrow - whole).max() > 0.1 and threshold == pytest.approx(same)


def test_adapted_model_drives_and_sees_the_same_without_torch(tmp_path: Path) -> None:
    loaded = save_model(tmp_path, "small", WorldModel(SMALL))
    weights = {"drive": np.array([[0.8, 0.1], [-0.2, 1.1]]), "colours": np.array([[0.9, 0.1], [1.2, 0.0], [1.0, -0.1]])}
    trained = load_inference(tmp_path).model
    own, by_torch = trained.private_copy(), loaded.model.private_copy()
    apply(weights, own, trained)
    apply(weights, by_torch, loaded.model)
    assert_alike(own, ByTorch(by_torch))
    assert_alike(trained, ByTorch(loaded.model))  # which stays as it was


@pytest.mark.parametrize("lost", ["motion.layers.0.bias", "encoder.join.0.weight", "heads.ensemble.calibration"])
def test_weights_of_another_version_are_refused(lost: str, tmp_path: Path) -> None:
    save_model(tmp_path, "small", WorldModel(SMALL))
    file, config = tmp_path / "weights.safetensors", tmp_path / "config.yaml"
    before = file.read_bytes()
    weights = load_arrays(before)
    weights["old." + lost] = weights.pop(lost)
    file.write_bytes(save_arrays(weights))
    digests = [sha256(content).hexdigest() for content in (before, file.read_bytes())]
    config.write_text(config.read_text().replace(digests[0], digests[1]))
    with pytest.raises(AmiError, match=r"the weights do not fit config\.yaml"):
        load_inference(tmp_path)
