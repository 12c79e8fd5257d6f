"""A world model that is right: its latent is the pose, its heads are geometry, its pictures are the loopback's."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ami_ros.world_model.layers import AS_TRAINED
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel

ArrayOrTensor: TypeAlias = Any  # a NumPy array, or a torch tensor

IMAGE_SIZE = 32
WAVES = 96  # of the critic; more make its scores smoother
SPEC = ModelSpec(InputSpec(image_size=IMAGE_SIZE, scan_beams=0), latent_dim=4, contrast_dim=2 * WAVES)
OMNIDIRECTIONAL = replace(SPEC, max_lateral=0.4)


def get_array_module(x: ArrayOrTensor) -> Any:
    """The module whose functions take `x`."""
    return np if isinstance(x, np.ndarray) else torch


def latent_of(pose: ArrayLike) -> NDArray[np.float32]:
    """The latent (..., 4) of poses (..., 3): x, y, cos, sin of the yaw."""
    p = np.asarray(pose, dtype=np.float64)
    return np.stack([p[..., 0], p[..., 1], np.cos(p[..., 2]), np.sin(p[..., 2])], -1).astype(np.float32)


def pose_of(latent: ArrayLike) -> NDArray[np.float64]:
    """The pose (..., 3) of a latent (..., 4)."""
    z = np.asarray(latent, dtype=np.float64)
    return np.stack([z[..., 0], z[..., 1], np.arctan2(z[..., 3], z[..., 2])], -1)


class ExactRelativePose(nn.Module):
    """The second pose as seen from the first."""

    def forward(self, first: ArrayOrTensor, second: ArrayOrTensor) -> ArrayOrTensor:
        c, s = first[..., 2], first[..., 3]
        dx, dy = second[..., 0] - first[..., 0], second[..., 1] - first[..., 1]
        cos = c * second[..., 2] + s * second[..., 3]
        sin = c * second[..., 3] - s * second[..., 2]
        return get_array_module(first).stack([c * dx + s * dy, c * dy - s * dx, cos, sin], -1)


class ExactContrast(nn.Module):
    """Scores fall with distance (half a metre) and turn, by random Fourier features (Rahimi & Recht 2007)."""

    temperature = 0.1

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.position = torch.randn(2, WAVES, generator=generator) / 0.5
        self.turn = torch.randint(0, 3, (WAVES,), generator=generator).float()

    def queries(self, latent: Tensor) -> Tensor:
        yaw = torch.atan2(latent[..., 3], latent[..., 2])
        phase = latent[..., :2] @ self.position + yaw[..., None] * self.turn
        return torch.cat([phase.cos(), phase.sin()], -1) / math.sqrt(WAVES)

    def keys(self, latent: Tensor) -> Tensor:
        return self.queries(latent)


def _like(buffer: Tensor, values: ArrayOrTensor) -> ArrayOrTensor:
    """A buffer of a model as an array or a tensor, as `values` are."""
    return buffer.detach().numpy() if isinstance(values, np.ndarray) else buffer


class ExactModel(WorldModel):
    """Knows the kinematics of a robot that obeys at once, and reads poses off the pictures of the loopback."""

    def __init__(self, spec: ModelSpec = SPEC) -> None:
        nn.Module.__init__(self)
        self.spec = spec
        self.register_buffer("drive", torch.eye(spec.command_dim), persistent=False)
        self.register_buffer("command_scale", torch.tensor(spec.command_maxima), persistent=False)
        self.register_buffer("colours", torch.from_numpy(AS_TRAINED.copy()), persistent=False)
        self.relative_pose = ExactRelativePose()
        self.contrast = ExactContrast()
        self.sighting = self.pairs = None

    def encode(self, sensors: Sensors) -> Tensor:
        """Phases of the waves in pictures (batch, 3, size, size); positions from 0 to 6.28 m are told apart."""
        assert sensors.image is not None
        image = sensors.image.double()
        wave = torch.exp(-1j * 2 * torch.pi * torch.arange(image.shape[-1]) / image.shape[-1])
        across, down = (image.mean(2) * wave).sum(-1), (image.mean(3) * wave).sum(-1)
        x, yaw = (1j * across[:, 0]).angle(), (1j * across[:, 2]).angle()
        y = down[:, 0].angle()
        return torch.stack([x % (2 * torch.pi), y % (2 * torch.pi), yaw.cos(), yaw.sin()], -1).float()

    def encode_goal(self, image: Tensor) -> Tensor:
        return self.encode(Sensors(image=image))

    def executed(self, commands: ArrayOrTensor) -> ArrayOrTensor:
        scale, drive = self.command_scale, self.drive
        return (commands / _like(scale, commands)) @ _like(drive, commands).T

    def step(
        self, latent: ArrayOrTensor, chunk: ArrayOrTensor, previous: ArrayOrTensor
    ) -> tuple[ArrayOrTensor, ArrayOrTensor]:
        xp = get_array_module(latent)
        chunk = self.executed(chunk) * _like(self.command_scale, chunk)
        turns = chunk[..., 1] * self.spec.period
        middle = turns.cumsum(1) - turns / 2
        lengths = chunk[..., 0] * self.spec.period
        x, y, yaw = (lengths * xp.cos(middle)).sum(1), (lengths * xp.sin(middle)).sum(1), turns.sum(1)
        if self.spec.command_dim == 3:
            aside = chunk[..., 2] * self.spec.period
            x, y = x - (aside * xp.sin(middle)).sum(1), y + (aside * xp.cos(middle)).sum(1)
        c, s = latent[:, 2], latent[:, 3]
        moved = [latent[:, 0] + c * x - s * y, latent[:, 1] + s * x + c * y]
        turned = [c * xp.cos(yaw) - s * xp.sin(yaw), s * xp.cos(yaw) + c * xp.sin(yaw)]
        return xp.stack([*moved, *turned], -1), xp.stack([x, y, yaw], -1)

    def rollout(
        self, latent: ArrayOrTensor, commands: ArrayOrTensor, previous: ArrayOrTensor
    ) -> tuple[ArrayOrTensor, ArrayOrTensor]:
        latents, motions, xp = [], [], get_array_module(latent)
        for step in range(commands.shape[1]):
            latent, motion = self.step(latent, commands[:, step], previous)
            latents.append(latent)
            motions.append(motion)
        return xp.stack(latents, 1), xp.stack(motions, 1)
