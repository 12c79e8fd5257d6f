"""Latent model-predictive control: from one moment and a target to the commands of the next seconds.

It takes the latent of the moment, the newest scan, the command in force and a target (a latent, a pose, or both), and
gives a `Plan`: commands, the poses that are expected of them, and what each cost said.

Three things do not know each other (`protocols`): a `Dynamics` imagines futures, costs weigh them, and a solver
searches. Each can come from another package (docs/tutorials/plugins.md).

Start with `planner.LatentPlanner`. `costs` has all costs and `solvers` iCEM; `imagination` is what joins them.
`kinematics` says what commands a robot can carry out. `types` has what passes between navigator and runtime: `Goal`,
`Percept`, `Decision`. `route_follower`, `scan_geometry` and `monitors` are tools of a drive.
"""
