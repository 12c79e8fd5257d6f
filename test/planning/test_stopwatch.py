"""How long something has been so."""

from ami_ros.planning.monitors import Stopwatch


def test_it_runs_while_the_condition_holds_without_a_break() -> None:
    watch = Stopwatch()
    assert [watch.held(True, stamp) for stamp in (5.0, 5.5, 7.0)] == [0.0, 0.5, 2.0]
    assert watch.held(False, 8.0) == 0.0
    assert watch.held(True, 9.0) == 0.0
    assert watch.held(True, 9.5) == 0.5
