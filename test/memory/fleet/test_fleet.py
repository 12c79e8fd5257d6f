"""Memories of a fleet in one data set: what a robot puts in comes out as it was."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.cli.memory import fleet_export as export_command
from ami_ros.cli.memory import fleet_import as import_command
from ami_ros.core.errors import AmiError
from ami_ros.memory.fleet.dataset import BATCH, PLACES, compact, export_memory, import_memory, robots_of
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, Experience, PlaceRow, edge_values

ENCODER, DIM = "net@0123456789ab", 4


def write(path: Path, count: int, label: str) -> Path:
    store = Store(path, ENCODER, DIM)
    rng = np.random.default_rng(count)
    for k in range(1, count + 1):
        row = PlaceRow(
            k, rng.normal(size=DIM).astype(np.float32), rng.normal(size=3), k, k + 0.5, k, thumbnail=b"p%d" % k
        )
        store.put_places(
            [replace(row, label=label if k == 2 else "", note="n", episode=3, surprise=6.5, keep_away=1.0)]
        )
    store.put_experience(2, Experience(np.eye(3, dtype=np.float32), np.ones((5, 2), np.float32)))
    store.put_edges(Edge(k, k + 1, rng.normal(size=3), 2, 1.5, 1, 9.0) for k in range(1, count))
    store.close()
    return path


def check_same(first: Path, second: Path) -> None:
    a, b = (Store(path, ENCODER, DIM, read_only=True) for path in (first, second))
    (places, edges), (others, ways) = a.load(), b.load()
    assert len(places) == len(others) and [edge_values(e) for e in edges] == [edge_values(e) for e in ways]
    for here, there in zip(places, others, strict=True):
        np.testing.assert_array_equal(here.latent, there.latent)
        np.testing.assert_array_equal(here.pose, there.pose)
        blank: dict[str, Any] = {"latent": np.zeros(0, np.float32), "pose": np.zeros(0)}
        assert repr(replace(here, **blank)) == repr(replace(there, **blank))
        assert a.thumbnail(here.id) == b.thumbnail(here.id) != b""
    np.testing.assert_array_equal(a.experience([2])[2].covariance, b.experience([2])[2].covariance)
    np.testing.assert_array_equal(a.experience([2])[2].commands, b.experience([2])[2].commands)
    assert set(b.experience([1, 2])) == {2}
    a.close()
    b.close()


def test_robots_put_their_memories_in_and_take_them_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lance")
    first, second = write(tmp_path / "a.memory", 5, "dock"), write(tmp_path / "b.memory", 9, "door")
    fleet = tmp_path / "fleet"
    export_command(first, fleet, robot="ada")
    export_command(second, fleet, robot="bob")
    import_command(fleet)
    assert "5 places and 4 ways of ada" in (said := capsys.readouterr().out) and said.endswith("ada\nbob\n")
    assert import_memory(fleet, "ada", tmp_path / "a2.memory") == (5, 4)
    import_command(fleet, tmp_path / "b2.memory", robot="bob")
    check_same(first, tmp_path / "a2.memory")
    check_same(second, tmp_path / "b2.memory")
    # Who exports again takes the place of what was there.
    assert export_memory(write(tmp_path / "a3.memory", 6, "desk"), fleet, "ada") == (6, 5)
    assert import_memory(fleet, "ada", tmp_path / "a4.memory") == (6, 5)
    check_same(tmp_path / "a3.memory", tmp_path / "a4.memory")
    assert robots_of(fleet) == ["ada", "bob"]


def test_a_robot_that_exports_again_is_never_missing_for_who_reads_meanwhile(tmp_path: Path) -> None:
    """Also one that is killed meanwhile leaves what was there: its rows and those before them change in one version."""
    lance = pytest.importorskip("lance")
    small, large, fleet = write(tmp_path / "a", 3, "dock"), write(tmp_path / "b", 2 * BATCH + 1, "door"), tmp_path / "f"
    export_memory(small, fleet, "ada")
    places = lance.dataset(str(fleet / PLACES)).latest_version
    for memory in large, small:
        export_memory(memory, fleet, "ada")
    versions = [lance.dataset(str(fleet / PLACES), version=places + k) for k in range(3)]
    assert [version.count_rows() for version in versions] == [3, 2 * BATCH + 1, 3]
    assert versions[0].latest_version == places + 2


def test_robots_that_export_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("lance")
    memories = [write(tmp_path / f"{count}", count, "dock") for count in (3, 4, 5, 6)]
    fleet, again = tmp_path / "fleet", 3
    export_memory(memories[0], fleet, "first")

    def export(number: int) -> None:
        for _ in range(again):
            export_memory(memories[number], fleet, f"r{number}")

    for _ in range(2):  # then their rows are in one file
        with ThreadPoolExecutor(4) as robots:
            list(robots.map(export, range(4)))
        compact(fleet, 0.0)
    assert robots_of(fleet) == ["first", "r0", "r1", "r2", "r3"]
    for number in range(4):
        assert import_memory(fleet, f"r{number}", tmp_path / f"{number}.memory") == (number + 3, number + 2)
        check_same(memories[number], tmp_path / f"{number}.memory")


def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("lance")
    memory, fleet = write(tmp_path / "a.memory", 3, "dock"), tmp_path / "fleet"
    export_memory(memory, fleet, "ada")
    for call, message in (
        (lambda: export_memory(tmp_path / "none.memory", fleet, "ada"), "no memory"),
        (lambda: export_memory(memory, fleet, "' OR 1=1"), "name"),
        (lambda: import_memory(fleet, "bob", tmp_path / "b.memory"), "nothing of a robot 'bob'"),
        (lambda: import_memory(tmp_path / "none", "ada", tmp_path / "b.memory"), "cannot be read"),
        (lambda: import_memory(fleet, "ada", memory), "exists already"),
        (lambda: robots_of(tmp_path / "none"), "cannot be read"),
        (lambda: import_command(fleet, robot="ada"), "name the memory"),
    ):
        with pytest.raises(AmiError, match=message):
            call()
    assert not (tmp_path / "b.memory").exists()


def test_without_the_extra_the_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(AmiError, match=r"lance is not installed.*requirements/lance\.txt"):
        export_memory(write(tmp_path / "a.memory", 3, "dock"), tmp_path / "fleet", "ada")


def test_compacting_frees_what_was_sent_before_and_keeps_what_was_sent_last(tmp_path: Path) -> None:
    pytest.importorskip("lance", reason="the extra lance is not installed")
    for count in (40, 50, 60):
        export_memory(write(tmp_path / f"a{count}.memory", count, "dock"), tmp_path / "fleet", "a")
    export_memory(write(tmp_path / "b.memory", 30, "desk"), tmp_path / "fleet", "b")

    def size() -> int:
        return sum(file.stat().st_size for file in (tmp_path / "fleet").rglob("*") if file.is_file())

    before = size()
    assert compact(tmp_path / "fleet", 14.0) == 0  # younger versions stay
    freed = compact(tmp_path / "fleet", 0.0)
    assert freed > 0 and size() < before
    import_memory(tmp_path / "fleet", "a", tmp_path / "again.memory")
    check_same(tmp_path / "a60.memory", tmp_path / "again.memory")
    assert robots_of(tmp_path / "fleet") == ["a", "b"]


def test_compacting_what_is_no_data_set_is_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("lance", reason="the extra lance is not installed")
    with pytest.raises(AmiError, match="cannot be compacted"):
        compact(tmp_path, 14.0)
