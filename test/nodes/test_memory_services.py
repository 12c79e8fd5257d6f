"""The services of memory on a robot that has driven a little."""

from __future__ import annotations

from typing import Any

from visualization_msgs.msg import MarkerArray

from ami_interfaces.msg import Location, NavigationGoal
from ami_interfaces.srv import FindRoute, ForgetPlaces, Predict, RecallPlaces, RememberPlace
from ami_ros.ros.conversions import pose_to_message, twist_message
from ami_ros.ros.qos import LATCHED, RELIABLE


def test_place_can_be_labelled_found_and_forgotten(stack: Any) -> None:
    stack.start("safety", "perception", "memory", "planner")
    locations = stack.ros.collect(Location, "location", RELIABLE)
    markers = stack.ros.collect(MarkerArray, "places", LATCHED)
    stack.drive_off()
    stack.ros.spin_until(lambda: locations and locations[-1].localised and locations[-1].place_id > 2, 60.0)

    def call(service: Any, name: str, **fields: Any) -> Any:
        return stack.ros.call(service, f"memory/{name}", service.Request(**fields))

    labelled = call(RememberPlace, "remember", label="desk")
    assert labelled.success and labelled.id > 0
    stack.ros.spin_until(lambda: markers and any(m.text == "desk" for m in markers[-1].markers))

    found = call(RecallPlaces, "recall", label="desk", max_results=5, with_latents=True, with_thumbnails=True)
    assert found.success and found.total == 1 and found.places[0].id == labelled.id
    assert len(found.places[0].latent.data) == 4 and len(found.places[0].thumbnail.data) > 0
    assert call(RecallPlaces, "recall", use_current=True, max_results=3).places[0].similarity > 0.5
    assert not call(RecallPlaces, "recall", max_results=0).success

    route = call(FindRoute, "find_route", goal=NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=1))
    assert route.success and route.places and all(len(place.latent.data) == 4 for place in route.places)
    assert abs(route.goal_pose.position.x) < 0.2 and abs(route.goal_pose.position.y) < 0.2  # the map's origin
    nowhere = call(FindRoute, "find_route", goal=NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label="attic"))
    assert not nowhere.success and nowhere.error_code == FindRoute.Response.NOT_FOUND and "attic" in nowhere.error_msg

    assert call(ForgetPlaces, "forget", labels=["desk"]).num_forgotten == 1
    again = call(ForgetPlaces, "forget", labels=["desk"], ids=[9999])
    assert not again.success and again.error_code == ForgetPlaces.Response.NOT_FOUND
    contradictory = call(ForgetPlaces, "forget", all=True, ids=[1])
    assert contradictory.error_code == ForgetPlaces.Response.INVALID_INPUT
    assert call(ForgetPlaces, "forget", all=True).success


def test_world_model_answers_what_would_happen(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "planner")

    def predict(**fields: Any) -> Predict.Response:
        response: Predict.Response = stack.ros.call(Predict, "world_model/predict", Predict.Request(**fields))
        return response

    ahead = predict(commands=[twist_message((0.2, 0.0))] * 3, return_latents=True)
    assert ahead.success, ahead.error_msg
    steps, start = ahead.rollout.poses, pose_to_message(stack.nodes["planner"]._percepts.pose)
    moved = ((steps[-1].position.x - start.position.x) ** 2 + (steps[-1].position.y - start.position.y) ** 2) ** 0.5
    assert len(steps) == len(ahead.rollout.latents) == 3 and abs(moved - 3 * 0.6 * 0.2) < 0.05
    assert predict().error_code == Predict.Response.INVALID_INPUT
    wrong = predict(use_current=False, commands=[twist_message((0.2, 0.0))])
    assert wrong.error_code == Predict.Response.ENCODER_MISMATCH
