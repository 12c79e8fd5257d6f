"""Predictors by name."""

from __future__ import annotations

from ami_ros.world_model.predictors.base import Predictor
from ami_ros.world_model.predictors.gru import GruPredictor
from ami_ros.world_model.predictors.residual import ResidualPredictor
from ami_ros.world_model.predictors.transformer import TransformerPredictor
from ami_ros.world_model.spec import ModelSpec

PREDICTORS: dict[str, type[Predictor]] = {
    "mlp": ResidualPredictor,
    "gru": GruPredictor,
    "transformer": TransformerPredictor,
}


def make_predictor(spec: ModelSpec) -> Predictor:
    """The predictor that `spec` names, untrained."""
    return PREDICTORS[spec.predictor](spec)
