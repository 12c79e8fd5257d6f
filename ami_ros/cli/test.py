"""`ami test`: the tests, with pytest."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ami_ros.core.errors import AmiError

CONTEXT_SETTINGS = {"ignore_unknown_options": True}
REPOSITORY = Path(__file__).resolve().parents[2]


def main(
    arguments: Annotated[list[str] | None, typer.Argument(help="For pytest: paths, -k NAME, -x, ...")] = None,
    mutate: Annotated[
        list[Path] | None,
        typer.Option(help="Make small changes in this file or folder. Some test must notice each change."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Time limit for --mutate [min]. The next run continues.", min=0.0)
    ] = 60.0,
) -> NoReturn:
    """Run the tests. Without a path it runs all of them. -n sets how many run in parallel.

    --mutate makes small changes and names those that no test notices. It fails if one of them is not in
    test/equivalent_mutants.yaml, or if time ran out. Paths are then the tests to run. Without any it takes the folder
    of the same name.
    """
    if mutate:
        _mutate(mutate, arguments or [], minutes)
    given = [_path_from_here(argument) for argument in arguments or []]
    state = os.environ.get("AMI_STATE")
    cache = ["-o", f"cache_dir={state}/cache/pytest"] if state else []
    # Tests of nodes wait for processes half of the time; a worker that has no more tests takes over those of others.
    workers = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
    if any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in given):
        workers = []
    os.chdir(REPOSITORY)
    sys.stdout.flush()
    configuration = ["--rootdir", str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *configuration, *cache, *workers, *given])


def _mutate(paths: list[Path], tests: list[str], minutes: float) -> NoReturn:
    sys.path.insert(0, str(REPOSITORY / "test"))
    mutation = importlib.import_module("harness.mutation")
    sys.exit(mutation.run(paths, tests, minutes, Path(os.environ.get("AMI_STATE", REPOSITORY / ".ami"))))


def _path_from_here(argument: str) -> str:
    """pytest runs in the repository; a path may be meant from the folder that the user is in."""
    path, separator, test = argument.partition("::")
    if path.endswith(".py") and not (Path(path).exists() or (REPOSITORY / path).exists()):
        raise AmiError(f"test: there is no file {path}")  # with several workers pytest says only that no test ran
    if argument.startswith("-") or not Path(path).exists():
        return argument
    return f"{Path(path).resolve()}{separator}{test}"
