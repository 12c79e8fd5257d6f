"""`ami completion`: what completes commands and their options in a shell."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ami_ros.core.installation import packaged

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
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def main(
    shell: Annotated[Literal["bash", "zsh"], typer.Argument(help="Your shell.")] = "bash",
) -> None:
    """Print a completion script. Put this line into ~/.bashrc or ~/.zshrc: eval "$(./ami completion bash)" """
    from ami_ros.cli.commands import COMMANDS

    cases = "\n".join(f'    {c.name}) COMPREPLY=($(compgen -W "{_words(c.name)}" -- "$word")) ;;' for c in COMMANDS)
    script = SCRIPT.format(commands=" ".join(c.name for c in COMMANDS), cases=cases)
    typer.echo((ZSH if shell == "zsh" else "") + script, nl=False)


def _words(command: str) -> str:
    """Options of a command, names of its parts, and scenarios of `bench`."""
    import inspect

    from typer.models import OptionInfo

    from ami_ros.cli.main import functions

    words: list[str] = ["--help", *(packaged("scenarios") if command == "bench" else ())]
    for part, function in functions(command).items():
        words += [part] if part else []
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            about = [m for m in getattr(parameter.annotation, "__metadata__", ()) if isinstance(m, OptionInfo)]
            if about:
                named = [word for word in about[0].param_decls or () if word.startswith("--")]
                words += named or [f"--{name.replace('_', '-')}"]
    return " ".join(dict.fromkeys(words))
