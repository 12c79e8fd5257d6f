"""Figures of a release: trials are kept in one file, gone on from, and drawn as the page."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ami_ros.bench import release
from ami_ros.bench.release import Release, figures, keep, kept, load_release, measure, page, restore
from ami_ros.bench.scenario import Scenario, TrialStore, git, load_scenario
from ami_ros.core.errors import AmiError
from harness.processes import REPOSITORY

ROW = {"kind": "near", "reached": 1, "tried": 1, "time_s": 5.0, "collisions": 0, "plan_ms": [4.0, 9.0], "notes": "long"}


def driven(folder: Path, at: str, parts: int = 99) -> Scenario:
    """The scenario `planning` as if `parts` of it had been driven."""
    scenario = load_scenario("planning")
    store = TrialStore(folder, scenario, at)
    for part, seed in store.missing()[:parts]:
        list(store.keep(part, seed, [ROW, ROW | {"kind": "far"}]))
    return scenario


def test_the_list_names_scenarios_that_ship_and_a_row_each_at_most() -> None:
    listed = load_release()
    assert len(set(listed.scenarios)) == len(listed.loaded()) <= 15
    with pytest.raises(ValueError, match="1 to 15"):
        replace(listed, scenarios=())


def test_a_run_goes_on_from_the_trials_that_were_kept(tmp_path: Path) -> None:
    """What no measure reads is left out of the file."""
    file = tmp_path / "trials.xz"
    scenario = driven(tmp_path / "one", "abc", parts=4)
    keep(file, tmp_path / "one", "abc", [scenario])
    assert "notes" not in kept(file)[0]["rows"][0] and len(kept(file)) == 4
    restore(file, tmp_path / "other", "abc")
    there = TrialStore(tmp_path / "other", scenario, "abc")
    assert len(there.keys) - len(there.missing()) == 4
    assert scenario.figures(there.rows()) == scenario.figures(TrialStore(tmp_path / "one", scenario, "abc").rows())
    restore(file, tmp_path / "next", "of another commit")
    assert not (tmp_path / "next").exists()


def test_only_what_was_measured_in_whole_has_a_row(tmp_path: Path) -> None:
    file, listed = tmp_path / "trials.xz", Release("1.2.3", "abc", ("planning", "doors"))
    keep(file, tmp_path, "abc", [driven(tmp_path, "abc", parts=9)])
    assert figures(listed, kept(file)) == []
    keep(file, tmp_path, "abc", [driven(tmp_path, "abc")])
    text = page(listed, figures(listed, kept(file)))
    (row,) = [line for line in text.splitlines() if "./ami bench planning`" in line]
    assert "near goals reached: 10 of 10" in row and "*few*" in row and "doors" not in text and "1.2.3" in text


def test_trials_that_are_too_many_or_damaged_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "trials.xz"
    with monkeypatch.context() as patched, pytest.raises(AmiError, match="more than the 2 MB"):
        patched.setattr(lzma, "compress", lambda content, preset: bytes(2_000_001))
        keep(file, tmp_path, "abc", [driven(tmp_path, "abc", 1)])
    assert not file.exists()
    file.write_bytes(b"damaged")
    with pytest.raises(AmiError, match="check it out again"):
        kept(file)


def test_a_frozen_commit_is_measured_in_a_tree_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts are there already, so nothing is driven."""
    head = git("rev-parse", "--short", "HEAD")
    if head is None:
        pytest.skip("not a clone")
    for name in ("TRIALS", "PAGE", "CHART"):
        monkeypatch.setattr(release, name, tmp_path / f"{name}.png")
    monkeypatch.setattr(release, "load_release", lambda: Release("1.2.3", head, ("planning",)))
    driven(tmp_path / "out", head)
    try:
        measure(tmp_path / "out", 1, "", [], Console(quiet=True))
    finally:
        git("worktree", "remove", "--force", str(tmp_path / "out" / "tree"))
    assert "near goals reached: 10 of 10" in (tmp_path / "PAGE.png").read_text()
    assert (tmp_path / "CHART.png").read_bytes()[1:4] == b"PNG"
    assert {json.dumps(line["at"]) for line in kept(tmp_path / "TRIALS.png")} == {json.dumps(head)}
    assert not (REPOSITORY / "tree").exists()


def test_without_a_frozen_commit_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit, only, words in (("", (), "no commit is frozen"), ("abc", ("none_such",), "not in scenarios")):
        monkeypatch.setattr(release, "load_release", lambda c=commit: Release("1.2.3", c, ("planning",)))
        with pytest.raises(AmiError, match=words):
            measure(tmp_path, 1, "", only, Console(quiet=True))
