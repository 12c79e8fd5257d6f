"""./ami bench report: the page is that of the data file, stale rows are marked, and new figures belong to a commit."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ami_ros.app import bench_report
from ami_ros.app.bench_report import Figures, Row, Run, added, page, read, stale_runs
from ami_ros.errors import AmiError
from harness.processes import REPOSITORY

REACHED = {"near": {"n": 30, "reached": 29, "wilson_low": 0.833, "wilson_high": 0.994}}
FIGURES = Figures(
    code={"solver": ("ami_ros/planning", "models/onboard")},
    runs=(
        Run("search", "./ami bench solver --seed 3", "40 moments", "", "2026-01-02", "somewhere", ("solver",),
            (Row("time of a search", "80 ms", "{search_p50_ms:.0f} ms"), Row("goals", "none", "{near}"))),
        Run("bags", "./ami bench data", "one bag", "", "2026-01-02", "somewhere", ("ami_ros/learning",),
            (Row("frames a second", "2,170"),)),
    ),
)  # fmt: skip


def git(clone: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    return subprocess.check_output(["git", "-C", str(clone), *identity, *arguments], text=True).strip()


def change(clone: Path, file: str, text: str) -> None:
    (clone / file).parent.mkdir(parents=True, exist_ok=True)
    (clone / file).write_text(text)


def commit(clone: Path) -> str:
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "change")
    return git(clone, "rev-parse", "--short", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    for file in ("ami_ros/planning/icem.py", "ami_ros/learning/bags.py"):
        change(tmp_path, file, '"""What it is."""\n\nX = 1  # why\n')
    change(tmp_path, "models/onboard/weights", "1")
    commit(tmp_path)
    return tmp_path


@pytest.fixture
def figures(clone: Path) -> Figures:
    """As measured at the commit of `clone`."""
    at = git(clone, "rev-parse", "--short", "HEAD")
    return replace(FIGURES, runs=tuple(replace(run, commit=at) for run in FIGURES.runs))


def output(tmp_path: Path, **values: object) -> Path:
    file = tmp_path / "out.json"
    file.write_text(json.dumps({"seed": 3, "processor": "Z80", "cores": 2, "search_p50_ms": 61.2, **REACHED, **values}))
    return file


def test_committed_page_is_that_of_the_data_file() -> None:
    text = (REPOSITORY / bench_report.PAGE).read_text(encoding="utf-8")
    unmarked = text.replace("| stale |", "|  |")
    assert unmarked == page(read(REPOSITORY / bench_report.DATA), ()), "run: ./ami bench report"


def test_committed_runs_name_paths_that_exist() -> None:
    figures = read(REPOSITORY / bench_report.DATA)
    missing = {path for run in figures.runs for path in figures.paths(run) if not (REPOSITORY / path).exists()}
    assert figures.runs and not missing


def test_nothing_is_stale_at_its_own_commit(clone: Path, figures: Figures) -> None:
    assert stale_runs(figures, clone) == set()


@pytest.mark.parametrize(
    ("file", "text", "stale"),
    [
        ("ami_ros/planning/icem.py", '"""What it is."""\n\nX = 2  # why\n', {"search"}),
        ("ami_ros/planning/icem.py", '"""Said better."""\n\nX = 1  # why, said better\n', set()),
        ("ami_ros/planning/icem.py", '"""What it is."""\n\nX = """What it is."""\n', {"search"}),
        ("ami_ros/learning/new.py", "", {"bags"}),
        ("models/onboard/weights", "2", {"search"}),
        ("README.md", "# New", set()),
    ],
    ids=["code", "comments", "text", "new file", "model", "elsewhere"],
)
def test_row_is_stale_when_code_or_model_that_it_depends_on_changes(
    clone: Path, figures: Figures, file: str, text: str, stale: set[str]
) -> None:
    change(clone, file, text)
    commit(clone)
    assert stale_runs(figures, clone) == stale


def test_removed_code_is_stale(clone: Path, figures: Figures) -> None:
    (clone / "ami_ros/learning/bags.py").unlink()
    assert stale_runs(figures, clone) == {"bags"}


def test_stale_rows_are_marked(figures: Figures) -> None:
    rows = page(figures, {"search"}).splitlines()[-3:]
    assert [row.endswith("| stale |") for row in rows] == [True, True, False]


def test_figures_are_taken_with_commit_and_machine(clone: Path, figures: Figures, tmp_path: Path) -> None:
    change(clone, "ami_ros/planning/icem.py", "X = 2\n")
    at = commit(clone)
    run, other = added(figures, "search", output(tmp_path), clone).runs
    assert [row.figure for row in run.rows] == ["61 ms", "29 of 30 (83 to 99 %)"]
    assert (run.commit, run.machine) == (at, "2 cores of Z80") and run.date > "2026-01-02"
    assert other == figures.runs[1]


def test_data_file_is_read_as_it_was_written(figures: Figures, tmp_path: Path) -> None:
    bench_report.write(tmp_path / "figures.json", figures)
    assert read(tmp_path / "figures.json") == figures


def test_figures_of_another_seed_are_refused(clone: Path, figures: Figures, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="is of seed 4, the run 'search' of seed 3"):
        added(figures, "search", output(tmp_path, seed=4), clone)


def test_figures_of_uncommitted_code_are_refused(clone: Path, figures: Figures, tmp_path: Path) -> None:
    change(clone, "ami_ros/planning/icem.py", "X = 2\n")
    with pytest.raises(AmiError, match=r"ami_ros/planning/icem.py is not committed"):
        added(figures, "search", output(tmp_path), clone)


def test_figure_that_is_not_in_the_file_is_refused(clone: Path, figures: Figures, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="does not have what 'time of a search' shows: 'search_p50_ms'"):
        file = output(tmp_path)
        file.write_text(file.read_text().replace("search_p50_ms", "other"))
        added(figures, "search", file, clone)


def test_row_without_a_template_and_unknown_run_are_refused(clone: Path, figures: Figures, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="'frames a second' has no template"):
        added(figures, "bags", output(tmp_path), clone)
    with pytest.raises(AmiError, match="no run 'other'; known are search, bags"):
        added(figures, "other", output(tmp_path), clone)


def test_commit_that_the_clone_lacks_is_one_line(clone: Path, figures: Figures) -> None:
    lost = replace(figures, runs=(replace(figures.runs[0], commit="0123456"),))
    with pytest.raises(AmiError, match=r"^bench report: git diff failed: .*0123456[^\n]*$"):
        stale_runs(lost, clone)
