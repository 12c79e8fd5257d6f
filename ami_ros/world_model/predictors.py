"""Predictors: latent and commands -> next latent; what each has to offer, and the one that ships."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ami_ros.plugins import PREDICTORS, find_plugin
from ami_ros.world_model.spec import ModelSpec


class Predictor(nn.Module, ABC):
    """One model step: `chunk` commands, each held for one period.

    The command that was in force before the chunk is part of the input: a robot with inertia moves
    differently from rest than at speed, and one frame does not show which.

    A predictor may remember the steps of a rollout. That is its state, a tensor whose first dimension is the batch,
    so that whoever rolls out can drop or join rows without knowing what it holds.

    At first it predicts that nothing changes: what it adds to the latent leaves by a layer of zeros.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        width = spec.predictor_width
        self.enter = nn.Linear(spec.latent_dim, width)
        self.condition = nn.Sequential(
            nn.Linear(spec.command_dim * (spec.chunk + 1), width), nn.GELU(), nn.Linear(width, width)
        )
        self.leave = nn.Linear(width, spec.latent_dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """The first step of a rollout.

        Args:
            latent: (batch, latent_dim).
            chunk: (batch, chunk, command_dim), commands in units of the spec's maxima [-].
            previous: (batch, command_dim), the command before, likewise.

        Returns:
            (batch, latent_dim).
        """
        return self.advance(latent, self.begin(latent), self.conditions(chunk, previous))[0]

    def begin(self, latent: Tensor) -> Tensor:
        """The state before the first step of a rollout from `latent` (batch, latent_dim); here it is empty."""
        return latent.new_zeros(latent.shape[0], 0)

    @abstractmethod
    def conditions(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """What commands (..., chunk, command_dim) and those before them (..., command_dim) do: (..., n) each.

        The latent has no part in it.

        Takes any leading shape, so that a rollout needs one call for all its steps.
        """

    @abstractmethod
    def advance(self, latent: Tensor, state: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """One step ahead.

        Args:
            latent: (batch, latent_dim).
            state: of `begin`, or of the step before.
            conditions: of this step, (batch, n) each.

        Returns:
            The next latent (batch, latent_dim), and the state for the step after.
        """

    def _condition(self, chunk: Tensor, previous: Tensor) -> Tensor:
        """Commands as features (..., width)."""
        features: Tensor = self.condition(torch.cat([previous, chunk.flatten(-2)], dim=-1))
        return features


class AdaptiveBlock(nn.Module):
    """Residual MLP whose normalisation is modulated by the commands (AdaLN-zero, arXiv 2212.09748)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """(batch, width), modulated by what `modulation` made of the commands (batch, 3 * width)."""
        scale, shift, gate = modulation.chunk(3, dim=-1)
        return x + gate * self.mlp(torch.addcmul(shift, self.norm(x), 1 + scale))


class ResidualPredictor(Predictor):
    """A residual MLP; the commands modulate its blocks."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.blocks = nn.ModuleList(AdaptiveBlock(spec.predictor_width) for _ in range(spec.predictor_blocks))

    def conditions(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """The modulation of each block, (..., 3 * width)."""
        condition = self._condition(chunk, previous)
        return [block.modulation(condition) for block in cast(Iterable[AdaptiveBlock], self.blocks)]

    def advance(self, latent: Tensor, state: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """As `Predictor.advance`; the state stays empty."""
        x = self.enter(latent)
        for block, modulation in zip(self.blocks, conditions, strict=True):
            x = block(x, modulation)
        return latent + self.leave(x), state


BUILT_IN: dict[str, type[Predictor]] = {"mlp": ResidualPredictor}


def make_predictor(spec: ModelSpec) -> Predictor:
    """The predictor that `spec` names, untrained.

    Other packages name theirs by entry points of the group `ami_ros.predictors`: a `Predictor` made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    predictor: Predictor = find_plugin(PREDICTORS, spec.predictor, BUILT_IN)(spec)
    return predictor
