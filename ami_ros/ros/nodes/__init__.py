"""The nodes, one file each."""

import os
import signal
import sys

from ami_ros.ros.node.parent import end_with_parent

if "--ros-args" in sys.argv:
    # This process becomes a node, and imports for seconds before `run` listens to signals. Nothing is under way yet, so
    # a Ctrl-C may end it at once, and cleanly; Python's own would show a traceback, or be lost in an import.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    end_with_parent()
    # NumPy and torch read them when they are imported. A second thread for products as small as ours costs more than it
    # saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
