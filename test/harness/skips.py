"""Which tests a full run may leave out, so that none is lost unseen."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ami_ros.cli.setup.system import sourced_ros

LIBRARIES_OF_ROS = "an apt ROS 2 has what it needs, the ROS wheels do not"
GAZEBO = "there is no Gazebo in the package indexes"
PEOPLE = "requirements/people.txt is for one manner of people"
RERUN = "requirements/rerun.txt weighs 170 MB and is for one viewer"
SWM = "requirements/swm.txt weighs 600 MB and is for one bench"
# With the wheels exactly these are left out.
WITH_WHEELS = {
    "test/bench/test_solvers.py::test_rivals_run_on_our_problem_with_their_published_settings": SWM,
    "test/launch/test_gazebo_launch.py": LIBRARIES_OF_ROS,
    "test/launch/test_launch_files.py": LIBRARIES_OF_ROS,
    "test/launch/test_launch_processes.py": LIBRARIES_OF_ROS,
    "test/ros/nodes/test_others_tools.py::test_nav2_s_commander_drives_and_cancels": LIBRARIES_OF_ROS,
    "test/platform/test_ament.py": LIBRARIES_OF_ROS,
    "test/ros/messages/test_gazebo.py": GAZEBO,
    "test/ros/test_rerun.py::test_all_of_the_scene_is_in_the_file_below_its_frame": RERUN,
    "test/simulation/people/test_crowd.py::test_who_avoids_others_passes_them_and_touches_nothing": PEOPLE,
    "test/simulation/gazebo/test_world_sdf.py::test_sdformat_takes_the_world": GAZEBO,
}
# These are left out where a program is not installed, and run where it is.
WHERE_MISSING = {"test/console/test_page.py": "a browser is 300 MB: apt-get install chromium-headless-shell"}
# With a ROS 2 that is sourced, what is about the wheels.
WITH_SOURCED_ROS = (
    "test/platform/test_bootstrap.py",
    "test/bench/test_solvers.py",
)


def is_full(config: pytest.Config) -> bool:
    """Whether all tests were asked for."""
    option = config.option
    chosen = [option.file_or_dir, option.keyword, option.markexpr, option.deselect, option.maxfail]
    return not any(chosen) and not getattr(option, "lf", False) and not option.collectonly


def differences(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """One line for each skip that nobody expects, and for each expected one that is none any more."""
    skipped = {report.nodeid.partition("[")[0]: _reason(report) for report in reports}
    sourced = sourced_ros() is not None
    allowed = (*(WITH_SOURCED_ROS if sourced else WITH_WHEELS), *WHERE_MISSING)
    lines = [f"SKIPPED: {test}: {why}" for test, why in sorted(skipped.items()) if not test.startswith(allowed)]
    if not sourced:
        lines += [
            f"NOT SKIPPED ANY MORE: {name}, take it from test/harness/skips.py"
            for name in WITH_WHEELS
            if not any(test.startswith(name) for test in skipped)
        ]
    return lines


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
