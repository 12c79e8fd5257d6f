"""What a robot does: one goal from start to end, and missions and exploring, which are many goals.

It takes a `Percept` a moment and memory's answers, and gives a `Decision` a moment: commands, a reason for people, and
perhaps a question to memory. It knows time from stamps only, and never waits.

Start with `navigator.Navigator`, which drives to one goal. It asks `recovery` what stands against driving on, then
`goal_controller`, which asks its behaviours in order. `steering` makes commands; `routing` knows ways and what is
blocked; `belief` says where the goal is, `posterior` how likely that is, and `arrival` when the robot is there.

`task.Task` is what sends a robot from goal to goal: `mission.Mission`, or `exploration.Exploration`, which looks at
`occupancy`, `ways` and `unexplored`. `mission_file` keeps a task on disk.
"""
