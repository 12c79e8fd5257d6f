"""`ami test`, `shell` and `completion`: what helps who works with or on ami_ros."""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer.models import OptionInfo

from ami_ros.cli.commands import COMMANDS, Command
from ami_ros.cli.main import functions
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged

REPOSITORY = Path(__file__).resolve().parents[2]


def test(
    arguments: Annotated[list[str] | None, typer.Argument(help="For pytest: paths, -k NAME, -x, ...")] = None,
    mutate: Annotated[
        list[Path] | None,
        typer.Option(help="Make small changes in this file or folder. Some test must notice each change."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Time limit for --mutate [min]. The next run continues.", min=0.0)
    ] = 60.0,
) -> NoReturn:
    """Run the tests. Without a path it runs all of them. -n sets how many run in parallel.

    --mutate makes small changes and names those that no test notices. It fails if one of them is not in
    test/equivalent_mutants.yaml, or if time ran out. Paths are then the tests to run. Without any it takes the folder
    of the same name.
    """
    if mutate:
        sys.path.insert(0, str(REPOSITORY / "test"))
        mutation = importlib.import_module("harness.mutation")
        state = Path(os.environ.get("AMI_STATE", REPOSITORY / ".ami"))
        sys.exit(mutation.run(mutate, arguments or [], minutes, state))
    given = [_path_from_here(argument) for argument in arguments or []]
    cache = ["-o", f"cache_dir={os.environ['AMI_STATE']}/cache/pytest"] if os.environ.get("AMI_STATE") else []
    # Tests of nodes wait for processes half of the time; a worker that has no more tests takes over those of others.
    workers = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
    if any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in given):
        workers = []
    # Hundreds of processes import the same modules: compiling them anew in each takes minutes of a run.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.chdir(REPOSITORY)
    sys.stdout.flush()
    configuration = ["--rootdir", str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *configuration, *cache, *workers, *given])


def _path_from_here(argument: str) -> str:
    """pytest runs in the repository; a path may be meant from the folder that the user is in."""
    path, separator, test = argument.partition("::")
    if path.endswith(".py") and not (Path(path).exists() or (REPOSITORY / path).exists()):
        raise AmiError(f"test: there is no file {path}")  # with several workers pytest says only that no test ran
    if argument.startswith("-") or not Path(path).exists():
        return argument
    return f"{Path(path).resolve()}{separator}{test}"


def shell(
    command: Annotated[list[str] | None, typer.Argument(help="Command to run, with its arguments.")] = None,
) -> NoReturn:
    """Open a shell that has Python, ROS and ami_ros, or run COMMAND in it."""
    run = command or [os.environ.get("SHELL") or "/bin/sh"]
    if not command and Path(run[0]).name == "bash":
        rc_file = Path(os.environ["AMI_STATE"]) / "shellrc"
        # The user's own start-up file may put other programs first in PATH again, and sets the prompt.
        rc_file.write_text('[ -r ~/.bashrc ] && . ~/.bashrc\nPATH="$AMI_PATH"; export PATH\nPS1="(ami) $PS1"\n')
        os.environ["AMI_PATH"] = os.environ["PATH"]
        run += ["--rcfile", str(rc_file)]
    if shutil.which(run[0]) is None:
        raise AmiError(f"there is no command '{run[0]}' in this environment")
    os.execvp(run[0], run)


SCRIPT = """\
_ami() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${{COMP_WORDS[i]}} == -* ]] || {{ command=${{COMP_WORDS[i]}}; break; }}
  done
  case $command in
    '') COMPREPLY=($(compgen -W "{commands} -q -v --version --help" -- "$word")) ;;
{cases}
  esac
  [[ -n $command && $word != -* ]] && COMPREPLY+=($(compgen -f -- "$word"))
}}
complete -o filenames -F _ami ami ./ami
"""


def completion(
    shell: Annotated[Literal["bash", "zsh"], typer.Argument(help="Your shell.")] = "bash",
) -> None:
    """Print a completion script. Put this line into ~/.bashrc or ~/.zshrc: eval "$(./ami completion bash)" """
    cases = "\n".join(f'    {c.name}) COMPREPLY=($(compgen -W "{_words(c)}" -- "$word")) ;;' for c in COMMANDS)
    script = SCRIPT.format(commands=" ".join(c.name for c in COMMANDS), cases=cases)
    typer.echo(("autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "") + script, nl=False)


def _words(command: Command) -> str:
    """Options of a command, names of its parts, and scenarios of `bench`."""
    words: list[str] = ["--help", *(packaged("scenarios") if command.name == "bench" else ())]
    for part, function in functions(command).items():
        words += [part] if part else []
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            about = [m for m in getattr(parameter.annotation, "__metadata__", ()) if isinstance(m, OptionInfo)]
            if about:
                named = [word for word in about[0].param_decls or () if word.startswith("--")]
                words += named or [f"--{name.replace('_', '-')}"]
    return " ".join(dict.fromkeys(words))
