"""What the planner's node searches with, and its first calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.planning.budget import ENOUGH
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.precision import Precision, choose_precision
from ami_ros.planning.protocols import Dynamics, Target
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.onnx_dynamics import OnnxDynamics
from ami_ros.world_model.perception import Perception


def planning_dynamics(
    loaded: LoadedModel, model: WorldModel, config: PlannerConfig, onnx: Path | None, precision: Precision
) -> tuple[Dynamics, str]:
    """The dynamics that a planner searches with, and why, in a line.

    Args:
        loaded: the model.
        model: the same, or a private copy of it that is adapted.
        config: of the planner.
        onnx: folder of `export_onnx`, for ONNX Runtime; None: torch.
        precision: of torch.

    Raises:
        AmiError: as `OnnxDynamics` and `choose_precision`, or both are asked for.
    """
    if onnx is None:
        return choose_precision(model, config, precision)
    if precision == "bf16":
        raise AmiError("planner: bf16 needs torch, not ONNX Runtime; set precision to auto, or leave onnx empty")
    return OnnxDynamics(model, loaded, onnx.expanduser()), "searches in fp32 by ONNX Runtime"


def warm_up(perception: Perception, planner: LatentPlanner) -> None:
    """Makes a model's first calls, which take seconds, before anybody waits for them, and fits the search's size
    to what the others took."""
    spec = perception.spec
    latent = np.zeros(spec.latent_dim, dtype=np.float32)
    for k in range(1 + ENOUGH):
        planner.plan(k * spec.period, latent, (0.0, 0.0), None, Target(latent, None, final=True))
    planner.reset()
    if spec.inputs.image_size:
        blank = np.zeros((spec.inputs.image_size, spec.inputs.image_size, 3), dtype=np.uint8)
        perception.encode_goal(blank)
        perception.encode_picture(blank)
