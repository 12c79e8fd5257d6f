"""The model in ONNX Runtime: the same numbers, of the same weights only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ami_ros.app import export
from ami_ros.config import parse_yaml
from ami_ros.world_model.checkpoint import LoadedModel, save_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.onnx_files import RECORD, export_onnx, largest_difference
from ami_ros.world_model.spec import InputSpec, ModelSpec

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

ALL = ModelSpec(
    InputSpec(image_size=32, scan_beams=36, heading=True), latent_dim=16, encoder_width=32, head_width=32, sight_code=8
)
SPECS = {
    "all sensors": ALL,
    "scan alone": replace(ALL, inputs=InputSpec(image_size=0, scan_beams=36)),
    "learned heads": replace(ALL, inputs=InputSpec(image_size=0, scan_beams=36), ensemble=2, policy=True),
    "still camera with goals of their own": replace(
        ALL, inputs=InputSpec(image_size=32, scan_beams=0, still_camera=True), goal_encoder=True, place_pose=True
    ),
}


def made(folder: Path, spec: ModelSpec, seed: int = 0) -> LoadedModel:
    """A model whose statistics have seen something."""
    torch.manual_seed(seed)
    model = WorldModel(spec)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d) and module.running_mean is not None:
            module.running_mean.normal_(0.0, 0.1)
    torch.nn.init.normal_(model.predictor.leave.weight, std=0.2)  # else it predicts that nothing changes
    return save_model(folder, "small", model)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_files_give_what_the_model_gives(tmp_path: Path, spec: ModelSpec) -> None:
    loaded = made(tmp_path, spec)
    files = export_onnx(loaded, tmp_path / "onnx")
    assert {f.stem for f in files} >= {"encoder", "predictor", "relative_pose"}
    assert ("goal_encoder" in {f.stem for f in files}) == bool(spec.inputs.image_size)
    assert {"disagreement", "policy"} <= {f.stem for f in files} or not spec.ensemble
    assert all(largest_difference(loaded, file) < 1e-4 for file in files)
    assert largest_difference(made(tmp_path / "other", spec, seed=1), files[0]) > 0.1  # it can tell


def test_export_says_how_far_each_file_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, ALL)
    export.main(tmp_path)
    assert capsys.readouterr().out.count("off by at most") == 5


def test_a_record_beside_the_files_says_of_which_weights_they_are(tmp_path: Path) -> None:
    loaded = made(tmp_path, ALL)
    export_onnx(loaded, tmp_path / "onnx")
    record = parse_yaml((tmp_path / "onnx" / RECORD).read_text())
    assert record == {"encoder_id": loaded.encoder_id, "sha256": loaded.sha256}
