"""The descent of the last phases."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.descent import Descent, descend


def fit(**options: float) -> tuple[nn.Linear, list[float]]:
    """Fits a line to a line."""
    torch.manual_seed(0)
    line, losses = nn.Linear(1, 1), list[float]()
    x = torch.linspace(-1, 1, 32)[:, None]

    def loss(step: int) -> Tensor:
        return (line(x) - (3 * x + 1)).square().mean()

    descend(line, loss, Descent(300, 0.1, lambda done, value: losses.append(value), **options))  # type: ignore[arg-type]
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


class Once:
    """Reports of a descent; asks to stop after `at` steps, as Ctrl-C does."""

    def __init__(self, at: int) -> None:
        self.at, self.losses = at, list[float]()

    def __call__(self, done: int, value: float) -> None:
        self.losses.append(value)
        if done == self.at:
            signal.raise_signal(signal.SIGINT)


def kept_fit(keep: Path, report: Callable[[int, float], None], steps: int = 40) -> nn.Linear:
    """As `fit`, from noise that a step draws by its number."""
    torch.manual_seed(0)
    line = nn.Linear(1, 1)

    def loss(step: int) -> Tensor:
        x = torch.randn(8, 1, generator=torch.Generator().manual_seed(step))
        return (line(x) - (3 * x + 1)).square().mean()

    descend(line, loss, Descent(steps, 0.1, report, keep))
    return line


def test_ctrl_c_keeps_the_steps_that_were_done_and_the_next_run_ends_as_one_without_it(tmp_path: Path) -> None:
    whole, again = Once(0), Once(0)
    line = kept_fit(tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        kept_fit(tmp_path / "part", Once(17))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    torch.testing.assert_close(kept_fit(tmp_path / "part", again).state_dict(), line.state_dict(), rtol=0, atol=0)
    assert again.losses == whole.losses[17:]
    assert kept_fit(tmp_path / "part", again).weight == line.weight and len(again.losses) == 23, "it was over already"


def test_what_was_kept_of_another_run_is_refused(tmp_path: Path) -> None:
    kept_fit(tmp_path / "part", Once(0))
    with pytest.raises(AmiError, match="other steps"):
        kept_fit(tmp_path / "part", Once(0), steps=41)
    (tmp_path / "part").write_bytes(b"nothing")
    with pytest.raises(AmiError, match="damaged"):
        kept_fit(tmp_path / "part", Once(0))
