"""What the image's branches have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ImageEncoder(nn.Module):
    """Base of the image's branches: takes bytes, and knows a camera that stands still."""

    def __init__(self, size: int, still: bool) -> None:
        super().__init__()
        # Each pixel by its own mean and deviation over the data: from a camera that stands still the robot is a few
        # pixels that stand out, instead of a small change of a large picture. eps: 8 of 255 grey levels. What deviates
        # by less is nothing: GroupNorm would weigh the noise of ten thousand pixels against the robot's sixteen.
        self.background = nn.BatchNorm1d(3 * size * size, eps=1e-3, affine=False) if still else None

    def pixels(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> float, centred, or what stands out from the background."""
        x = image.float() / 255.0 - 0.5
        if self.background is not None:
            x = functional.softshrink(self.background(x.flatten(1)).clamp(-5, 5), 1.0).view_as(x)
        return x.contiguous(memory_format=torch.channels_last)
