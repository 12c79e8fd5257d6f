"""The console: a page on which people see what a robot knows, and tell it what to do.

It takes what a running stack publishes, or what a bag has, and keys that say who may act and who may only watch. It
gives a page in a browser, and asks the stack for goals, missions and stops. Driving by hand goes through the safety
gate: the console never publishes `cmd_vel`.

How a request goes: `server` (WebSocket) -> `requests` (checked) -> `desk` (may this viewer?) -> `robot` (the stack).
How news goes: topics -> `listener` -> `scene` (plain values) -> `server` -> the page in `static`.

Start with `node.RobotConsole`, which holds all of it together, `desk.Desk`, and `scene.Scene`. `replay.Replay` shows a
recorded run on the same page; `kept` has pictures, painted keep-out areas and the last minutes for a bag; `driving` has
the dead man's hand and the one goal or mission that was asked for here.

The files `node`, `robot`, `driving`, `listener` and `replay` know ROS; the others do not.
"""
