"""`ami test`: the tests, with pytest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

CONTEXT_SETTINGS = {"ignore_unknown_options": True}
REPOSITORY = Path(__file__).resolve().parents[2]


def main(
    arguments: Annotated[list[str] | None, typer.Argument(help="For pytest: paths, -k NAME, -x, ...")] = None,
) -> NoReturn:
    """Runs the tests, two at a time unless -n says otherwise; without a path all of them."""
    given = [_path_from_here(argument) for argument in arguments or []]
    state = os.environ.get("AMI_STATE")
    cache = ["-o", f"cache_dir={state}/cache/pytest"] if state else []
    workers = [] if any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in given) else ["-n", "2"]
    os.chdir(REPOSITORY)
    sys.stdout.flush()
    configuration = ["--rootdir", str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *configuration, *cache, *workers, *given])


def _path_from_here(argument: str) -> str:
    """pytest runs in the repository; a path may be meant from the folder that the user is in."""
    path, separator, test = argument.partition("::")
    if argument.startswith("-") or not Path(path).exists():
        return argument
    return f"{Path(path).resolve()}{separator}{test}"
