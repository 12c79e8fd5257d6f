"""Heads that are learned on finished latents: whether to trust, and what to do.

A model has those that its spec names. They come last (`learning.head_phase`), so they change neither latents nor
predictions, and a model can get them, or others, at any time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ami_ros.errors import AmiError
from ami_ros.world_model.ensemble import Ensemble
from ami_ros.world_model.heads import mlp
from ami_ros.world_model.spec import ModelSpec


class Policy(nn.Module):
    """The commands that lead towards a goal, by what was done in the logs on the way there (GC-IDM; mode 1)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.layers = mlp(2 * spec.latent_dim, spec.head_width, spec.command_dim * spec.chunk)
        self.shape = spec.chunk, spec.command_dim

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        """(..., latent_dim) twice -> (..., chunk, command_dim) in units of the spec's maxima [-], in [-1, 1]."""
        out: Tensor = self.layers(torch.cat([latent, goal], dim=-1))
        return out.unflatten(-1, self.shape).tanh()


class LearnedHeads(nn.Module):
    """The heads that a spec names; the others are None."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.ensemble = Ensemble(spec) if spec.ensemble else None
        self.policy = Policy(spec) if spec.policy else None
        self.requires_grad_(False)  # they have no part in the training of the latents


def missing(what: str) -> AmiError:
    """The error of a model that is asked for a head that it lacks."""
    return AmiError(f"this model has no {what} head; give it one with ./ami train DATA --from MODEL --heads --out NEW")
