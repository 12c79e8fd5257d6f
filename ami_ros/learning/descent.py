"""The descent that all last phases share: AdamW, whose rate falls to zero along half a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def descend(
    learned: nn.Module,
    loss: Callable[[int], Tensor],
    steps: int,
    learning_rate: float,
    report: Callable[[int, float], None],
    weight_decay: float = 1e-4,
    warm_up: int = 0,
    clip: float = math.inf,
) -> None:
    """Learns `learned`; it is left in evaluation mode, without gradients.

    Args:
        learned: what is learned; all else must stand.
        loss: of a step, a scalar; draws what it needs from the number of the step alone.
        steps: how many.
        learning_rate: at its highest.
        report: called with the steps done and the loss.
        weight_decay: of AdamW.
        warm_up: steps in which the rate rises.
        clip: norm of the gradient.
    """
    learned.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(learned.parameters(), lr=learning_rate, weight_decay=weight_decay)
    for step in range(steps):
        warm = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
        value = loss(step)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        if clip < math.inf:
            nn.utils.clip_grad_norm_(learned.parameters(), clip)
        optimizer.step()
        report(step + 1, float(value.detach()))
    learned.eval().requires_grad_(False)
