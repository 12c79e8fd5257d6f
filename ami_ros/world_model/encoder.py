"""Image encoders by torch: the one that ships, from which others may derive, and those of other packages."""

from __future__ import annotations

from typing import Any

from ami_ros.plugins import ENCODERS, find_plugin
from ami_ros.world_model import networks
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import learned

ConvolutionEncoder: Any = learned(networks.ConvolutionEncoder)


def image_encoder(spec: ModelSpec) -> Any:
    """An image branch as `spec` wants it: (batch, 3, size, size) uint8 -> (batch, encoder_width).

    Other packages name theirs by entry points of the group `ami_ros.encoders`: a module that is made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    return find_plugin(ENCODERS, spec.image_encoder, {"conv": ConvolutionEncoder})(spec)
