"""Features of networks from local files: which, of what, and what is refused. Small networks with random weights."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from ami_ros.app.train_data import prepare_features
from ami_ros.errors import AmiError
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.feature_cache import cached_features
from ami_ros.learning.joined import Joined
from ami_ros.learning.objective import LossWeights, losses
from ami_ros.learning.selection import Selection
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model import frozen_network
from ami_ros.world_model.checkpoint import load_model, save_model
from ami_ros.world_model.encoder import Sensors
from ami_ros.world_model.frozen_network import identified, open_network
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.onnx_runtime import export_onnx
from ami_ros.world_model.spec import FrozenSpec, InputSpec, ModelSpec
from harness.recorded import record

timm = pytest.importorskip("timm", reason="needs the extra frozen")
transformers = pytest.importorskip("transformers", reason="needs the extra frozen")

ARCHITECTURE = "test_vit"


def weights_of_timm(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    network = timm.create_model(ARCHITECTURE, pretrained=False)
    save_file(network.state_dict(), folder / f"weights_{seed}.safetensors")
    return folder / f"weights_{seed}.safetensors"


def weights_of_transformers(folder: Path, kind: str) -> Path:
    torch.manual_seed(0)
    small: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}
    network: Any
    if kind == "vjepa2":
        size = {"crop_size": 32, "frames_per_clip": 2, "tubelet_size": 2}
        predictor = {"pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
        network = transformers.VJEPA2Model(transformers.VJEPA2Config(**small, **size, **predictor))
    else:
        network = transformers.Dinov2Model(transformers.Dinov2Config(**small, image_size=32))
    network.save_pretrained(folder / kind)
    return folder / kind


def spec_of(weights: Path, **changes: Any) -> ModelSpec:
    frozen = FrozenSpec(weights=str(weights), architecture=ARCHITECTURE, size=64, **changes)
    return ModelSpec(
        InputSpec(image_size=16, scan_beams=0), image_encoder="frozen", frozen=frozen, latent_dim=8, encoder_width=16,
        predictor_width=16, head_width=16, contrast_dim=8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights_of_timm(tmp_path_factory.mktemp("weights"), 0)


@pytest.fixture(scope="module")
def spec(weights: Path) -> ModelSpec:
    return identified(spec_of(weights))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    from ami_ros.learning.extract import extract

    folder = tmp_path_factory.mktemp("recorded")
    return extract([record(folder / f"run_{seed}", seed, False) for seed in range(2)], folder / "data")


def pictures(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_features_are_those_of_the_network_by_parts_of_the_picture(weights: Path, spec: ModelSpec) -> None:
    features = open_network(spec.frozen)(pictures())
    dim = timm.create_model(ARCHITECTURE).num_features
    assert features.shape == (3, spec.frozen.width) == (3, 5 * dim) and features.isfinite().all()
    finer = identified(spec_of(weights, grid=4)).frozen
    assert finer.width == 17 * dim and finer.sha256 == spec.frozen.sha256
    fine = open_network(finer)(pictures())
    torch.testing.assert_close(fine[:, :dim], features[:, :dim])  # the first token is the same
    quarter = fine[:, dim:].view(3, dim, 4, 4)[..., :2, :2].mean((2, 3))
    torch.testing.assert_close(quarter, features[:, dim:].view(3, dim, 2, 2)[..., 0, 0], rtol=1e-4, atol=1e-4)
    other = open_network(replace(spec.frozen, size=128))(pictures())
    assert not torch.allclose(other, features, atol=1e-2)


@pytest.mark.parametrize("kind", ["dinov2", "vjepa2"])
def test_folders_of_transformers_are_read(tmp_path: Path, kind: str) -> None:
    folder = weights_of_transformers(tmp_path, kind)
    frozen = identified(replace(spec_of(folder), frozen=FrozenSpec(weights=str(folder), size=32))).frozen
    features = open_network(frozen)(pictures())
    assert features.shape == (3, 5 * 24) and not torch.allclose(features[0], features[1])
    if kind == "vjepa2":
        with pytest.raises(AmiError, match="takes pictures of 32 px"):
            open_network(replace(frozen, size=64))


def test_only_the_projection_is_trained_and_saved(tmp_path: Path, spec: ModelSpec) -> None:
    model = WorldModel(spec)
    assert {n.split(".")[2] for n in model.encoder.state_dict(prefix="encoder.") if "image" in n} == {"projection"}
    model.encode(Sensors(image=pictures(16)))
    before = model.eval().encode(Sensors(image=pictures()))
    loaded = save_model(tmp_path / "model", "frozen", model)
    torch.testing.assert_close(loaded.model.encode(Sensors(image=pictures())), before, atol=2e-2, rtol=0)
    features = open_network(spec.frozen)(pictures())
    torch.testing.assert_close(loaded.model.encode(Sensors(image=features)), before, atol=2e-2, rtol=0)
    with pytest.raises(AmiError, match="ONNX is for image_encoder conv"):
        export_onnx(loaded, tmp_path / "onnx")


def test_a_model_refuses_other_weights_and_finds_its_own_beside_it(tmp_path: Path) -> None:
    file = weights_of_timm(tmp_path, 1)
    save_model(tmp_path / "model", "frozen", WorldModel(identified(spec_of(file))))
    content = file.read_bytes()
    file.write_bytes(weights_of_timm(tmp_path, 2).read_bytes())
    with pytest.raises(AmiError, match=r"weights_1\.safetensors has hash \w+, the model needs") as refused:
        load_model(tmp_path / "model")
    assert "\n" not in str(refused.value)
    file.unlink()
    with pytest.raises(AmiError, match=r"there is no .*weights_1\.safetensors"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / file.name).write_bytes(content)
    load_model(tmp_path / "model")


def test_what_is_no_such_network_is_refused_in_one_line(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"")
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 100)
    faults = {
        "is no .safetensors": spec_of(tmp_path / "weights.pt"),
        "is no vision transformer test_vit": spec_of(tmp_path / "broken.safetensors"),
        "is no vision transformer test_vit2": replace(
            spec_of(weights), frozen=FrozenSpec(weights=str(weights), architecture="test_vit2", size=64)
        ),
        "must be a multiple of": replace(
            spec_of(weights), frozen=FrozenSpec(weights=str(weights), architecture=ARCHITECTURE, size=50)
        ),
    }
    for message, spec in faults.items():
        with pytest.raises(AmiError, match=message) as refused:
            identified(spec)
        assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=r"needs frozen\.weights"):
        ModelSpec(image_encoder="frozen")
    with pytest.raises(ValueError, match="no still_camera"):
        replace(spec_of(weights), inputs=InputSpec(image_size=16, still_camera=True))
    with pytest.raises(ValueError, match="not known yet"):
        WorldModel(spec_of(weights))


def test_without_the_extra_there_is_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, spec: ModelSpec) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    frozen_network._load.cache_clear()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(AmiError, match=r"timm is not installed; it is in the extra frozen: pip install -r require"):
        open_network(spec.frozen)


def test_features_are_computed_once_and_an_interrupted_run_goes_on(
    dataset: Dataset, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(done: int, total: int) -> None:
        if done >= 128:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_features(dataset, spec, interrupted)
    reports: list[int] = []
    features = cached_features(dataset, spec, lambda done, total: reports.append(done))
    assert reports[0] == 192 and reports[-1] == len(dataset) == len(features)
    images = torch.from_numpy(dataset.images(np.arange(len(dataset)), 16)).permute(0, 3, 1, 2)
    wanted = open_network(spec.frozen)(images).numpy()
    np.testing.assert_allclose(features, wanted, atol=1e-2)
    assert isinstance(features, np.memmap) and not list(dataset.folder.glob("*.partial"))
    again = cached_features(dataset, spec, lambda done, total: pytest.fail("computed again"))
    np.testing.assert_array_equal(again, features)
    part = Selection(dataset, [1])
    np.testing.assert_array_equal(cached_features(part, spec), features[part.rows])
    joined = cached_features(Joined([dataset, part]), spec)
    np.testing.assert_array_equal(joined, np.concatenate([features, features[part.rows]]))
    with pytest.raises(AmiError, match="beside one data set"):
        cached_features(object(), spec)


def test_commands_compute_features_where_everybody_sees_it(
    dataset: Dataset, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = identified(spec_of(weights, grid=1))
    prepare_features([dataset], replace(spec, image_encoder="conv"), Console(stderr=True))
    assert not capsys.readouterr().err
    prepare_features([dataset], spec, Console(stderr=True))
    assert f"features of {dataset.folder.name}" in capsys.readouterr().err
    cached_features(dataset, spec, lambda done, total: pytest.fail("computed again"))


def test_training_and_use_see_the_same(dataset: Dataset, spec: ModelSpec) -> None:
    sampler = WindowSampler(dataset, spec, WindowConfig(starts=3))
    batch = sampler.batch(np.random.default_rng(0), 6)
    assert batch.sensors.image is not None and batch.sensors.image.shape[1:] == (spec.frozen.width,)
    model = WorldModel(spec).train()
    terms = losses(model, batch, LossWeights(), torch.Generator().manual_seed(0))
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for n, p in model.named_parameters() if "projection" in n]
    assert gradients and all(g is not None and (g != 0).any() for g in gradients)
    model.eval()
    rows = np.arange(5)
    images = torch.from_numpy(dataset.images(rows, 16)).permute(0, 3, 1, 2)
    torch.testing.assert_close(
        model.encode(sampler.sensors(rows)), model.encode(Sensors(image=images)), atol=1e-2, rtol=1e-2
    )
    with pytest.raises(AmiError, match="image_noise has no effect"):
        WindowSampler(dataset, spec, WindowConfig(image_noise=2))
