"""The predictor `transformer`: each step attends to the latest steps of its rollout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.predictors.base import Predictor
from ami_ros.world_model.spec import ModelSpec


class CausalBlock(nn.Module):
    """Attention of the newest token to itself and to those before, then an MLP; both residual, norms before."""

    def __init__(self, width: int, head: int, history: int) -> None:
        super().__init__()
        self.heads = width // head
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.age = nn.Parameter(torch.zeros(self.heads, history))  # what a token's age adds to its score, oldest first
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the newest token (batch, width) made richer, and `past` with its key and value at the end.

        Args:
            x: (batch, width).
            past: (batch, 2, heads, tokens, width / heads), keys and values; fewer than `history` tokens.
        """
        query, *pair = self.project(self.norm(x)).view(len(x), 3, self.heads, 1, -1).unbind(1)
        past = torch.cat([past, torch.stack(pair, 1)], 3)
        score = self.age[:, -past.shape[3] :].unsqueeze(1)
        seen = functional.scaled_dot_product_attention(query, past[:, 0], past[:, 1], attn_mask=score)
        x = x + self.join(seen.flatten(1))
        return x + self.mlp(self.norm_mlp(x)), past


class TransformerPredictor(Predictor):
    """A small causal transformer. A token is one step: its latent and its commands.

    Tokens never change once later ones are there, so keys and values are kept and each step costs one token. Only the
    age of a token counts, not the number of its step: rollouts may be longer than those in training.
    """

    HEAD = 32  # numbers in a head, where the width has as many

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        width, self.history = spec.predictor_width, spec.predictor_history
        self.head = min(self.HEAD, width)
        self.blocks = nn.ModuleList(CausalBlock(width, self.head, self.history) for _ in range(spec.predictor_blocks))

    def begin(self, latent: Tensor) -> Tensor:
        """(batch, blocks, 2, heads, 0, head): no token yet."""
        heads = self.enter.out_features // self.head
        return latent.new_zeros(len(latent), len(self.blocks), 2, heads, 0, self.head)

    def conditions(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """The commands' part of a token, (..., width)."""
        return [self._condition(chunk, previous)]

    def advance(self, latent: Tensor, state: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """As `Predictor.advance`; the state is (batch, blocks, 2, heads, tokens, head): keys and values so far."""
        x, pasts = self.enter(latent) + conditions[0], []
        for block, past in zip(cast(Iterable[CausalBlock], self.blocks), state.unbind(1), strict=True):
            x, longer = block(x, past)
            pasts.append(longer)
        latest = torch.stack(pasts, 1)[..., 1 - self.history :, :] if self.history > 1 else state
        return latent + self.leave(x), latest
