"""The exception that people see."""

from __future__ import annotations

from ami_ros.core.errors import AmiError


def test_an_error_is_its_message_and_may_have_a_code() -> None:
    error = AmiError("model x: weights are missing; train it", code=10306)
    assert str(error) == "model x: weights are missing; train it"
    assert (error.code, error.exit_code, AmiError("no code").code) == (10306, 2, 0)


def test_names_from_outside_write_no_lines_of_their_own() -> None:
    name = "desk'\n[ERROR] robot: all is well \u202e\x1b[2J"
    text = str(AmiError(f"no place '{name}'"))
    assert text.isprintable() and "desk" in text and "\\n" in text
    assert str(AmiError("Küche 日本")) == "Küche 日本"
