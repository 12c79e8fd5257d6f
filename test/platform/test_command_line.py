"""The command line: help, exit codes, commands that are modules."""

import inspect
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ami_ros.cli.commands import COMMANDS, Command, find_command, overview, version
from ami_ros.cli.driving import spelled_out
from ami_ros.cli.main import functions, with_exit_codes
from ami_ros.core.errors import AmiError
from harness import Children
from harness.processes import REPOSITORY

NAMES = [command.name for command in COMMANDS]


def ami(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as `./ami` does after set-up."""
    command = [sys.executable, "-m", "ami_ros.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_overview_lists_every_command() -> None:
    result = ami("--help")
    assert result.returncode == 0
    assert result.stdout.strip() == overview()
    assert all(f"  {name} " in result.stdout for name in NAMES)
    assert max(map(len, overview().splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_command_has_help(name: str) -> None:
    result = ami(name, "--help")
    assert result.returncode == 0, result.stderr
    assert f"Usage: ami {name}" in result.stdout


def test_help_shows_units_and_flags_in_80_columns() -> None:
    lines = [*ami("extract", "--help").stdout.splitlines(), *ami("demo", "--help").stdout.splitlines()]
    assert any("[s]" in line for line in lines) and not any("bool" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_is_in_short_sentences(command: Command) -> None:
    for part, function in functions(command).items():
        options = inspect.signature(function, eval_str=True).parameters.values()
        helps = [about.help for o in options for about in getattr(o.annotation, "__metadata__", ()) if about.help]
        for text in (inspect.getdoc(function) or "", *helps):
            for sentence in re.split(r"[.:;]\s|, \d|\n\n", text):
                assert len(sentence.split()) < 25, f"ami {command.name} {part}: {sentence}"


@pytest.mark.parametrize("name", NAMES)
def test_help_needs_no_heavy_library(name: str) -> None:
    code = (
        "import sys; from ami_ros.cli.commands import find_command; from ami_ros.cli.main import functions;"
        f"functions(find_command({name!r})); print(sorted({{'torch', 'mujoco', 'cv2'}} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_unknown_command_is_one_line_and_2() -> None:
    result = ami("fly")
    assert result.returncode == 2
    assert result.stderr == "ami: there is no command 'fly'; see ami --help\n"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("test", "shell")])
def test_unknown_option_is_2(name: str) -> None:
    result = ami(name, "--no-such-option")
    assert result.returncode == 2
    assert "no-such-option" in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_pose_may_begin_with_a_minus() -> None:
    assert spelled_out(["-1.5,2", "--timeout", "5", "kitchen"]) == [" -1.5,2", "--timeout", "5", "kitchen"]
    for name in ("goto", "patrol"):
        command = find_command(name)
        assert command is not None and command.spelled_out == "cli.driving:spelled_out"
    assert spelled_out(["-.5,2"]) == [" -.5,2"]


def test_error_that_a_user_can_mend_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise AmiError("world 'moon': unknown; use home")

    assert _exit_code(fails) == 2
    assert capsys.readouterr().err == "ami: world 'moon': unknown; use home\n"


def test_interrupt_is_130_after_clean_up() -> None:
    cleaned = []

    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            cleaned.append(True)

    assert _exit_code(interrupted) == 130
    assert cleaned


def test_result_is_the_exit_code() -> None:
    assert _exit_code(lambda: 1) == 1
    assert _exit_code(lambda: None) == 0


def test_bug_keeps_its_traceback() -> None:
    def broken() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_exit_codes(broken)()


def test_shell_runs_a_command_and_hands_on_its_exit_code() -> None:
    assert ami("shell", "--", "sh", "-c", "exit 7").returncode == 7
    assert ami("shell", "no-such-program").returncode == 2


def test_test_passes_its_arguments_to_pytest_from_any_folder(children: Children, tmp_path: Path) -> None:
    test = tmp_path / "test_here.py"
    test.write_text("def test_one(): pass\ndef test_two(): assert False, 'seen'\n")
    run = children.start(
        sys.executable, "-m", "ami_ros.cli", "test", "test_here.py", "-k", "two", "-n", "0", cwd=tmp_path
    )
    assert run.wait(120) == 1
    assert "1 failed, 1 deselected" in run.output()
    assert f"rootdir: {REPOSITORY}" in run.output()


def test_every_command_has_what_it_runs() -> None:
    for command in COMMANDS:
        assert functions(command) and all(map(callable, functions(command).values())), command.name


def test_part_of_a_command_has_its_own_help_and_an_unknown_one_is_2() -> None:
    assert "Usage: ami bench gate" in ami("bench", "gate", "--help").stdout
    unknown = ami("bench", "teapots")
    assert (unknown.returncode, "teapots" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_a_command_through_its_finally_blocks(
    children: Children, number: signal.Signals, code: int
) -> None:
    script = (
        "import sys, time, types\n"
        "from ami_ros.cli.main import run\n"
        "def main():\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned', flush=True)\n"
        "sys.modules['ami_ros.cli.options'] = types.SimpleNamespace(demo=main)\n"
        "run(['demo'])\n"
    )
    child = children.python("-c", script)
    child.wait_for_output("ready")
    child.send(number)
    assert child.wait() == code
    assert "cleaned" in child.output()


def test_version_quiet_and_verbose_stand_before_the_command() -> None:
    assert ami("--version").stdout == f"ami_ros {version()}\n"
    wrong = ("extract", "nothing", "--out", "nowhere")
    plain, quiet, verbose = ami(*wrong), ami("-q", *wrong), ami("-v", *wrong)
    assert plain.returncode == quiet.returncode == verbose.returncode == 2
    assert quiet.stderr == plain.stderr and len(plain.stderr.splitlines()) == 1
    assert "Traceback" in verbose.stderr and verbose.stderr.endswith(plain.stderr)


@pytest.mark.parametrize(
    ("line", "found"), [("dr", "drive"), ("goto --time", "--timeout"), ("-q bench bui", "buildings")]
)
def test_completion_knows_commands_options_and_parts(tmp_path: Path, line: str, found: str) -> None:
    script = tmp_path / "completion.sh"
    script.write_text(ami("completion", "bash").stdout)
    words = ["ami", *line.split()]
    code = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _ami; echo ${{COMPREPLY[@]}}"
    result = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [found], result.stderr


def _exit_code(function: Callable[[], int | None]) -> int:
    with pytest.raises(SystemExit) as exit_info:
        with_exit_codes(function)()
    return int(exit_info.value.code or 0)
