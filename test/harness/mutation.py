"""`ami test --mutate`: changes the code in small ways, and looks whether some test notices.

cosmic-ray makes the mutants, constants and defaults of dataclasses included, and keeps what came of each in a database.
So a run can be stopped at any time, and the next one goes on. It works in a copy of the repository. mutmut 3 was not
chosen: it changes functions alone, not the constants of a module.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.core.errors import AmiError

REPOSITORY = Path(__file__).resolve().parents[2]
EQUIVALENT = REPOSITORY / "test" / "equivalent_mutants.yaml"
COPIED = "ami_ros", "test", "examples"  # the rest of the repository is linked
PATIENCE = 3.0  # times that the tests may take as long as without a mutant, and 10 s: a loop without end is noticed
OPTIONS = "-p", "harness.fast_first", "-p", "no:cacheprovider", "-p", "no:xdist", "-x", "-q", "--hypothesis-seed=0"


@dataclass(frozen=True)
class Mutant:
    """A change of one line that no test noticed."""

    path: str  # from the repository
    was: str  # the line, without the spaces around it
    becomes: str


@dataclass(frozen=True)
class Mutated:
    """What came of a run."""

    killed: int
    pending: int
    survivors: list[Mutant]  # that are not known to be equivalent
    equivalent: int


class Mutation:
    """Mutants of some files, and the tests that should notice them.

    Args:
        paths: files or folders of `ami_ros` to change.
        tests: for pytest; empty: the folder of `test` that mirrors each path.
        state: folder for the copy and the database.

    Raises:
        AmiError: cosmic-ray is not installed, or there is nothing to change.
    """

    def __init__(self, paths: list[Path], tests: list[str], state: Path) -> None:
        self.paths = [path.resolve().relative_to(REPOSITORY) for path in paths]
        if missing := [path for path in self.paths if not (REPOSITORY / path).exists() or path.parts[0] != "ami_ros"]:
            raise AmiError(f"{missing[0]} is no file or folder of ami_ros: nothing to change there")
        try:
            import cosmic_ray  # noqa: F401
        except ImportError:
            raise AmiError(
                "cosmic-ray is not installed: ./ami shell pip install -r requirements/mutation.txt"
            ) from None
        self.tests = tests or sorted({str(_mirror(path)) for path in self.paths})
        name = hashlib.sha256(repr((self.paths, self.tests)).encode()).hexdigest()[:12]
        self._folder, self._tree = state / "mutation" / name, state / "mutation" / name / "tree"

    def run(self, minutes: float, say: Callable[[str], None]) -> Mutated:
        """Tries mutants that were not tried yet, in any order, until time is up; tells `say` how far it is.

        Raises:
            AmiError: the tests fail without any mutant.
        """
        from cosmic_ray.mutating import mutate_and_test
        from cosmic_ray.work_db import use_db

        end = time.monotonic() + 60 * minutes
        fresh = self._copy()
        os.chdir(self._tree)
        with use_db(str(self._folder / "session.sqlite")) as session:
            if not session.num_work_items:
                self._make(session)
            say(f"{session.num_work_items} mutants; first the tests without any: {' '.join(self.tests)}")
            patience = 10.0 + PATIENCE * self._baseline()
            again = [item for item, result in session.completed_work_items if fresh and _survived(result)]
            items = [
                *again,
                *sorted(
                    session.pending_work_items, key=lambda item: hashlib.md5(repr(item.mutations).encode()).digest()
                ),
            ]
            for number, item in enumerate(items, 1):
                if time.monotonic() > end:
                    break
                result = mutate_and_test(item.mutations, self._command, patience)
                session.set_result(item.job_id, result)
                mutation = item.mutations[0]
                outcome = "survived" if _survived(result) else "killed"
                say(f"{number} of {len(items)}: {mutation.module_path}:{mutation.start_pos[0]} {outcome}")
            return _result(session)

    def _make(self, session: Any) -> None:
        """All mutants but those of types, which change nothing that runs."""
        from cosmic_ray.commands import init
        from cosmic_ray.modules import find_modules
        from cosmic_ray.work_item import WorkerOutcome, WorkResult

        init(find_modules(self.paths), session, {})
        types = {str(path): [*_annotations(path.read_text())] for path in find_modules(self.paths)}
        idle = [
            item.job_id
            for item in session.work_items
            if any(
                (a, b) <= item.mutations[0].start_pos < (c, d)
                for a, b, c, d in types[str(item.mutations[0].module_path)]
            )
        ]
        session.set_multiple_results(idle, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))

    @property
    def _command(self) -> str:
        return shlex.join([sys.executable, "-m", "pytest", *OPTIONS, *self.tests])

    def _copy(self) -> bool:
        """Copies the code as it is now, and forgets what came of other code; whether the tests are other ones."""
        code, tests = _digest([REPOSITORY / path for path in self.paths]), _digest([REPOSITORY / "test"])
        mark = self._folder / "code"
        before = mark.read_text().split() if mark.exists() else ["", ""]
        if before[0] != code:
            shutil.rmtree(self._folder, ignore_errors=True)
        elif before[1] == tests:
            return False
        shutil.rmtree(self._tree, ignore_errors=True)
        self._tree.mkdir(parents=True)
        for entry in REPOSITORY.iterdir():
            if entry.name in COPIED:
                shutil.copytree(entry, self._tree / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif entry.name == "pyproject.toml":
                shutil.copy(entry, self._tree)
            elif not entry.name.startswith("."):
                (self._tree / entry.name).symlink_to(entry)
        (self._folder / "durations.json").unlink(missing_ok=True)
        mark.write_text(f"{code} {tests}")
        return before[0] == code

    def _baseline(self) -> float:
        """Time [s] that the tests take without a mutant, fastest first; they have to pass."""
        os.environ |= {"FAST_FIRST": str(self._folder / "durations.json"), "PYTHONDONTWRITEBYTECODE": "1"}
        began = time.monotonic()
        result = subprocess.run([sys.executable, "-m", "pytest", *OPTIONS, *self.tests], capture_output=True, text=True)
        if result.returncode:
            raise AmiError(f"the tests fail without any mutant: {' '.join(result.stdout.split()[-30:])}")
        return time.monotonic() - began


def run(paths: list[Path], tests: list[str], minutes: float, state: Path) -> int:
    """Tries mutants for so long and prints the survivors; the exit code."""
    from rich.console import Console

    console = Console(emoji=False, highlight=False)
    mutation = Mutation(paths, tests, state)
    with console.status("copying") as status:
        found = mutation.run(minutes, status.update)
    for mutant in found.survivors:
        console.print(
            f"{mutant.path}: {mutant.was}\n{' ' * len(mutant.path)}  {mutant.becomes}", soft_wrap=True, markup=False
        )
    tried = found.killed + found.equivalent + len(found.survivors)
    console.print(
        f"{tried} mutants tried: {found.killed} killed, {found.equivalent} equivalent, {len(found.survivors)} survive; "
        f"{found.pending} not tried yet"
    )
    return 1 if found.survivors or found.pending else 0


def _survived(result: Any) -> bool:
    return bool(result.test_outcome is not None and result.test_outcome.value == "survived")


def _result(session: Any) -> Mutated:
    known, killed, survivors, equivalent = _equivalent(), 0, [], 0
    for _, result in session.results:
        if result.worker_outcome.value == "skipped":
            continue
        if not _survived(result):
            killed += 1
            continue
        mutant = _mutant_of(result.diff)
        equivalent += mutant in known
        survivors += [] if mutant in known else [mutant]
    return Mutated(killed, len(session.pending_work_items), survivors, equivalent)


def _digest(paths: list[Path]) -> str:
    """Of the code in files and folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _mirror(path: Path) -> Path:
    """The tests of a file or folder of ami_ros: the folder of `test` at its place, or the nearest above it."""
    folder = Path("test", *path.with_suffix("").parts[1:])
    while not (REPOSITORY / folder).is_dir():
        folder = folder.parent
    return folder


def _annotations(code: str) -> Iterator[tuple[int, int, int, int]]:
    """Where types are written: line, column, last line, last column."""
    for node in ast.walk(ast.parse(code)):
        for name in ("annotation", "returns"):
            part = getattr(node, name, None)
            if isinstance(part, ast.expr):
                yield part.lineno, part.col_offset, part.end_lineno or 0, part.end_col_offset or 0


def _mutant_of(diff: str) -> Mutant:
    lines = diff.splitlines()
    was = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    becomes = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    path = next(line for line in lines if line.startswith("+++ b/"))
    return Mutant(path.removeprefix("+++ b/"), " ".join(was), " ".join(becomes))


def _equivalent() -> set[Mutant]:
    """Mutants that change nothing, each with its reason, as test/equivalent_mutants.yaml has them."""
    import yaml

    listed = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    for entry in listed:
        if set(entry) != {"path", "was", "becomes", "reason"}:
            raise AmiError(f"{EQUIVALENT}: an entry needs path, was, becomes and reason; {entry} has {sorted(entry)}")
    return {Mutant(entry["path"], entry["was"], entry["becomes"]) for entry in listed}
