"""Work in slices."""

from __future__ import annotations

import pytest

from ami_ros.core.background import Backlog, Slices, finished


def test_the_most_urgent_task_goes_first_and_one_that_has_begun_is_not_interrupted() -> None:
    done: list[str] = []
    backlog = Backlog()

    def task(name: str) -> Slices[None]:
        for k in range(2):
            done.append(f"{name}{k}")
            yield

    backlog.add(1, lambda: task("a"))
    backlog.add(1, lambda: task("b"))
    backlog.step()
    backlog.add(0, lambda: task("c"))
    backlog.begin_again()
    while backlog.step():
        pass
    assert done == ["a0", "c0", "c1", "a0", "a1", "b0", "b1"] and not len(backlog)


def test_a_task_that_fails_is_dropped_and_the_next_one_is_done() -> None:
    backlog, done = Backlog(), list[int]()

    def fails() -> Slices[None]:
        yield
        raise ValueError("no")

    def works() -> Slices[int]:
        yield
        return 3

    def keeps() -> Slices[None]:
        done.append((yield from works()))

    backlog.add(0, fails)
    backlog.add(1, keeps)
    backlog.step()
    with pytest.raises(ValueError, match="no"):
        backlog.step()
    while backlog.step():
        pass
    assert done == [3] and finished(works()) == 3
