"""The stack on a robot that has a laser and no camera, with the model that ships for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.core.geometry import compose
from ami_ros.core.images import encode_png
from ami_ros.core.installation import share
from ami_ros.ros.messages.conversions import pose_to_message

from .conftest import SLOW, START


def test_a_robot_without_a_camera_drives_to_a_pose_in_its_map_and_to_no_picture(stack: Any) -> None:
    stack.model = share("models", "laser")
    stack.robot = {"robot": "ami_bot_laser", "image_size": 0, "real_time_factor": SLOW}
    stack.start("safety", "perception", "world_model", "memory", "planner", use_memory=True)
    there = np.array([0.9, 0.4, 0.5])  # from where it was switched on
    pose = PoseStamped(header=Header(frame_id="map"), pose=pose_to_message(there))
    handle = stack.send(NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose)))
    status, result = stack.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert np.hypot(*(stack.pose - compose(np.array(START), there))[:2]) < 0.3
    picture = CompressedImage(format="png", data=encode_png(np.zeros((8, 8, 3), np.uint8)))
    asked = NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=picture))
    assert not stack.send(asked).accepted
