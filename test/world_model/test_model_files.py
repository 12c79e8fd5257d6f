"""Model folders: what is saved is loaded, and everything else is refused in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ami_ros.core.errors import AmiError
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import CONFIG, WEIGHTS, LoadedModel, WorldModel, load_model, save_model

SPEC = ModelSpec(
    InputSpec(image_size=0, scan_beams=36),
    latent_dim=8,
    encoder_width=32,
    predictor_width=16,
    head_width=16,
    contrast_dim=8,
)


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    model = WorldModel(SPEC)
    model.encode(Sensors(scan=8 * torch.rand(64, 36)))  # sets the running statistics
    return model


@pytest.fixture
def saved(tmp_path: Path, model: WorldModel) -> LoadedModel:
    return save_model(tmp_path / "model", "test", model)


def test_a_loaded_model_gives_the_same_latents_to_half_precision(model: WorldModel, saved: LoadedModel) -> None:
    scan = 8 * torch.rand(100, 36)
    before, after = model.eval().encode(Sensors(scan=scan)), saved.model.encode(Sensors(scan=scan))
    assert (before - after).abs().max() < 1e-2 * before.std()


def test_saving_what_was_loaded_changes_nothing(tmp_path: Path, saved: LoadedModel) -> None:
    again = save_model(tmp_path / "again", "test", saved.model)
    assert again.encoder_id == saved.encoder_id
    for a, b in zip(saved.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_loaded_model_is_in_evaluation_mode_and_cannot_be_trained_by_accident(saved: LoadedModel) -> None:
    assert not saved.model.training
    assert not any(p.requires_grad for p in saved.model.parameters())
    assert saved.model.spec == SPEC


def test_the_encoder_id_names_the_weights(tmp_path: Path, saved: LoadedModel) -> None:
    digest = hashlib.sha256((tmp_path / "model" / WEIGHTS).read_bytes()).hexdigest()
    assert saved.encoder_id == f"test@{digest[:12]}" and len(saved.sha256) == 64
    assert load_model(str(tmp_path / "model")).encoder_id == saved.encoder_id


def test_other_weights_have_another_id(tmp_path: Path, saved: LoadedModel) -> None:
    assert save_model(tmp_path / "b", "test", WorldModel(SPEC)).encoder_id != saved.encoder_id


def change_config(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = yaml.safe_load((folder / CONFIG).read_text())
        change(config)
        (folder / CONFIG).write_text(yaml.safe_dump(config))

    return apply


def replace_weights(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Other weights with their right hash: as a bad export, not a bad copy, would leave them."""

    def apply(folder: Path) -> None:
        weights = content((folder / WEIGHTS).read_bytes())
        (folder / WEIGHTS).write_bytes(weights)
        change_config(lambda c: c.update(sha256=hashlib.sha256(weights).hexdigest()))(folder)

    return apply


def write_config(content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / CONFIG).write_bytes(content)

    return apply


def cut_off(folder: Path) -> None:
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])


def renamed(content: bytes) -> bytes:
    tensors = load_tensors(content)
    tensors["predictor.exit.bias"] = tensors.pop("predictor.leave.bias")
    return save_tensors(tensors)


