"""A model as .onnx files beside its weights, for programs of others.

Optional: the extra `onnx`. The files belong to the weights that they were made from; `RECORD` says to which.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ami_ros.config import dump_yaml
from ami_ros.errors import AmiError
from ami_ros.extras import need
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.identity import write_atomically
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec, Sensors

FOLDER, RECORD = "onnx", "onnx.yaml"
OPSET = 17
BATCH = 2  # of the examples; files take any


class _Part(nn.Module):
    """One function of a model as a module, which is what the exporter takes."""

    def __init__(self, model: WorldModel, function: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.function = model, function
        self.eval()

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def export_onnx(loaded: LoadedModel, folder: Path) -> list[Path]:
    """Writes the files of `_parts` and `RECORD` into `folder`.

    A predictor of another package is left out (`leaves_out`).
    Inputs and outputs have the names and shapes of `WorldModel`'s functions, any number at a time, in SI units.

    Raises:
        AmiError: the extra is not installed, or the folder cannot be written.
    """
    need("onnx", "onnx")
    model, written = loaded.model, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (function, inputs, outputs) in _parts(model, BATCH, 0).items():
            partial = folder / f".{name}.onnx"
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore")  # the exporter's own, of its age
                torch.onnx.export(
                    _Part(model, function),
                    tuple(inputs.values()),
                    partial,
                    input_names=list(inputs),
                    output_names=outputs,
                    dynamic_axes={axis: {0: "batch"} for axis in (*inputs, *outputs)},
                    opset_version=OPSET,
                    dynamo=False,
                )
            written.append(folder / f"{name}.onnx")
            os.replace(partial, written[-1])
        record = {"encoder_id": loaded.encoder_id, "sha256": loaded.sha256}
        write_atomically(folder / RECORD, dump_yaml(record).encode())
    except OSError as error:
        raise AmiError(f"export: cannot write {folder}: {error.strerror or error}; choose another --out") from error
    return written


def largest_difference(loaded: LoadedModel, file: Path, batch: int = 32, seed: int = 1) -> float:
    """The largest difference between what a file of `export_onnx` and the model give, over random inputs.

    Raises:
        AmiError: the extra is not installed.
    """
    function, inputs, _ = _parts(loaded.model, batch, seed)[file.stem]
    with torch.inference_mode():
        wanted = function(*inputs.values())
    session = _session(need("onnxruntime", "onnx"), file)
    found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    pairs = zip(wanted if isinstance(wanted, tuple) else (wanted,), found, strict=True)
    return max(float((a - torch.from_numpy(b)).abs().max()) for a, b in pairs)


def leaves_out(spec: ModelSpec) -> str:
    """Why `export_onnx` writes less than everything, in a line; empty where it writes all."""
    if spec.predictor == "mlp":
        return ""
    return f"no predictor.onnx: a file holds one step, and {spec.predictor} may remember earlier ones of a rollout"


Parts = dict[str, tuple[Callable[..., Any], dict[str, Tensor], list[str]]]


def _parts(model: WorldModel, batch: int, seed: int) -> Parts:
    """Name -> function, random inputs by name, names of outputs; pictures only of models that take them."""
    spec, generator = model.spec, torch.Generator().manual_seed(seed)
    sensors = _random_sensors(model, batch, generator)
    names = list(sensors)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    latent, other = normal(spec.latent_dim), normal(spec.latent_dim)
    step = {"latent": latent, "chunk": normal(spec.chunk, spec.command_dim), "previous": normal(spec.command_dim)}
    parts: Parts = {
        "encoder": (lambda *values: model.encode(Sensors(**dict(zip(names, values, strict=True)))), sensors, ["out"]),
        "relative_pose": (model.relative_pose, {"first": latent, "second": other}, ["pose"]),
    }
    if not leaves_out(spec):
        parts["predictor"] = (model.step, step, ["next", "motion"])
    if spec.ensemble:
        parts["disagreement"] = (model.disagreement, step, ["error"])
    if spec.policy:
        parts["policy"] = (model.policy, {"latent": latent, "goal": other}, ["commands"])
    if "image" in sensors:
        parts["goal_encoder"] = (model.encode_goal, {"image": sensors["image"]}, ["out"])
    if model.sighting is not None:
        parts["picture_encoder"] = (model.encode_picture, {"image": sensors["image"]}, ["out"])
    return parts


def _random_sensors(model: WorldModel, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Readings of the sensors that a model has, by name."""
    inputs, size = model.spec.inputs, model.spec.inputs.image_size
    found = {}
    if size:
        found["image"] = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=generator)
    if inputs.scan_beams:
        found["scan"] = 0.2 + 12.0 * torch.rand(batch, inputs.scan_beams, generator=generator)
        found["scan"][:, 0] = torch.inf  # nothing returned
    if inputs.heading:
        found["heading"] = 6.0 * torch.rand(batch, generator=generator) - 3.0
    return found


def _session(runtime: Any, file: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # that adapted layers are no constants is meant so
    return runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
