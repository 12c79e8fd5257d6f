"""What a predictor has to offer, and what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

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
        return latent.new_zeros(len(latent), 0)

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