def reshaped(content: bytes) -> bytes:
    tensors = load_tensors(content)
    return save_tensors(tensors | {"predictor.leave.bias": tensors["predictor.leave.bias"][1:]})


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no weights": (lambda f: (f / WEIGHTS).unlink(), rf"{WEIGHTS} is missing"),
    "no configuration": (lambda f: (f / CONFIG).unlink(), rf"{CONFIG} is missing"),
    "truncated": (cut_off, "has hash"),
    "truncated, hash renewed": (replace_weights(lambda w: w[:-100]), "no file of weights"),
    "no tensors at all": (replace_weights(lambda w: b"garbage"), "no file of weights"),
    "empty": (replace_weights(lambda w: b""), "no file of weights"),
    "another version's names": (replace_weights(renamed), r"1 missing \(predictor\.leave\.bias\), 1 unknown \(pred"),
    "another version's shapes": (replace_weights(reshaped), r"1 of another shape \(predictor\.leave\.bias\)"),
    "another hash": (change_config(lambda c: c.update(sha256="0" * 64)), "has hash"),
    "hash is a number": (change_config(lambda c: c.update(sha256=5)), "has hash"),
    "another shape": (change_config(lambda c: c["spec"].update(latent_dim=16)), "do not fit.* of another shape"),
    "further tensors": (change_config(lambda c: c["spec"].update(predictor_blocks=1)), "do not fit.* unknown"),
    "unknown key": (change_config(lambda c: c["spec"].update(colour=1)), "unknown key 'colour'"),
    "wrong type": (change_config(lambda c: c["spec"].update(latent_dim="8")), "latent_dim: expected int"),
    "no input": (change_config(lambda c: c["spec"]["inputs"].update(scan_beams=0)), "at least one input"),
    "spec is a list": (change_config(lambda c: c.update(spec=[1])), "expected a mapping"),
    "of the future": (change_config(lambda c: c.update(format=99)), "format 99 is not .* update ami_ros"),
    "of the past": (change_config(lambda c: c.update(format=0)), "format 0 is not .* train it again"),
    "of no format": (change_config(lambda c: c.update(format="new")), "format 'new' is not"),
    "a key is missing": (change_config(lambda c: c.pop("sha256")), "not readable"),
    "configuration is a list": (write_config(b"[1, 2]"), "not readable"),
    "configuration is empty": (write_config(b""), "not readable"),
    "no YAML": (write_config(b"a: ["), "not readable"),
    "no text": (write_config(b"\xff\xfe\x00"), "not readable"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_is_not_what_was_saved_is_refused_in_one_line(
    tmp_path: Path, saved: LoadedModel, fault: str
) -> None:
    damage, message = FAULTS[fault]
    damage(tmp_path / "model")
    with pytest.raises(AmiError, match=message) as refused:
        load_model(tmp_path / "model")
    assert "\n" not in str(refused.value) and str(tmp_path / "model") in str(refused.value)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"config\.yaml is missing; give the folder"):
        load_model(tmp_path / "nowhere")


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"old")
    write_atomically(tmp_path / "file", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"new"


def test_latents_survive_as_float32(saved: LoadedModel) -> None:
    """Weights are stored in half precision but computed with in single precision."""
    assert {p.dtype for p in saved.model.parameters()} == {torch.float32}
    latent = saved.model.encode(Sensors(scan=torch.ones(1, 36))).numpy()
    assert latent.dtype == np.float32


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latent_dim", 10**12),
        ("latent_dim", 0),
        ("predictor_width", 10**7),
        ("head_width", -1),
        ("encoder_width", 10**9),
        ("chunk", 10**9),
        ("ensemble", 10**6),
        ("period", 0.0),
        ("period", float("inf")),
        ("max_linear", float("nan")),
        ("predictor_blocks", 10**6),
    ],
)
def test_a_size_that_no_memory_holds_is_refused_before_anything_is_made(
    saved: LoadedModel, tmp_path: Path, key: str, value: float
) -> None:
    file = tmp_path / "model" / CONFIG
    config = yaml.safe_load(file.read_text())
    config["spec"][key] = value
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(AmiError, match=key):
        load_model(tmp_path / "model")


def test_a_model_with_a_policy_head_is_who_it_was_and_loads_without_it(tmp_path: Path, saved: LoadedModel) -> None:
    """Models of earlier versions have the head in their weights, and keys that are gone in their file."""
    folder = tmp_path / "model"
    weights = load_tensors((folder / WEIGHTS).read_bytes()) | {"heads.policy.layers.0.weight": torch.zeros(2, 2)}
    (folder / WEIGHTS).write_bytes(save_tensors(weights))
    config = yaml.safe_load((folder / CONFIG).read_text())
    config["latents_sha256"] = config["sha256"]
    config["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    config["spec"] |= {"policy": True, "place_pose": False, "goal_encoder": False}
    config["spec"]["inputs"] |= {"still_camera": False, "heading": False}
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    again = load_model(folder)
    assert again.encoder_id == saved.encoder_id == load_inference(folder).encoder_id
    for name, value in saved.model.state_dict().items():
        assert value.equal(again.model.state_dict()[name])
    config["spec"]["inputs"]["still_camera"] = True
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    for load in (load_model, load_inference):
        with pytest.raises(AmiError, match="camera over the world") as refused:
            load(folder)
        assert "\n" not in str(refused.value)
