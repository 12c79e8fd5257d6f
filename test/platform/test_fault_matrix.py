"""Each fault that the documentation speaks of has a test that does it."""

from __future__ import annotations

from harness.fault_matrix import FAULTS, PAGE, marked, page


def test_each_fault_has_a_test_and_each_mark_a_fault() -> None:
    tests = marked()
    assert not FAULTS.keys() - tests.keys(), "faults without a test"
    assert not tests.keys() - FAULTS.keys(), "marks that are no row of FAULTS in test/harness/fault_matrix.py"


def test_page_is_what_the_marks_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: ./ami shell python test/harness/fault_matrix.py"
