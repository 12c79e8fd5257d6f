"""Tasks that processes share by a folder: each is done once, and what a dead process left is done by others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ami_ros.memory.fleet.shared_tasks import SharedTasks


def test_several_workers_do_each_task_once_and_all_get_all_results(tmp_path: Path) -> None:
    done: list[str] = []
    found: dict[int, dict] = {}

    def task(name: str) -> dict:
        done.append(name)
        return {"name": name}

    def work(number: int) -> None:
        found[number] = SharedTasks(tmp_path).run({f"t{k}": lambda k=k: task(f"t{k}") for k in range(40)})  # type: ignore[misc]

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    wanted = {f"t{k}": {"name": f"t{k}"} for k in range(40)}
    assert sorted(done) == sorted(wanted) and all(found[k] == wanted for k in range(4))
    assert list(found[0]) == list(wanted)


def test_what_nobody_touches_any_more_is_done_by_another(tmp_path: Path) -> None:
    (tmp_path / "a.claim").touch()  # of a process that was killed
    assert SharedTasks(tmp_path, abandoned=0.2).run({"a": lambda: {"n": 1}}) == {"a": {"n": 1}}


def test_a_task_that_takes_long_is_left_to_who_is_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_ros.memory.fleet.shared_tasks.TOUCHED", 0.05)
    begun, go_on, twice = threading.Event(), threading.Event(), threading.Event()

    def long() -> dict:
        if begun.is_set():
            twice.set()
        begun.set()
        go_on.wait(20.0)
        return {}

    workers = [threading.Thread(target=SharedTasks(tmp_path, 0.6).run, args=({"a": long},)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert begun.wait(20.0) and not twice.wait(1.5)
    go_on.set()
    for worker in workers:
        worker.join()


def test_a_task_that_fails_is_free_for_others(tmp_path: Path) -> None:
    def bad() -> dict:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        SharedTasks(tmp_path).run({"a": bad})
    assert SharedTasks(tmp_path).run({"a": lambda: {"n": 2}}) == {"a": {"n": 2}}
