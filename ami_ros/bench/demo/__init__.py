"""A demo: real nodes and a simulated robot, which is sent to pictures and judged by the simulator's truth.

`run.DemoRun` is a whole demo; `course.Course` sends goals and judges; `client.DemoClient` is its node; `stack` has the
settings and the processes; `report` what is told and written. Whoever starts it brings the page, as `./ami demo` does.
"""
