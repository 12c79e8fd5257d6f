"""The parts of the set-up, each by itself."""

import json
import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from ami_ros.cli.setup import system
from ami_ros.cli.setup.installer import Installation, requirement_files, requirements_digest
from ami_ros.cli.setup.main import command_environment
from ami_ros.cli.setup.progress import Progress, digest, read_record, require_space, write_record
from ami_ros.cli.setup.system import find_wheel_python, without_wheel_variables
from ami_ros.core.errors import AmiError
from ami_ros.ros.start.domain import claim_domain, domain_in_environment, orphaned_segments, remove_orphaned_segments
from harness import Children, wait_until
from harness.processes import REPOSITORY


def test_digest_of_requirements_ignores_comments_only(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    digests = []
    for text in ("numpy>=1\n", "# why\nnumpy>=1\n\n", "numpy>=2\n"):
        file.write_text(text)
        digests.append(requirements_digest(file))
    assert digests[0] == digests[1] != digests[2]


def test_digest_tells_where_one_part_ends() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def test_record_survives_what_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    assert read_record(path) == {}
    path.write_text('{"venv": ')
    assert read_record(path) == {}
    write_record(path, {"venv": "here"})
    assert read_record(path) == {"venv": "here"}
    assert list(tmp_path.iterdir()) == [path]


def test_requirements_leave_ros_out_where_one_is_sourced() -> None:
    commands = ["runtime", "cli", "console", "foxglove", "report", "sim", "train"]
    assert [file.stem for file in requirement_files(sourced=True, tests=False)] == commands
    stems = [file.stem for file in requirement_files(sourced=False, tests=True)]
    assert stems == [*commands, "ros", "test", "docs", "lance", "lerobot"]


def test_requirements_name_neither_index_nor_build() -> None:
    for file in (REPOSITORY / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "http" not in text, file
        assert "+cpu" not in text, file
        assert "--" not in text, file


def test_full_disk_is_said_before_anything_is_installed(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"GB free, 1e\+09 GB needed"):
        require_space(tmp_path, 1e9)


def test_failed_step_shows_the_end_of_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress(tmp_path / "setup.log")
    script = "print('\\n'.join(map(str, range(100)))); raise SystemExit('OSError: [Errno 28] No space left on device')"
    with pytest.raises(AmiError, match=r"^Packages: the disk is full.*setup\.log\)$"), progress.step("Packages"):
        progress.run([sys.executable, "-c", script])
    shown = capfd.readouterr().err
    assert "    99\n" in shown
    assert "    50\n" not in shown
    assert "Packages: failed after" in shown
    assert "\n50\n" in progress.log.read_text()


def test_advice_is_about_this_step_only(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "setup.log")
    with progress.step("First"):
        progress.run([sys.executable, "-c", "print('No space left on device')"])
    with pytest.raises(AmiError, match=r"^Second: exit code 3"), progress.step("Second"):
        progress.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_command_of_another_thread_is_ended_with_all_that_it_started(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(tmp_path / "interfaces.log", shown=False)
    failed: list[AmiError] = []

    def build() -> None:
        try:
            with progress.step("Build"):
                progress.run(["sh", "-c", "sleep 1000 & echo $! started; wait"])
        except AmiError as error:
            failed.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    wait_until(lambda: progress.log.exists() and " started\n" in progress.log.read_text(), what="the build")
    progress.stop()
    thread.join()
    assert failed
    started = int(progress.log.read_text().split()[-2])
    wait_until(lambda: not psutil.pid_exists(started) or psutil.Process(started).status() == "zombie", what="its end")
    assert capfd.readouterr().err == ""


def test_python_for_the_wheels_can_build_and_install() -> None:
    python = find_wheel_python()
    assert python.version in ((3, 11), (3, 12), (3, 13))
    assert python.path.exists()


@pytest.mark.parametrize("own", [(3, 11), (3, 12), (3, 13)])
def test_python_that_runs_ami_goes_before_others(
    own: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minor in (11, 12, 13):
        answer = {"path": f"/{minor}", "version": [3, minor], "headers": True, "pip": True, "ros": 0, "interfaces": 0}
        python = tmp_path / f"python3.{minor}"
        python.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
        python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / f"python3.{own[1]}"))
    monkeypatch.setattr(sys, "version_info", (*own, 0, "final", 0))
    assert find_wheel_python().version == own


def test_user_without_root_is_told_the_exact_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\nexit 0\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))  # no sudo in it
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    need = system.Need("a C++ compiler", ("build-essential",), False)
    line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends build-essential"
    with pytest.raises(AmiError, match=f"^a C\\+\\+ compiler is missing; run this once, then try again:  {line}$"):
        system.provide([need], Progress(tmp_path / "setup.log"))


def test_present_things_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    system.provide([system.Need("nothing", ("x",), True)], Progress(tmp_path / "setup.log"))


def make_installation(tmp_path: Path, sourced: bool) -> Installation:
    prefix, venv = tmp_path / "interfaces", tmp_path / "venv"
    module = prefix / "site-packages" / "ami_interfaces" / "msg" / "__init__.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.touch()
    return Installation(tmp_path, venv, sourced, (prefix,), () if sourced else (venv / "lib",))


