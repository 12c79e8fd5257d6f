"""Batches are made while the model computes, in order, and what goes wrong is not lost."""

from __future__ import annotations

import threading

import pytest

from ami_ros.world_model.learning.trainer import Prefetcher


def test_the_next_value_is_made_while_this_one_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]

    def make(number: int) -> int:
        begun[number].set()
        return 10 * number

    ahead = Prefetcher(make, 3)
    assert ahead.take(0) == 0
    assert begun[1].wait(10) and ahead.take(1) == 10 and ahead.take(2) == 20
    ahead.close()
    assert not begun[3].is_set() and ahead.waited >= 0


def test_what_was_made_before_a_change_can_be_forgotten() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return len(made)

    ahead = Prefetcher(make, 10)
    assert ahead.take(0) == 1
    ahead.forget()
    assert made == [0, 1] and ahead.take(1) == 3
    ahead.close()


def test_any_number_can_be_the_first() -> None:
    ahead = Prefetcher(lambda number: number, 100)
    assert [ahead.take(n) for n in (7, 8, 30, 31)] == [7, 8, 30, 31]
    ahead.close()


def test_an_error_comes_out_where_its_value_is_taken() -> None:
    def make(number: int) -> int:
        if number == 1:
            raise OSError("the disk is gone")
        return number

    ahead = Prefetcher(make, 5)
    assert ahead.take(0) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        ahead.take(1)
    ahead.close()


def test_waiting_is_counted() -> None:
    ready = threading.Event()
    ahead = Prefetcher(lambda number: ready.wait(0.2), 1)
    ahead.take(0)
    ahead.close()
    assert ahead.waited > 0.1
