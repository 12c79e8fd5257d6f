"""Commands whose options are the fields of a frozen dataclass, so that what was asked for is written once."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


def command(job: type[Any], runs: str) -> Callable[..., int | None]:
    """The `main` of a command: an option for each field of `job`, whose annotations are those of typer.

    Args:
        job: dataclass of the options; its docstring is the help.
        runs: "module:function" that gets the job; imported only then, for it may need torch or ROS.
    """

    def main(*arguments: Any, **values: Any) -> Any:
        module, _, function = runs.partition(":")
        return getattr(importlib.import_module(module), function)(job(*arguments, **values))

    hints = get_type_hints(job, include_extras=True)
    main.__doc__, main.__annotations__ = job.__doc__, hints
    main.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(job)
        ]
    )  # fmt: skip
    return main


@dataclass(frozen=True, kw_only=True)
class BuildingsJob:
    """What `ami pairs` and `ami ranges` learn from: pictures of buildings."""

    model: Path
    out: Path
    views: Annotated[
        Path, typer.Option(help="Folder for pictures of the buildings. Pictures that it already has are reused.")
    ]
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.")] = 100
    first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 1
    bare: Annotated[
        int, typer.Option(help="Number of plain buildings (building:bare:0, ...) to learn from as well.")
    ] = 0
    held_out: Annotated[
        int, typer.Option(help="Number of buildings for measuring only. Nothing else is learned from them.")
    ] = 20
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 90_000
    steps: int = 2000
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0
    workers: Annotated[int, typer.Option(help="Number of buildings to draw in parallel. 0: one for each core.")] = 0
    threads: Annotated[int, typer.Option(help="Number of cores to learn with. 0: all.")] = 0
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None
