"""What can imagine on this machine, for benches that time it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ami_ros.planning.precision import lacks_bf16
from ami_ros.planning.protocols import Dynamics
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.onnx_dynamics import OnnxDynamics
from ami_ros.world_model.onnx_runtime import export_onnx
from ami_ros.world_model.runtime import HalfDynamics


def runtimes(loaded: LoadedModel, onnx: bool) -> dict[str, Dynamics]:
    """By name: `fp32` by torch first, `bf16` where there is any, and `onnx` if it is asked for.

    Raises:
        AmiError: `onnx` is asked for, and the extra is not installed.
    """
    found: dict[str, Dynamics] = {"fp32": loaded.model}
    if not lacks_bf16(loaded.model):
        found["bf16"] = HalfDynamics(loaded.model)
    if onnx:
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            export_onnx(loaded, Path(scratch))
            found["onnx"] = OnnxDynamics(loaded.model, loaded, Path(scratch))
    return found


def figure(name: str, runtime: str) -> str:
    """The name of a figure of one runtime; those of `fp32` have none of it."""
    return name if runtime == "fp32" else f"{name}_{runtime}"
