from ami_ros.console.desk import SILENCE, STANDS_FOR, DeadMan, HandSpeeds


def test_nothing_is_sent_before_somebody_steers() -> None:
    hand = DeadMan()
    assert hand.output(10.0) is None
    hand.let_go(10.0)
    assert hand.output(10.0) is None and not hand.engaged(10.0)


def test_a_command_holds_only_as_long_as_it_is_said_again() -> None:
    hand = DeadMan(HandSpeeds(linear=0.4, angular=1.0))
    hand.steer(1.0, -0.5, 10.0)
    assert hand.output(10.0 + SILENCE - 0.01) == (0.4, -0.5)
    assert hand.output(10.0 + SILENCE + 0.01) == (0.0, 0.0)
    hand.steer(0.5, 0.0, 10.4)
    assert hand.output(10.4) == (0.2, 0.0)


def test_zero_is_sent_for_a_while_and_then_nothing_at_all() -> None:
    hand = DeadMan()
    hand.steer(1.0, 0.0, 10.0)
    assert hand.output(10.0 + SILENCE + STANDS_FOR - 0.01) == (0.0, 0.0)
    assert hand.output(10.0 + SILENCE + STANDS_FOR + 0.01) is None


def test_who_lets_go_stops_the_robot_at_once() -> None:
    hand = DeadMan()
    hand.steer(1.0, 1.0, 10.0)
    hand.let_go(10.05)
    assert hand.output(10.05 + 1e-6) == (0.0, 0.0) and not hand.engaged(10.06)


def test_after_somebody_else_has_the_robot_not_even_zero_is_sent() -> None:
    hand = DeadMan()
    hand.steer(1.0, 1.0, 10.0)
    hand.drop()
    assert hand.output(10.01) is None
