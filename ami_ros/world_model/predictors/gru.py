"""The predictor `gru`: its state begins as what the first latent shows, and is carried through the rollout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ami_ros.world_model.predictors.base import Predictor
from ami_ros.world_model.spec import ModelSpec


class GatedLayer(nn.Module):
    """A gated recurrent unit (arXiv 1406.1078) whose input gates may be known beforehand."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 3 * width)
        self.hidden = nn.Linear(width, 3 * width)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """What `self.inputs` made of the input (batch, 3 * width), and the state (batch, width) -> the next state."""
        reset, update, new = inputs.chunk(3, dim=-1)
        reset_by, update_by, new_by = self.hidden(hidden).chunk(3, dim=-1)
        kept = torch.sigmoid(update + update_by)
        fresh = torch.tanh(new + torch.sigmoid(reset + reset_by) * new_by)
        return fresh + kept * (hidden - fresh)


class GruPredictor(Predictor):
    """Gated recurrent units, one above the other; a step's latent is the one before and what the uppermost adds."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.layers = nn.ModuleList(GatedLayer(spec.predictor_width) for _ in range(spec.predictor_blocks))

    def begin(self, latent: Tensor) -> Tensor:
        """(batch, layers, width), the same in all layers."""
        return torch.tanh(self.enter(latent))[:, None].expand(-1, len(self.layers), -1)

    def conditions(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """The input gates of the lowest layer, (..., 3 * width)."""
        lowest = cast(GatedLayer, self.layers[0])
        return [lowest.inputs(self._condition(chunk, previous))]

    def advance(self, latent: Tensor, state: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """As `Predictor.advance`; the state is (batch, layers, width)."""
        states: list[Tensor] = []
        for layer, before in zip(cast(Iterable[GatedLayer], self.layers), state.unbind(1), strict=True):
            states.append(layer(layer.inputs(states[-1]) if states else conditions[0], before))
        return latent + self.leave(states[-1]), torch.stack(states, 1)
