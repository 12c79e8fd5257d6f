"""The exception that people see."""

from __future__ import annotations

from ami_ros.errors import AmiError


def test_an_error_is_its_message_and_may_have_a_code() -> None:
    error = AmiError("model x: weights are missing; train it", code=10306)
    assert str(error) == "model x: weights are missing; train it"
    assert (error.code, error.exit_code, AmiError("no code").code) == (10306, 2, 0)
