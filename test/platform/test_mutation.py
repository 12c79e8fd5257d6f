"""`./ami test --mutate`: which changes no test notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.core.errors import AmiError
from harness import mutation
from harness.mutation import EQUIVALENT, REPOSITORY, Mutant

DIFF = """--- mutation diff ---
--- a/ami_ros/safety/output.py
+++ b/ami_ros/safety/output.py
@@ -9,3 +9,3 @@
 a
-LONGEST = 0.1  # [s]
+LONGEST = 1.1  # [s]
 b
"""


def test_a_survivor_is_named_by_its_file_and_the_line_before_and_after() -> None:
    was, becomes = "LONGEST = 0.1  # [s]", "LONGEST = 1.1  # [s]"
    assert mutation._mutant_of(DIFF) == Mutant("ami_ros/safety/output.py", was, becomes)


def test_the_tests_of_a_file_are_those_in_the_folder_of_its_name_or_the_nearest_above() -> None:
    assert mutation._mirror(Path("ami_ros/safety/keep_out.py")) == Path("test/safety")
    assert mutation._mirror(Path("ami_ros/safety")) == Path("test/safety")
    assert mutation._mirror(Path("ami_ros/core/errors.py")) == Path("test/core")


def test_types_are_told_from_what_runs() -> None:
    code = "def f(x: int | None = 1 | 2) -> int | str:\n    y: int | None = 3 | 4\n    return y\n"
    types = [code.splitlines()[a - 1][b:d] for a, b, _, d in mutation._annotations(code)]
    assert sorted(types) == ["int | None", "int | None", "int | str"]


def test_equivalent_mutants_have_a_reason_and_are_still_in_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mutant in mutation._equivalent():
        lines = [line.strip() for line in (REPOSITORY / mutant.path).read_text(encoding="utf-8").splitlines()]
        assert mutant.was in lines, f"{EQUIVALENT}: {mutant}"
    without = tmp_path / "mutants.yaml"
    without.write_text("- {path: a.py, was: a, becomes: b}\n")
    monkeypatch.setattr(mutation, "EQUIVALENT", without)
    with pytest.raises(AmiError, match="needs path, was, becomes and reason"):
        mutation._equivalent()


def test_nothing_outside_of_the_code_is_changed(tmp_path: Path) -> None:
    for path in ("test", "ami_ros/nowhere"):
        with pytest.raises(AmiError, match="no file or folder of ami_ros"):
            mutation.Mutation([REPOSITORY / path], [], tmp_path)
