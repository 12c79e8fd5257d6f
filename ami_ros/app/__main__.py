"""`python -m ami_ros.app COMMAND ...`, as `./ami` starts it once everything is installed."""

import sys

from ami_ros.app.cli import run

run(sys.argv[1:])
