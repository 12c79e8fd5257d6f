"""Heads that are learned on finished latents: whether to trust a prediction.

A model has those that its spec names. They come last (`learning.head_phase`), so they change neither latents nor
predictions, and a model can get them, or others, at any time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.spec import ModelSpec


class Ensemble(nn.Module):
    """Further predictors of one step, all in one product of matrices; they differ by their weights and by their data.

    Each is learned on runs of its own choice (bootstrap), so they agree where all runs say the same, and only there.
    Each also says how far off it expects the model to be: some moments are hard however often they were seen. Both
    together are a deep ensemble (Lakshminarayanan et al. 2017). The scale is put right by `calibration`, from runs that
    none of them saw: log(error) = calibration[0] + calibration[1] * log(uncertainty).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        width = spec.ensemble_width
        sizes = (spec.latent_dim + spec.command_dim * (spec.chunk + 1), width, width, spec.latent_dim + 1)
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        self.weights = nn.ParameterList(torch.empty(spec.ensemble, a, b) for a, b in pairs)
        self.biases = nn.ParameterList(torch.zeros(spec.ensemble, 1, b) for _, b in pairs)
        for weight in self.weights:
            nn.init.uniform_(weight, -1 / math.sqrt(weight.shape[1]), 1 / math.sqrt(weight.shape[1]))
        self.calibration: Tensor
        self.register_buffer("calibration", torch.tensor([0.0, 1.0]))

    def forward(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """What each member expects.

        Args:
            latent: (batch, latent_dim), or (members, batch, latent_dim) to give each its own.
            chunk: ([members,] batch, chunk, command_dim), commands in units of the spec's maxima [-].
            previous: ([members,] batch, command_dim), the command before, likewise.

        Returns:
            The change of the latent (members, batch, latent_dim), and the logarithm of the mean squared error of the
            model's own prediction (members, batch).
        """
        x = torch.cat([latent, previous, chunk.flatten(-2)], dim=-1)
        x = x.expand(len(self.weights[0]), *x.shape[-2:])
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, functional.gelu(x) if layer else x, weight)
        return x[..., :-1], x[..., -1]

    def uncertainty(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """Disagreement of the members and the error that they expect, before calibration: (batch,) [latent units]."""
        change, squared = self(latent, chunk, previous)
        away = change - change.mean(0)  # by hand: torch's own variance takes three times as long as all the rest
        variance = away.square().mean(-1).sum(0) / (len(change) - 1)
        return (variance + squared.exp().mean(0)).clamp(min=1e-12).sqrt()

    def expected_error(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """The error of the model's prediction to expect (batch,): root mean square [latent units]."""
        offset, slope = self.calibration
        return torch.exp(offset + slope * self.uncertainty(latent, chunk, previous).log())


class LearnedHeads(nn.Module):
    """The heads that a spec names; the others are None."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.ensemble = Ensemble(spec) if spec.ensemble else None
        self.requires_grad_(False)  # they have no part in the training of the latents
