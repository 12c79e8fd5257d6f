"""The newest piece of work wins, nobody waits, and no exception ends the worker."""

from __future__ import annotations

import threading

from ami_ros.ros.node.bus import Worker
from harness.waiting import wait_until


def test_newest_item_replaces_one_that_waits() -> None:
    release = threading.Event()
    done: list[int] = []

    def task(item: int) -> None:
        release.wait(10)
        done.append(item)

    worker: Worker[int] = Worker("test", task, lambda error: None)
    worker.submit(1)
    wait_until(lambda: worker.busy_for() > 0)
    worker.submit(2)
    worker.submit(3)
    release.set()
    wait_until(lambda: len(done) == 2)
    assert worker.close() and done == [1, 3]


def test_exception_is_reported_and_the_next_item_is_done() -> None:
    errors: list[Exception] = []
    done: list[int] = []

    def task(item: int) -> None:
        if item == 0:
            raise ValueError("out of memory")
        done.append(item)

    worker: Worker[int] = Worker("test", task, errors.append)
    worker.submit(0)
    wait_until(lambda: errors)
    worker.submit(1)
    wait_until(lambda: done)
    assert worker.close() and str(errors[0]) == "out of memory"


def test_work_that_hangs_is_seen_and_left_behind() -> None:
    release = threading.Event()

    def hang(item: int) -> None:
        release.wait(30)

    worker: Worker[int] = Worker("test", hang, lambda error: None)
    worker.submit(1)
    wait_until(lambda: worker.busy_for() > 0.05)
    assert not worker.close(timeout=0.05)
    release.set()
    assert worker.close()


def test_idle_worker_is_not_busy_and_cleared_work_is_not_done() -> None:
    release = threading.Event()
    done: list[int] = []

    def task(item: int) -> None:
        release.wait(10)
        done.append(item)

    worker: Worker[int] = Worker("test", task, lambda error: None)
    assert worker.busy_for() == 0.0
    worker.submit(1)
    wait_until(lambda: worker.busy_for() > 0)
    worker.submit(2)
    worker.clear()
    release.set()
    assert worker.close() and done == [1]


def test_other_work_is_done_between_items_until_there_is_none() -> None:
    done: list[str] = []

    def between() -> bool:
        done.append("between")
        return done.count("between") % 3 != 0

    worker: Worker[str] = Worker("test", done.append, lambda error: None, between)
    worker.submit("first")
    wait_until(lambda: len(done) == 4)
    worker.submit("second")
    wait_until(lambda: len(done) == 8)
    assert worker.close() and done == ["first", *["between"] * 3, "second", *["between"] * 3]


def test_items_and_whoever_wants_a_lock_come_before_other_work() -> None:
    lock, done = threading.Lock(), list[int]()

    def between() -> bool:
        with lock:
            return True

    worker: Worker[int] = Worker("test", done.append, lambda error: None, between)
    worker.submit(1)
    wait_until(lambda: done)
    for _ in range(20):
        assert lock.acquire(timeout=10)
        lock.release()
    worker.submit(2)
    wait_until(lambda: done == [1, 2])
    assert worker.close()
