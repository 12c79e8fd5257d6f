"""Packages that only some users need."""

from __future__ import annotations

import importlib
from typing import Any

from ami_ros.errors import AmiError


def need(module: str, extra: str) -> Any:
    """The module of an optional package.

    Raises:
        AmiError: it is not installed; the line names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AmiError(
            f"{module} is not installed; it is in the extra {extra}: pip install -r requirements/{extra}.txt"
        ) from error
