"""The descent of the last phases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ami_ros.learning.descent import descend


def fit(**options: float) -> tuple[nn.Linear, list[float]]:
    """Fits a line to a line."""
    torch.manual_seed(0)
    line, losses = nn.Linear(1, 1), list[float]()
    x = torch.linspace(-1, 1, 32)[:, None]

    def loss(step: int) -> Tensor:
        return (line(x) - (3 * x + 1)).square().mean()

    descend(line, loss, 300, 0.1, lambda done, value: losses.append(value), **options)  # type: ignore[arg-type]
    return line, losses


def test_it_learns_and_leaves_the_module_finished() -> None:
    line, losses = fit()
    assert losses[-1] < 1e-3 * losses[0] and len(losses) == 300
    assert not line.training and not any(p.requires_grad for p in line.parameters())


def test_the_rate_falls_to_zero_at_the_end() -> None:
    _, losses = fit()
    assert abs(losses[-1] - losses[-2]) < 1e-3 * abs(losses[1] - losses[0])


def test_warm_up_clip_and_decay_change_what_is_learned() -> None:
    plain = fit()[1]
    assert abs(fit(warm_up=100)[1][1] - plain[0]) < abs(plain[1] - plain[0])
    assert fit(clip=1e-9)[1] != plain
    assert fit(weight_decay=1.0)[1][-1] > plain[-1]
