"""Benches: what the robot can do, measured. A figure comes from a scenario at one commit, with counts and intervals.

**Takes** a scenario: a file in `scenarios/` that names a kind, its options, seeds, and measures. A kind has one of
three sources: the closed loop in a simulated world (`planning`, `buildings`, `recovery`, `adaptation`, `people`,
`change`), recordings (`logs`, `legs`, `predict`, `pictures`), or drawn cases (`solvers`, `control`, `looks`, `sharing`,
`merge`, and the ghosts of `people`).

**Gives** rows: one flat mapping of columns for each trial, kept as JSON lines (`scenario.TrialStore`), from which
measures make figures: rates with Wilson intervals, medians, sums. `run` drives parts side by side, and writes the page
docs/figures.md.

**Start with**

- `scenario.Scenario` and `scenario.Kind`: a kind is a frozen dataclass of options with `parts` and `run`. A new one is
  such a class, and a line in `scenario.KINDS`.
- `closed_loop.ClosedLoop`: the parts that run on a robot, on the bus in simulated time, around a simulated robot.
- `trials.Trial`: one drive to one goal, and the rule that says whether it was reached.

| file | what is measured |
| --- | --- |
| `known_world` | goals, closed doors, missions and faults where memory knows the world |
| `buildings`, `classical`, `rivals` | buildings that the robot has never seen; what it is compared with |
| `people`, `walkers` | goals among people, ghosts; recorded people found and foreseen |
| `adaptation` | a robot that has changed |
| `logs`, `fleet`, `scale` | the map: of logs of real lasers, shared and merged, as it grows |
| `looks`, `pictures` | what is said of a goal's picture, in buildings and of real pictures |
| `solvers`, `control` | how soon a search has how good a plan; how long perception and planning take |
| `gate_drives`, `gate_trials` | the safety gate, against robots that do their worst |
| `latency`, `soak`, `console`, `timing` | real processes: how late, how long, at what cost |
| `model_quality`, `prediction` | a model, before a robot moves (`./ami evaluate`) |
| `field_trial` | the first hour on a real robot (`./ami trial`) |
| `demo/` | the demo, with real nodes, which the latency bench drives as well |

Of this package `latency`, `soak` and `demo` use ROS; the others do not.
"""
