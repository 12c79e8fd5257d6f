"""The precision of a search is a matter of measurement: of time, and of what would be chosen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, cycle

import pytest
import torch
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.planning import precision
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.precision import SOONER, Comparison, choose_precision, compare
from ami_ros.planning.solvers.registry import SolverConfig
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.runtime import HalfDynamics, TracedDynamics
from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.exact_model import ExactModel

CONFIG = PlannerConfig(horizon=4, solver=SolverConfig(samples=32))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> WorldModel:
    """One to which commands matter, on a CPU with bf16."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    torch.manual_seed(0)
    made = WorldModel(ModelSpec(InputSpec(image_size=0, scan_beams=36), latent_dim=16, head_width=32))
    for part, deviation in ((made.predictor, 0.2), (made.relative_pose, 0.3)):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=deviation)
    return made.requires_grad_(False)


def clock(fp32: float, bf16: float) -> Callable[[], float]:
    """One by which batches take so long [s], in turn."""
    ticks = accumulate(cycle([0.0, fp32, 0.0, bf16]))
    return lambda: next(ticks)


def test_bf16_is_chosen_where_it_is_sooner_and_ranks_alike(model: WorldModel) -> None:
    chosen, why = choose_precision(model, CONFIG, "auto", clock(0.010, 0.006))
    assert isinstance(chosen, HalfDynamics)
    assert why.startswith("searches in bf16: a batch takes 10.0 ms in fp32, 6.0 in bf16; bf16's best")
    chosen, why = choose_precision(model, CONFIG, "auto", clock(0.010, 0.0097))
    assert isinstance(chosen, TracedDynamics) and why.startswith(
        "searches in fp32: a batch takes 10.0 ms in fp32, 9.7 in bf16"
    )


@pytest.mark.parametrize(
    ("worse", "rank", "better"),
    [(0.002, 0.999, True), (0.02, 0.999, False), (0.002, 0.9, False), (0.002, float("nan"), False)],
)
def test_bf16_that_ranks_otherwise_is_not_chosen(worse: float, rank: float, better: bool) -> None:
    assert Comparison(1.0, SOONER / 2, worse, rank).bf16_is_better == better


class Deaf(ExactModel):
    """Does half of what it is told, to one side."""

    def rollout(self, latent: Tensor, commands: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        return super().rollout(latent, commands * torch.tensor([1.0, 0.2]) + torch.tensor([0.0, 0.5]), previous)


def test_the_comparison_finds_what_ranks_otherwise() -> None:
    same = compare(ExactModel(), ExactModel(), CONFIG, clock(0.01, 0.02))
    assert (same.worse, same.fp32, same.bf16) == pytest.approx((0.0, 0.01, 0.02)) and same.rank == pytest.approx(1.0)
    other = compare(ExactModel(), Deaf(), CONFIG, clock(0.02, 0.01))
    assert other.worse > 0.01 and other.rank < 0.9 and not other.bf16_is_better


def test_what_is_configured_is_not_measured(model: WorldModel) -> None:
    def no_clock() -> float:
        raise AssertionError("measured")

    chosen, why = choose_precision(model, CONFIG, "fp32", no_clock)
    assert isinstance(chosen, TracedDynamics) and why == "searches in fp32: as configured"
    chosen, why = choose_precision(model, CONFIG, "bf16", no_clock)
    assert isinstance(chosen, HalfDynamics) and why == "searches in bf16: as configured"


def test_machines_and_models_without_bf16_search_in_fp32(model: WorldModel, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = ExactModel()
    assert choose_precision(exact, CONFIG, "auto") == (
        exact,
        "searches in fp32: only the predictor mlp runs in bf16",
    )
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    chosen, why = choose_precision(model, CONFIG, "auto")
    assert isinstance(chosen, TracedDynamics) and why == "searches in fp32: this CPU has no bf16"
    with pytest.raises(AmiError, match="planner: this CPU has no bf16; set the parameter precision to auto or fp32"):
        choose_precision(model, CONFIG, "bf16")
