"""The commands of `./ami`, and what sets them up.

It takes a command line; it gives lines for people, files, and an exit code: 0, 2 for an error that a user can mend (one
line), 130 for Ctrl-C. `commands.COMMANDS` is the table: the name of a command, its line in `./ami --help`, and the
function that it runs. `main.run` finds and runs it. Help texts come from annotations (typer), so modules that have them
import what is heavy within their functions.

- `driving`: goto, patrol, explore, stop. `watching`: console, view, replay, record, film.
- `describing`: world, robot, doctor, security. `tools`: test, shell, completion.
- `data`: collect, extract, export. `memory`: remember, map, fleet.
- `options`: what drive, demo, trial, train, evaluate, pairs, ranges and scans take; their work is in `drive`, `demo`,
  `trial`, `train` and `networks`, which need ROS or torch.

`cli.setup` comes first: `./ami` runs `setup.main.main` with any Python from 3.10 and the standard library alone. It
makes `.ami` with a virtual environment, ROS from wheels where none is sourced, and our messages; then it becomes
`python -m ami_ros.cli`. It and `commands` must import nothing that is to be installed.

Start with `commands.COMMANDS`, `main.run` and `setup.installer.Installer`.
"""
