"""Predictors by torch: what other packages derive theirs from, and the one that ships."""

from __future__ import annotations

from ami_ros.plugins import PREDICTORS, find_plugin
from ami_ros.world_model import networks, torch_layers
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import Learned


class Predictor(networks.Predictor, Learned):
    """See there: `conditions` and `advance` are for those to write who derive from it; and `begin`, if it remembers."""

    def __init__(self, spec: ModelSpec) -> None:
        Learned.__init__(self)
        networks.Predictor.__init__(self, torch_layers, spec)


class ResidualPredictor(networks.ResidualPredictor, Learned):
    """See there."""

    def __init__(self, spec: ModelSpec) -> None:
        Learned.__init__(self)
        networks.ResidualPredictor.__init__(self, torch_layers, spec)


def make_predictor(spec: ModelSpec) -> networks.Predictor:
    """The predictor that `spec` names, untrained.

    Other packages name theirs by entry points of the group `ami_ros.predictors`: a `Predictor` made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    predictor: networks.Predictor = find_plugin(PREDICTORS, spec.predictor, {"mlp": ResidualPredictor})(spec)
    return predictor
