"""What `./ami` does before the real work: a Python with all it needs, ROS, our interfaces, system libraries.

Standard library only, and any Python from 3.10: it runs before anything is installed.
"""
