"""`ami bench solver` and `ami bench planning`, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.app import bench_planning, bench_solver
from ami_ros.errors import AmiError
from ami_ros.evaluation.planning_methods import METHODS, SECTIONS, Setting, choose_methods
from ami_ros.share import share
from ami_ros.world_model.checkpoint import save_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.processes import Children


def flat(file: Path) -> dict[str, object]:
    figures = json.loads(file.read_text())
    assert not any(isinstance(value, dict | list) for value in figures.values())
    assert figures["processor"] and "seed" in figures
    return dict(figures)


def test_bench_solver_compares_all_solvers_with_the_yardstick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "solver.json"
    bench_solver.main(world="empty", moments=1, without_swm=True, seed=3, tolerance=0.05, json=file)
    printed = capsys.readouterr().out
    assert "yardstick" in printed and "ours 128 samples x 3 iterations" in printed
    figures = flat(file)
    assert {f"{name}_to_equal_cost_p50_ms" for name in ("yardstick", "icem", "hybrid")} <= set(figures)
    assert isinstance(figures["hybrid_search_p50_ms"], float) and figures["moments"] == 1


def bench_planning_in(folder: Path, children: Children, *options: str) -> str:
    """Two goals in the empty world by the real command, whose processes end with it; what it printed."""
    few = ("--world", "empty", "--goals", "2", "--seeds", "1", "--seed", "3", "--jobs", "2")
    where = ("--trials", str(folder / "trials"), "--json", str(folder / "planning.json"))
    methods: tuple[str, ...] = (
        "--methods",
        "true dynamics, random",
        "--set",
        "agent.navigator.planner.solver.samples=48",
    )
    methods += ("--set", "agent.navigator.planner.deadline=60")  # else a busy machine would search less
    command = children.python("-m", "ami_ros.app", "bench", "planning", *few, *where, *methods, *options)
    command.wait(300)
    return command.output()


def test_bench_planning_drives_every_arm_to_the_same_goals_and_goes_on_where_it_was(
    tmp_path: Path, children: Children
) -> None:
    kept, file = tmp_path / "trials", tmp_path / "planning.json"
    assert "48 x 3 x 7" in bench_planning_in(tmp_path, children)
    figures = flat(file)
    for method in ("onboard", "true_dynamics", "random"):
        assert figures[f"{method}_near_n"] == 2 and figures[f"{method}_far_n"] == 0
    assert "true_dynamics_plan_p95_ms" in figures and "random_plan_p95_ms" not in figures
    assert figures["unfinished_parts"] == 0
    rows = [json.loads((kept / f"{method}-3.json").read_text())["rows"] for method in ("onboard", "random")]
    assert [row["goal"] for row in rows[0]] == [row["goal"] for row in rows[1]]

    (kept / "true_dynamics-3.json").unlink()
    before = (kept / "onboard-3.json").stat().st_mtime_ns
    assert "2 of 3 parts are there already" in bench_planning_in(tmp_path, children)
    again = flat(file)
    assert [name for name in figures if figures[name] != again[name] and "plan" not in name] == []
    assert before == (kept / "onboard-3.json").stat().st_mtime_ns
    other = bench_planning_in(tmp_path, children, "--set", "agent.navigator.planner.horizon=6")
    assert "a run with another set; choose another --trials" in other


def test_sections_come_with_all_and_what_lacks_something_is_left_out_aloud(tmp_path: Path) -> None:
    models = share("models", "onboard").parent
    home, empty = (Setting(world, 2, models / "onboard", models / "ceiling") for world in ("home", "empty"))
    assert choose_methods(home, "", False) == ([name for name in METHODS if name not in SECTIONS], [])
    assert choose_methods(home, "", True) == (list(METHODS), [])
    bare = tmp_path / "bare"
    save_model(bare, "bare", WorldModel(ModelSpec(InputSpec(image_size=16, scan_beams=0), encoder_width=32)))
    headless = Setting("home", 2, bare, models / "ceiling", models / "onboard" / "home.memory")
    chosen, left_out = choose_methods(headless, "", True)
    assert chosen == [name for name in METHODS if name != "mode 1"] and "no policy head" in left_out[0]
    chosen, left_out = choose_methods(empty, "", False)
    assert "ceiling" not in chosen and any("ceiling: there is no memory" in line for line in left_out)
    assert choose_methods(empty, "flat", False) == (["onboard", "flat"], []), "flat needs the course of onboard"


@pytest.mark.parametrize(
    ("methods", "world", "message"),
    [
        ("onboard,flut", "home", "no method 'flut'; there are onboard, ceiling"),
        ("ceiling", "empty", "there is no memory"),
    ],
)
def test_arms_that_cannot_be_driven_are_refused(methods: str, world: str, message: str) -> None:
    with pytest.raises(AmiError, match=message):
        bench_planning.main(methods=methods, world=world)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("agent.navigator.planner.horizon", "is not of the form key=value"),
        ("agent.navigator.planner.horizons=3", "unknown key 'horizons'"),
        ("agent.navigator.planner.horizon=far", "expected int, found 'far'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(option: str, message: str) -> None:
    with pytest.raises(AmiError, match=message):
        bench_planning.loop_config([option])


def test_a_setting_reaches_the_planner() -> None:
    config = bench_planning.loop_config(["agent.navigator.planner.solver.name=hybrid", "agent.navigator.approach=2.0"])
    assert config.agent.navigator.planner.solver.name == "hybrid" and config.agent.navigator.approach == 2.0
