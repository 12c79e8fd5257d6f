"""Image encoders by torch: the one that ships, from which others may derive, and those of other packages."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ami_ros.plugins import ENCODERS, find_plugin
from ami_ros.world_model import networks, torch_layers
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_layers import Learned


class ConvolutionEncoder(networks.ConvolutionEncoder, Learned):
    """See there."""

    def __init__(self, spec: ModelSpec) -> None:
        Learned.__init__(self)
        networks.ConvolutionEncoder.__init__(self, torch_layers, spec)


IMAGE_ENCODERS: dict[str, Callable[[ModelSpec], nn.Module]] = {"conv": ConvolutionEncoder}


def image_encoder(spec: ModelSpec) -> nn.Module:
    """An image branch as `spec` wants it: (batch, 3, size, size) uint8 -> (batch, encoder_width).

    Other packages name theirs by entry points of the group `ami_ros.encoders`: a module that is made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    branch: nn.Module = find_plugin(ENCODERS, spec.image_encoder, IMAGE_ENCODERS)(spec)
    return branch