def test_environment_of_the_wheels_holds_nothing_of_another_python(tmp_path: Path) -> None:
    user = {
        "PATH": "/usr/bin",
        "PYTHONPATH": "/opt/other",
        "LD_LIBRARY_PATH": "/other/venv/lib",
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
        "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp",
    }
    environment = command_environment(make_installation(tmp_path, sourced=False), user)
    assert environment["PATH"] == f"{tmp_path}/venv/bin:/usr/bin"
    assert environment["PYTHONPATH"] == f"{REPOSITORY}:{tmp_path}/interfaces/site-packages"
    assert environment["LD_LIBRARY_PATH"] == f"{tmp_path}/interfaces/lib:{tmp_path}/venv/lib"
    assert environment["AMENT_PREFIX_PATH"] == f"{tmp_path}/interfaces:{tmp_path}/venv"
    assert environment["RMW_IMPLEMENTATION"] == "rmw_fastrtps_cpp"


def test_environment_of_a_sourced_ros_keeps_what_it_set(tmp_path: Path) -> None:
    user = {
        "PATH": "/opt/ros/bin",
        "PYTHONPATH": "/opt/ros/python",
        "LD_LIBRARY_PATH": "/opt/ros/lib",
        "AMENT_PREFIX_PATH": "/opt/ros",
        "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp",
    }
    environment = command_environment(make_installation(tmp_path, sourced=True), user)
    assert environment["PYTHONPATH"] == f"{REPOSITORY}:{tmp_path}/interfaces/site-packages:/opt/ros/python"
    assert environment["LD_LIBRARY_PATH"] == f"{tmp_path}/interfaces/lib:/opt/ros/lib"
    assert environment["AMENT_PREFIX_PATH"] == f"{tmp_path}/interfaces:/opt/ros"
    assert environment["RMW_IMPLEMENTATION"] == "rmw_cyclonedds_cpp"
    assert "_ROS_WHEELS_BOOTSTRAP_COMPLETE" not in environment


def test_environment_keeps_everything_written_in_the_state_folder_unless_the_user_says_otherwise(
    tmp_path: Path,
) -> None:
    installation = make_installation(tmp_path, sourced=False)
    environment = command_environment(installation, {"PATH": "/usr/bin", "HOME": "/nowhere"})
    for name in ("ROS_LOG_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        assert environment[name].startswith(str(tmp_path)), name


def test_nodes_meet_on_this_machine_only_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    reach, profiles = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"
    installation = make_installation(tmp_path, sourced=False)
    environment = command_environment(installation, {})
    assert environment[reach] == "SYSTEM_DEFAULT"
    assert Path(environment[profiles]).is_file()
    assert command_environment(installation, environment)[profiles] == environment[profiles]
    wider = command_environment(installation, environment | {reach: "SUBNET"})
    assert wider[reach] == "SUBNET"
    assert profiles not in wider
    own = command_environment(installation, {profiles: "/mine.xml"})
    assert (own.get(reach), own[profiles]) == (None, "/mine.xml")
    sourced = command_environment(make_installation(tmp_path, sourced=True), {})
    assert (sourced[reach], sourced.get(profiles)) == ("LOCALHOST", None)


def test_library_path_goes_only_with_the_wheels_that_set_it() -> None:
    assert without_wheel_variables({"LD_LIBRARY_PATH": "/cuda"}) == {"LD_LIBRARY_PATH": "/cuda"}
    wheels = {"LD_LIBRARY_PATH": "/venv/lib", "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"}
    assert without_wheel_variables(wheels) == {}


def test_domain_is_claimed_once_until_its_process_ends(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import time; from ami_ros.ros.start.domain import claim_domain as c; "
        "print('got', c(), flush=True); time.sleep(60)"
    )
    first = children.python("-c", script)
    first.wait_for_output("got")
    domain = int(first.output().split()[-1])
    with pytest.raises(AmiError, match=f"^ROS_DOMAIN_ID={domain} is in use"):
        claim_domain(domain)
    assert claim_domain(candidates=[domain, *range(102)]) != domain
    first.stop()
    assert claim_domain(domain) == domain


@pytest.mark.parametrize(("text", "message"), [("x1", "not a number"), ("-3", "not a number")])
def test_domain_in_environment_must_be_a_number(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", text)
    with pytest.raises(AmiError, match=message):
        domain_in_environment()


def test_domain_out_of_range_is_refused() -> None:
    with pytest.raises(AmiError, match="out of range; use 0 to 101"):
        claim_domain(102)


def test_segment_in_use_is_no_orphan_and_one_without_a_process_is_removed(children: Children) -> None:
    name = f"/dev/shm/fastrtps_test_{os.getpid()}"
    child = children.python("-c", f"import time; f = open('{name}', 'w'); print('made', flush=True); time.sleep(60)")
    child.wait_for_output("made")
    assert Path(name) not in orphaned_segments()
    child.stop()
    assert Path(name) in orphaned_segments()
    assert remove_orphaned_segments() >= 1
    assert not Path(name).exists()
