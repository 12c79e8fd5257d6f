"""`ami bench solver` and `ami bench planning`, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.app import bench_planning, bench_solver
from ami_ros.errors import AmiError


def flat(file: Path) -> dict[str, object]:
    figures = json.loads(file.read_text())
    assert not any(isinstance(value, dict | list) for value in figures.values())
    assert figures["processor"] and "seed" in figures
    return dict(figures)


def test_bench_solver_compares_all_solvers_with_the_yardstick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench_solver.main(world="empty", moments=1, without_swm=True, seed=3, tolerance=0.05, json=tmp_path / "solver.json")
    printed = capsys.readouterr().out
    assert "yardstick" in printed and "matrix products alone" in printed
    figures = flat(tmp_path / "solver.json")
    assert {f"{name}_to_equal_cost_p50_ms" for name in ("icem", "hybrid", "mppi")} <= set(figures)
    assert isinstance(figures["plan_to_floor_ratio"], float) and figures["moments"] == 1


def test_bench_planning_drives_every_arm_to_the_same_goals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["navigator.planner.solver.samples=48", "navigator.planner.solver.iterations=2"]
    bench_planning.main(world="empty", goals=2, seeds=1, seed=3, set_=small, json=tmp_path / "planning.json")
    printed = capsys.readouterr().out
    assert "48 x 2 x 7" in printed
    figures = flat(tmp_path / "planning.json")
    for arm in ("with_memory", "flat", "true_dynamics", "random"):
        assert figures[f"{arm}_near_n"] == 2 and figures[f"{arm}_far_n"] == 0
    assert "true_dynamics_plan_p95_ms" in figures and "random_plan_p95_ms" not in figures


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("navigator.planner.horizon", "expected dotted.name=value"),
        ("navigator.planner.horizons=3", "unknown key 'horizons'"),
        ("navigator.planner.horizon=far", "expected int, found 'far'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(option: str, message: str) -> None:
    with pytest.raises(AmiError, match=message):
        bench_planning.loop_config([option])


def test_a_setting_reaches_the_planner() -> None:
    config = bench_planning.loop_config(["navigator.planner.solver.name=mppi", "navigator.max_recoveries=2"])
    assert config.navigator.planner.solver.name == "mppi" and config.navigator.max_recoveries == 2
