"""The node `memory`: places where the robot has been, where it is now, and routes to goals."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from visualization_msgs.msg import MarkerArray

from ami_interfaces.msg import KeepAway, Location, PlaceGraph
from ami_ros.core.camera import CameraMount
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse
from ami_ros.core.images import MAX_PIXELS
from ami_ros.core.scan import Mount
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.sharing.replica import robot_name
from ami_ros.memory.types import Location as Belief
from ami_ros.ros.memory_services import MapTopics, MemoryServices, said_from_message
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages import memory as memory_messages
from ami_ros.ros.messages.markers import place_markers
from ami_ros.ros.models import CalibratedCamera, shared_arrays
from ami_ros.ros.node.bus import PartNode, Read, RosBus, commands_of, latents_of
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import LATCHED
from ami_ros.ros.scanner import Scanner, send_transform, tf_publisher
from ami_ros.runtime.memory import MemoryPart, MemorySettings
from ami_ros.runtime.part import Known


@dataclass(frozen=True)
class MemoryParameters(MemorySettings):
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    memory_file: Path | None = parameter(None, "File of the memory, created if missing; empty: RAM only.")
    keep: bool = parameter(True, "Write what is learned to memory_file; false: read it, and leave it as it is.")
    folder: Path | None = parameter(
        None, "Folder of the files of ~/save, ~/load and ~/merge; empty: that of memory_file."
    )
    copies: Path | None = parameter(
        None, "Folder of the copies of other robots' memories, which the node sharing keeps; empty: nothing is shared."
    )
    robot: str = parameter("", "Name of this robot among them; empty: its namespace, or else the name of its computer.")
    keep_out_file: Path | None = parameter(
        None, "YAML file of a map in the memory's frame, which is sent as keep_out_mask; empty: none."
    )
    transform_tolerance: float = parameter(
        0.5, "By which map -> odom is dated ahead, to hold until the next; larger hides gaps.", "s", (0.0, 5.0), True
    )
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")
    map_frame: str = parameter("map", "Name of the memory's frame.")
    odom_frame: str = parameter("odom", "Name of the frame of odometry.")
    base_frame: str = parameter("base_link", "Name of the robot's frame.")
    scanner: Mount = field(default_factory=Mount)
    camera: CameraMount = field(default_factory=CameraMount)
    memory: MemoryConfig = field(default_factory=MemoryConfig)


class MemoryNode(PartNode[MemoryParameters], name="memory", parameters=MemoryParameters):
    """The part `memory` on ROS; a lock keeps services and worker apart."""

    part: MemoryPart

    def configure(self) -> None:
        config, loaded = self.config, shared_arrays(self.config.model)
        spec, self._encoder_id = loaded.model.spec, loaded.encoder_id
        make = PlaceMemory if config.keep else PlaceMemory.copy_of
        path = config.memory_file.expanduser() if config.memory_file else None
        self._camera = CalibratedCamera(spec.inputs, config.compressed, MAX_PIXELS, config.camera, [loaded.model.pairs])
        self.memory = make(loaded.model, loaded.encoder_id, path, config.memory)
        if notice := self.memory.map.store.notice:
            self.get_logger().warning(notice)
        self.memory.warm_up()
        if (recogniser := self.memory.map.recogniser) is not None:
            recogniser.between = self.beat  # the thread that answers is the one that shows that the node lives
        self._location = self.publisher(Location, "location")
        self._places = self.publisher(MarkerArray, "places", LATCHED)
        self._graph = self.publisher(PlaceGraph, "place_graph", LATCHED)
        self._keep_away = self.publisher(KeepAway, "keep_away", LATCHED)
        self._circles = self._painted = np.zeros((0, 3))  # of places, and of areas that somebody painted
        self.subscribe(KeepAway, "keep_out_areas", self._paint, LATCHED, always=True)
        self._tf = tf_publisher(self)
        self.health.figure("model", lambda: loaded.encoder_id)
        self.health.figure("places", lambda: str(len(self.memory)))
        self.health.figure("forgotten", lambda: str(self.memory.map.let_go))
        self._is_full = False  # that it is has been said
        self._bus = RosBus(self)
        self.part = MemoryPart(self._bus, self.memory, config, spec.command_dim)
        if config.copies is not None:
            self.part.share(robot_name(config.robot, self.get_namespace()), config.copies.expanduser())
            self.health.figure("taken in from others", self._taken_in)
        heard = {
            "scan": self.memory.takes_scans,
            "moving_things": self.memory.takes_scans,
            "image": config.thumbnails and spec.inputs.image_size > 0,
        }
        reads: dict[str, Read] = {
            "image": lambda message: partial(self._camera.picture, message),
            "cmd_vel": commands_of(spec.command_dim),
            "surprise": conversions.reading_from_message,
            "latent": latents_of(loaded.encoder_id, spec),
            "initialpose": partial(said_from_message, frame=config.map_frame),
        }
        if heard["scan"]:
            reads["scan"] = Scanner(self, config.base_frame, config.scanner).read
        self._camera.follow(self)
        self._bus.join(
            self.part,
            {"location": self._send_location, "place_graph": self._send_places, "keep_away": self._send_keep_away},
            reads,
            without=[name for name, wanted in heard.items() if not wanted],
            types={
                "image": self._camera.message_type,
                "cmd_vel": conversions.command_type(config.enable_stamped_cmd_vel),
            },
            frames={"odom": config.odom_frame, "moving_things": config.odom_frame},
            headers=("latent",),
        )
        self._map_topics = MapTopics(self, self.part, config.map_frame, config.keep_out_file)
        folder = config.folder.expanduser() if config.folder else path.parent if path else None
        MemoryServices(self, self.part, loaded.encoder_id, config.map_frame, self._camera.picture, folder)

    def activate(self) -> None:
        self.part.show()
        self._map_topics.show_keep_out()

    def cleanup(self) -> None:
        super().cleanup()
        if hasattr(self, "memory"):
            self.memory.close()
            del self.memory

    def _send_location(self, stamp: float, location: Belief) -> None:
        header = self._bus.header(stamp, self.config.map_frame)
        self._location.publish(memory_messages.location_to_message(location, header, self._encoder_id))
        self._map_topics.located(location, header)
        odom_in_map = compose(location.pose, inverse(location.odometry))
        ahead = conversions.header_at(stamp + self.config.transform_tolerance, self.config.map_frame)
        send_transform(self._tf, ahead, self.config.odom_frame, conversions.pose_to_message(odom_in_map))

    def _send_places(self, stamp: float, known: Known) -> None:
        assert known.places is not None and known.edges is not None
        if self.memory.map.let_go and not self._is_full:
            self._is_full = True
            limits = "memory.max_places, memory.forgetting.size_limit and max_age"
            self.get_logger().warning(f"memory is full: places that were not passed for longest go ({limits})")
        header = conversions.header_at(stamp, self.config.map_frame)
        self._places.publish(place_markers(known.places, header))
        self._graph.publish(memory_messages.graph_to_message(known.places, known.edges, header, self._encoder_id))

    def _send_keep_away(self, stamp: float, circles: Array) -> None:
        self._circles = circles
        header = conversions.header_at(stamp, self.config.map_frame)
        everything = np.concatenate([circles, self._painted])
        self._keep_away.publish(memory_messages.keep_away_to_message(everything, header))

    def _taken_in(self) -> str:
        joined = sorted(self.memory.joined.items())
        return ", ".join(f"{name}: {of.taken} places, {of.known} known" for name, of in joined) or "none"

    def _paint(self, message: KeepAway) -> None:
        if message.header.frame_id != self.config.map_frame:
            raise AmiError(
                f"keep_out_areas are in '{message.header.frame_id}'; paint them in '{self.config.map_frame}'"
            )
        self._painted = memory_messages.keep_away_from_message(message)
        self._send_keep_away(self.now(), self._circles)


main = partial(run, MemoryNode)


if __name__ == "__main__":
    sys.exit(main())
