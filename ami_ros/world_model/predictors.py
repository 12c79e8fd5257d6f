"""Predictors by torch: what other packages derive theirs from, and the one that ships."""

from __future__ import annotations

from typing import Any

from ami_ros.plugins import PREDICTORS, find_plugin
from ami_ros.world_model import networks
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import learned

# `conditions` and `advance` are for those to write who derive from it; and `begin`, if it remembers.
Predictor: Any = learned(networks.Predictor)


def make_predictor(spec: ModelSpec) -> Any:
    """The predictor that `spec` names, untrained.

    Other packages name theirs by entry points of the group `ami_ros.predictors`: a `Predictor` made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    return find_plugin(PREDICTORS, spec.predictor, {"mlp": learned(networks.ResidualPredictor)})(spec)
