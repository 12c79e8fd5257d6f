"""Packaging: modules, executables of the nodes, and the files that go into share/ami_ros."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "ami_ros"
SHARE = f"share/{PACKAGE}"
NODES = (
    "perception",
    "world_model",
    "memory",
    "planner",
    "mission",
    "safety",
    "sharing",
    "supervisor",
    "simulator",
    "composed",
    "loopback",
    "command_timeout",
    "gazebo_bridge",
    "gazebo_world",
)
# colcon test runs tests only where there is an extra "test" with pytest in it.
EXTRAS = (
    "cli", "console", "docs", "foxglove", "lance", "lerobot", "mutation", "people", "pictures", "report", "rerun",
    "sim", "swm", "test", "train",
)  # fmt: skip
SHARED_FOLDERS = ("launch", "config", "scenarios", "worlds", "rviz", "foxglove", "models", "description")

source = Path(__file__).resolve().parent


def shared_files():
    """(folder below the prefix, its files), for every folder of SHARED_FOLDERS and those below them."""
    for name in SHARED_FOLDERS:
        files = sorted(file for file in (source / name).rglob("*") if file.is_file() and is_shared(file))
        for folder in sorted({file.parent for file in files}):
            inside = [str(file.relative_to(source)) for file in files if file.parent == folder]
            yield f"{SHARE}/{folder.relative_to(source)}", inside


def is_shared(file):
    """Whether it is a file of the package, not one that Python or SQLite left beside one."""
    return file.suffix != ".pyc" and not file.name.endswith(("-shm", "-wal"))


def requirements(name):
    """The packages in a file of requirements/."""
    lines = (source / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


setup(
    name=PACKAGE,
    version="0.1.0",
    description="A world model, memory and planner for robots, native to ROS 2",
    license="Apache-2.0",
    maintainer="ami_ros maintainers",
    maintainer_email="maintainers@users.noreply.r-seed-ecb8e81d.example",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={"": ["py.typed", "static/*"]},
    python_requires=">=3.10",
    install_requires=["setuptools", *requirements("runtime")],
    extras_require={extra: requirements(extra) for extra in EXTRAS},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        *shared_files(),
    ],
    entry_points={
        "console_scripts": [
            f"ami = {PACKAGE}.cli.__main__:main",
            *(f"{node} = {PACKAGE}.ros.nodes.{node}:main" for node in NODES),
        ]
    },
    zip_safe=False,
)
