"""`python -m ami_ros.cli COMMAND ...`, as `./ami` starts it once everything is installed; also the program `ami`, where
pip or colcon installed it.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ami_ros.core.errors import AmiError


def main() -> NoReturn:
    """Runs what stands in the command line."""
    # NumPy reads it when it is imported. A second thread for products as small as ours costs more than it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from ami_ros.cli.main import run  # after that
    except AmiError as error:  # the extra for the commands is missing
        sys.stderr.write(f"ami: {error}\n")
        sys.exit(error.exit_code)
    run(sys.argv[1:])


if __name__ == "__main__":
    main()
