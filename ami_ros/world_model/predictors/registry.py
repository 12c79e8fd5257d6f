"""Predictors by name."""

from __future__ import annotations

from ami_ros.plugins import PREDICTORS, find_plugin
from ami_ros.world_model.predictors.base import Predictor
from ami_ros.world_model.predictors.residual import ResidualPredictor
from ami_ros.world_model.spec import ModelSpec

BUILT_IN: dict[str, type[Predictor]] = {"mlp": ResidualPredictor}


def make_predictor(spec: ModelSpec) -> Predictor:
    """The predictor that `spec` names, untrained.

    Other packages name theirs by entry points of the group `ami_ros.predictors`: a `Predictor` made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    predictor: Predictor = find_plugin(PREDICTORS, spec.predictor, BUILT_IN)(spec)
    return predictor
