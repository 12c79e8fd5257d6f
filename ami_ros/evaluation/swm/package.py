"""The one place where stable-worldmodel is imported. It is an optional extra."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from ami_ros.errors import AmiError


def load_module(name: str, command: str) -> Any:
    """A module of stable-worldmodel, or of what comes with it.

    Args:
        name: dotted, `stable_worldmodel.solver` for one.
        command: who asks, for the error.

    Raises:
        AmiError: it is not installed, or does not import.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of simulators that it could use and are not installed
            return importlib.import_module(name)
    except ImportError as error:
        raise AmiError(
            f"{command}: {name} is not there ({error}); install the extra with `./ami shell pip install "
            "-r requirements/swm.txt`"
        ) from error
