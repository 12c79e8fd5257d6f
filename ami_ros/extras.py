"""Packages that only some users need: a robot's nodes import none of them. requirements/<extra>.txt names them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError


def need(module: str, extra: str) -> Any:
    """The module of an optional package.

    Raises:
        AmiError: it is not installed; the line names the extra.
    """
    with importing(extra):
        return importlib.import_module(module)


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """For the import statements of an extra's packages.

    Raises:
        AmiError: one is not installed; the line names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise missing(error.name or "", extra) from error


def missing(module: str, extra: str) -> AmiError:
    """The line for a module that is not installed."""
    file = Path("requirements") / f"{extra}.txt"  # of a clone; a wheel has none
    what = f"-r {file}" if (Path(__file__).parents[1] / file).is_file() else f"'ami_ros[{extra}]'"
    return AmiError(f"{module} is not installed; it is in the extra {extra}: pip install {what}")
