"""Measure what ami_ros can do on this machine; all that is compared is measured in one run."""

# Each is the function `main` of the module `ami_ros.app.bench_<name>`.
PARTS = (
    "ablation",
    "adaptation",
    "control",
    "data",
    "doors",
    "latency",
    "memory",
    "mission",
    "places",
    "planning",
    "report",
    "situations",
    "solver",
    "swm",
)
