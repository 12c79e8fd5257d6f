"""`python -m ami_ros.app COMMAND ...`, as `./ami` starts it once everything is installed."""

import os
import sys

# NumPy reads it when it is imported. A second thread for products as small as ours costs more than it saves.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ami_ros.app.cli import run  # after that

run(sys.argv[1:])
