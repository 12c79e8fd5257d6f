"""The agent without ROS: sense (align by stamp, check freshness), perceive, remember, decide, act (watchdog).

A node wraps one part of it, `agent.Agent` is all of them: benches and tests drive what the nodes drive.
"""
