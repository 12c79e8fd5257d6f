"""Worlds and robots for Gazebo: SDFormat, URDF, and the table of topics between it and ROS.

Start with `world_sdf.write_world` and `robot_sdf.robot_model`. `sdf` writes elements, lights and meshes.
"""
