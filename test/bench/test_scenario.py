"""Scenarios: files that are refused or read, trials that are kept and gone on with, and figures that come of rows."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Literal

import pytest

from ami_ros.bench.buildings import Buildings
from ami_ros.bench.command import PARTS, spelled_out
from ami_ros.bench.control import Control
from ami_ros.bench.known_world import Planning, Recovery
from ami_ros.bench.run import of_recordings
from ami_ros.bench.scenario import Measure, Scenario, TrialStore, load_scenario
from ami_ros.bench.trials import Trial, judged
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged
from harness.processes import Children


def drive(
    kind: Literal["near", "far"], status: str, off: float, ambiguous: bool = False, code: int = 0
) -> dict[str, object]:
    """A row of a drive of 4 m that ended `off` [m] its goal."""
    trial = Trial(
        kind, (0, 0, 0), (4, 0, 0), 4.0, status, True, (4 - off, 0, 0), 20.0, 0, 0, 0, code, "", allowance_s=90.0
    )
    return judged(trial) | {"method": "general", "ambiguous": ambiguous}


ROWS = [
    {"method": "general", "kind": "explore", "explored_share": 0.5, "collisions": 1},
    drive("near", "succeeded", 0.1),
    drive("far", "succeeded", 3.0),
    drive("far", "aborted", 3.0, code=10_000),
    drive("far", "succeeded", 2.0, ambiguous=True),
    {"method": "general", "kind": "foreign", "claimed": True, "collisions": 0},
    {"method": "general", "kind": "foreign", "claimed": False, "collisions": 0},
]


def test_what_ships_is_read_and_its_options_can_be_driven() -> None:
    for name in packaged("scenarios"):
        scenario = load_scenario(name)
        assert scenario.name == name and scenario.about and scenario.measures
        assert scenario.settings["kind"] == scenario.kind
        try:
            assert scenario.made().parts()
        except AmiError as error:  # it says which recordings it needs
            assert "say where" in str(error)


def test_buildings_count_ambiguous_goals_apart_and_wrong_claims_of_them_all_the_same() -> None:
    figures = {f.name: f for f in load_scenario("buildings").figures(ROWS)}
    assert figures["near goals reached"].n == 1 and figures["far goals reached"].n == 2
    false = figures["false claims"].rate
    assert false is not None and (false.reached, false.n) == (2, 3)
    assert figures["pictures of other buildings claimed"].n == 2
    assert figures["contacts"].value == 1 and figures["explored"].value == 0.5


def test_zero_is_told_with_its_upper_bound_rounded_up() -> None:
    (figure,) = Measure("false", "bad").figures([{"bad": False}] * 147)
    assert str(figure) == "0 of 147 (below 2.6 %)"
    (counted,) = Measure("false", "bad", of="all").figures([{"bad": 1, "all": 10}, {"bad": 0, "all": 10}])
    assert str(counted).startswith("1 of 20")


def test_what_never_came_is_later_than_everything() -> None:
    rows = [{"ms": value} for value in (1.0, 2.0, None)]
    assert [str(*Measure("ms", "ms", "median").figures(rows)), str(*Measure("ms", "ms", "p95").figures(rows))] == [
        "2",
        "never",
    ]
    assert str(*Measure("ms", "ms", "median").figures([])) == "none"


def test_what_never_came_is_null_in_a_file() -> None:
    (figure,) = Measure("ms", "ms", "p95").figures([{"ms": 1.0}, {"ms": None}])
    assert json.loads(json.dumps(figure.to_json(), allow_nan=False)) == {
        "what": "ms", "n": 2, "value": None, "figure": "never",
    }  # fmt: skip


def test_a_measure_may_be_told_for_each_group() -> None:
    rows = [{"lane": lane, "ok": lane == "a"} for lane in "aab"]
    assert [(f.name, f.n) for f in Measure("there", "ok", by="lane").figures(rows)] == [
        ("a: there", 2),
        ("b: there", 1),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: magic\nabout: x\nmeasures: []", "no kind 'magic'"),
        ("kind: planning\nabout: x\nmeasures: [{what: a, value: b, of: c, statistic: sum}]", "'of' belongs to a rate"),
        ("kind: planning\nabout: x\nmeasures: []\nseeds: 0", "seeds must be"),
        ("kind: planning\nabout: x\nmeasures: []\nsede: 1", "unknown key 'sede'"),
        ("- 1", "expected a mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_file_that_is_no_scenario_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(AmiError, match=message) as refused:
        load_scenario(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(refused.value)


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AmiError, match="no scenario 'plannin'"):
        load_scenario("plannin")
    with pytest.raises(AmiError, match="unknown key 'wolrd'"):
        load_scenario("planning", ["options.wolrd=home"])
    with pytest.raises(AmiError, match="no baseline 'dors'"):
        Planning(baselines=("dors",)).parts()
    with pytest.raises(AmiError, match="no kind of building 'castle'"):
        Buildings(kinds=("castle",)).parts()
    with pytest.raises(AmiError, match="starts"):
        load_scenario("buildings", ["options.starts=nowhere"])
    with pytest.raises(AmiError, match="there is no memory"):
        next(Recovery(memory="none.memory").run("nothing", 0, (), lambda what: None))


def test_trials_are_kept_and_an_interrupted_part_is_driven_again(tmp_path: Path) -> None:
    scenario = Scenario("planning", "x", (), seed=5, seeds=2, options={"baselines": ["onboard"]}, name="mine")
    store = TrialStore(tmp_path, scenario, "abc")
    assert store.missing() == [("onboard", 5), ("onboard", 6)] == store.keys
    assert [row["x"] for row in store.keep("onboard", 5, [{"x": 1}, {"x": 2}])] == [1, 2]
    list(islice(store.keep("onboard", 6, [{"x": 3}, {"x": 4}]), 1))
    assert store.missing() == [("onboard", 6)] and [row["x"] for row in store.rows()] == [1, 2]
    with open(next(tmp_path.rglob("*-6.jsonl")), "a") as file:
        file.write('{"x": 4')  # killed while it wrote
    assert store.missing() == [("onboard", 6)]
    list(store.keep("onboard", 6, [{"x": 3}]))
    assert not store.missing() and len(store.rows()) == 3 and store.head()["processor"]
    other = TrialStore(tmp_path, Scenario("planning", "x", (), 5, 2, {"goals": 3}, "mine"), "abc")
    with pytest.raises(AmiError, match="of a run with other settings"):
        other.rows()


def test_a_scenario_needs_no_word_of_its_own() -> None:
    assert spelled_out(["planning", "--jobs", "2"]) == ["scenario", "planning", "--jobs", "2"]
    assert spelled_out(["my.yaml"]) == ["scenario", "my.yaml"] and spelled_out(["gate"]) == ["gate"]
    assert not set(PARTS) & set(packaged("scenarios"))
    assert spelled_out(["people", "--help"]) == ["scenario", "people", "--options"]
    assert spelled_out(["legs", "bags"]) == ["scenario", "legs", "bags"]
    given = spelled_out(["people", "--speed", "1.0", "--json", "f", "--manner=blind"])
    assert given == ["scenario", "people", "--set", "speed=1.0", "--json", "f", "--set", "manner=blind"]


def test_settings_reach_the_file_the_options_of_its_kind_and_the_stack() -> None:
    found = load_scenario("people", ["seeds=2", "speed=1.5", "agent.navigator.planner.deadline=0.06"])
    assert found.seeds == 2 and found.options["speed"] == 1.5
    assert found.options["set"] == ["agent.navigator.planner.deadline=0.06"]
    with pytest.raises(AmiError, match="unknown key 'sede'"):
        load_scenario("people", ["sede=1"])


def test_parts_are_driven_side_by_side_and_a_run_goes_on_where_it_was(tmp_path: Path, children: Children) -> None:
    file, kept = tmp_path / "figures.json", tmp_path / "trials"
    few = ("options.moments=1", "options.rivals=false", "seeds=2", "seed=3")
    options = [word for value in few for word in ("--set", value)]
    call = ("-m", "ami_ros.cli", "bench", "solvers", *options, "--jobs", "2", "--out", str(kept), "--json", str(file))

    def run() -> str:
        command = children.python(*call)
        assert command.wait(300) == 0, command.output()
        return command.output()

    assert "got there" in run()
    figures = json.loads(file.read_text())["figures"]
    assert {figure["n"] for figure in figures if "got there" in figure["what"]} == {2}
    next(kept.rglob("solvers-4.jsonl")).unlink()
    assert "1 of 2 parts are there already" in run()


def test_control_is_measured() -> None:
    control = list(Control(repeats=2).run("control", 3, (), lambda what: None))
    parts = {row["what"].partition(",")[0] for row in control}
    assert parts >= {"encode", "encode_picture", "compare", "plan", "plan_among_people"}


def test_recovery_gives_rows() -> None:
    (row,) = Recovery("two_rooms", 1).run("carried_away", 7, (), lambda what: None)
    assert row["fault"] == "carried_away" and row["noticed"] and row["time_s"] > 0


def test_recordings_may_stand_behind_the_name_of_what_measures_them() -> None:
    assert of_recordings("legs", ["a b"]) == ['folder="a b"'] and of_recordings("people", []) == []
    assert load_scenario("pictures", of_recordings("pictures", ["a", "b c"])).options["folders"] == ["a", "b c"]
    with pytest.raises(AmiError, match="takes one file or folder, not 2"):
        of_recordings("legs", ["a", "b"])
    with pytest.raises(AmiError, match="measures no recordings, so 'x'"):
        of_recordings("people", ["x"])
