"""The image's branch `vit`: a small vision transformer (arXiv 2010.11929)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.branches.image import ImageEncoder
from ami_ros.world_model.spec import ModelSpec


class Block(nn.Module):
    """Attention among all tokens, then an MLP; both residual, norms before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width), likewise."""
        parts = self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).transpose(1, 3).unbind(2)
        seen = functional.scaled_dot_product_attention(*parts)
        x = x + self.join(seen.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_mlp(x))


class VitEncoder(ImageEncoder):
    """A few transformer blocks over patches.

    Its features are a few numbers of every token, not their mean: where a thing is seen says where the robot is.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec.inputs.image_size, spec.inputs.still_camera)
        vit, tokens = spec.vit, (spec.inputs.image_size // spec.vit.patch) ** 2
        self.patches = nn.Conv2d(3, vit.width, vit.patch, stride=vit.patch)
        self.places = nn.Parameter(0.02 * torch.randn(tokens, vit.width))
        self.blocks = nn.Sequential(*(Block(vit.width, vit.heads) for _ in range(vit.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(vit.width), nn.Linear(vit.width, vit.kept), nn.GELU(), nn.Flatten())
        self.linear = nn.Sequential(nn.Linear(tokens * vit.kept, spec.encoder_width), nn.LayerNorm(spec.encoder_width))

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        x = self.patches(self.pixels(image)).flatten(2).transpose(1, 2) + self.places
        features: Tensor = self.linear(self.leave(self.blocks(x)))
        return features
