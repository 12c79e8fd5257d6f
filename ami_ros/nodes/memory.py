"""The node `memory`: places where the robot has been, where it is now, and routes to goals."""

from __future__ import annotations

import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image, LaserScan
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ami_interfaces.msg import KeepAway, Latent, Location, PlaceGraph, Surprise
from ami_ros.agent.perceiver import LatentFrame
from ami_ros.agent.remembering import MemoryFeed, MemoryInput, remember
from ami_ros.camera import CameraMount
from ami_ros.geometry import compose, inverse
from ami_ros.images import encode_thumbnail
from ami_ros.ros.initial_pose import InitialPose
from ami_ros.ros.map_topics import MapTopics
from ami_ros.ros.memory_services import MemoryFiles, MemoryServices
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages import memory as memory_messages
from ami_ros.ros.messages.markers import place_markers
from ami_ros.ros.models import shared_arrays
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import parameter
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.node.worker import Worker
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.ros.sensors.scanner import Scanner
from ami_ros.ros.sensors.tf import send_transform, tf_publisher
from ami_ros.scan import Mount
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory


@dataclass(frozen=True)
class MemoryParameters:
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    memory_file: Path | None = parameter(None, "File of the memory, created if missing; empty: RAM only.")
    keep: bool = parameter(True, "Write what is learned to memory_file; false: read it, and leave it as it is.")
    folder: Path | None = parameter(
        None, "Folder of the files of ~/save, ~/load and ~/merge; empty: that of memory_file."
    )
    observe_period: float = parameter(
        0.2,
        "Between two latents that memory takes in. Larger saves CPU and localises more slowly.",
        "s",
        (0.0, 10.0),
        True,
    )
    places_period: float = parameter(
        2.0, "Between two publications of places, when they changed. Larger saves CPU.", "s", (0.1, 600.0), True
    )
    transform_tolerance: float = parameter(
        0.5, "By which map -> odom is dated ahead, to hold until the next; larger hides gaps.", "s", (0.0, 5.0), True
    )
    thumbnails: bool = parameter(True, "Keep a small picture of each new place.")
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")
    map_frame: str = parameter("map", "Name of the memory's frame.")
    odom_frame: str = parameter("odom", "Name of the frame of odometry.")
    base_frame: str = parameter("base_link", "Name of the robot's frame.")
    scanner: Mount = field(default_factory=Mount)
    camera: CameraMount = field(default_factory=CameraMount)
    memory: MemoryConfig = field(default_factory=MemoryConfig)


@dataclass(frozen=True)
class Work:
    """What memory takes in at once, the latent's header, and the image of the same time."""

    moment: MemoryInput
    header: Header
    image: Image | CompressedImage | None


class MemoryNode(AmiNode[MemoryParameters]):
    """Takes in latents on a worker thread; a lock keeps services and worker apart."""

    def __init__(self, **options: Any) -> None:
        super().__init__("memory", MemoryParameters, **options)

    def configure(self) -> None:
        config = self.config
        loaded = shared_arrays(config.model)
        spec = loaded.model.spec
        self._encoder_id, self._width, self._latent_dim = loaded.encoder_id, spec.command_dim, spec.latent_dim
        if loaded.model.pairs is not None:
            loaded.model.pairs.mount = config.camera
        make = PlaceMemory if config.keep else PlaceMemory.copy_of
        path = config.memory_file.expanduser() if config.memory_file else None
        self.memory = make(loaded.model, loaded.encoder_id, path, config.memory)
        if notice := self.memory.map.store.notice:
            self.get_logger().warning(notice)
        self._lock = threading.Lock()
        self._feed = MemoryFeed(self._width, config.observe_period)
        self.memory.warm_up()
        self._images: deque[Image | CompressedImage] = deque(maxlen=5)
        self._shown = -1
        self._location = self.publisher(Location, "location")
        self._places = self.publisher(MarkerArray, "places", LATCHED)
        self._graph = self.publisher(PlaceGraph, "place_graph", LATCHED)
        self._keep_away = self.publisher(KeepAway, "keep_away", LATCHED)
        self._tf = tf_publisher(self)
        self._worker: Worker[Work] = Worker("memory", self._observe, self._failed, self._prepare)
        self.health.follow(self._worker)
        self.health.figure("model", lambda: loaded.encoder_id)
        self.health.figure("places", lambda: str(len(self.memory)))
        self.subscribe(Odometry, "odom", self._on_odometry, frame=self.config.odom_frame)
        if self.memory.takes_scans:
            self._scanner = Scanner(self, config.base_frame, config.scanner)
            self.subscribe(LaserScan, "scan", self._on_scan)
        self._camera = CalibratedCamera(spec.inputs, config.compressed, pairs=loaded.model.pairs)
        self._camera.follow(self)
        if config.thumbnails and spec.inputs.image_size:
            self.subscribe(self._camera.message_type, "image", self._images.append)
        kind = TwistStamped if config.enable_stamped_cmd_vel else Twist
        self.subscribe(kind, "cmd_vel", self._on_command, RELIABLE)
        self.subscribe(Surprise, "surprise", self._on_surprise)
        self.subscribe(Latent, "latent", self._on_latent)
        self._timer = self.every(config.places_period, self._publish_places)
        self._answers = MemoryServices(
            self, self.memory, self._lock, loaded.encoder_id, config.map_frame, self._camera.picture
        )
        folder = config.folder.expanduser() if config.folder else path.parent if path else None
        MemoryFiles(self, self.memory, self._lock, folder)
        self._map_topics = MapTopics(self, self.memory, self._lock, config.map_frame)
        self._initial_pose = InitialPose(self, self.memory, self._lock, config.map_frame)

    def activate(self) -> None:
        self._publish_places()

    def cleanup(self) -> None:
        if hasattr(self, "_worker"):
            self._worker.close()
        if hasattr(self, "memory"):
            self.memory.close()
            del self.memory

    def reconfigure(self, before: MemoryParameters) -> None:
        self._feed.period = self.config.observe_period
        self._timer.timer_period_ns = round(1e9 * self.config.places_period)

    def time_jumped(self) -> None:
        if hasattr(self, "memory"):
            self._feed.clear()
            self._images.clear()
            self._restart()

    def _restart(self) -> None:
        """Odometry or time restarted: the robot may be anywhere."""
        self._worker.clear()
        with self._lock:
            self.memory.restart()

    def _on_odometry(self, message: Odometry) -> None:
        pose, velocity = conversions.odometry_from_message(message)
        if not self._feed.take_odometry(conversions.stamp_of(message), pose, velocity, self.now()):
            self.get_logger().warning("odometry began anew: looking for the robot's place")
            self._restart()

    def _on_scan(self, message: LaserScan) -> None:
        self._feed.take_scan(conversions.stamp_of(message), self._scanner.read(message))

    def _on_command(self, message: Twist | TwistStamped) -> None:
        stamp = conversions.stamp_of(message) if isinstance(message, TwistStamped) else self.now()
        self._feed.take_command(stamp, conversions.command_from_message(message, self._width))

    def _on_surprise(self, message: Surprise) -> None:
        self._feed.take_surprise(message.z_score)

    def _on_latent(self, message: Latent) -> None:
        latent = conversions.latent_from_message(message, self._encoder_id, length=self._latent_dim)
        moment = self._feed.take_latent(LatentFrame(conversions.stamp_of(message), latent))
        if moment is not None:
            image = next((i for i in self._images if i.header.stamp == message.header.stamp), None)
            self._worker.submit(Work(moment, message.header, image))

    def _observe(self, work: Work) -> None:
        image = work.image
        thumbnail = (lambda: encode_thumbnail(self._camera.picture(image))) if image is not None else None
        with self._lock:
            location = remember(self.memory, work.moment, thumbnail)
            self._answers.latent = work.moment.latent
            self._initial_pose.observed(location)
        header = conversions.header_at(work.header.stamp, self.config.map_frame)
        self._map_topics.located(location, header)
        self._location.publish(memory_messages.location_to_message(location, header, self._encoder_id))
        odom_in_map = compose(location.pose, inverse(location.odometry))
        ahead = conversions.stamp_to_seconds(work.header.stamp) + self.config.transform_tolerance
        header = conversions.header_at(ahead, self.config.map_frame)
        send_transform(self._tf, header, self.config.odom_frame, conversions.pose_to_message(odom_in_map))

    def _prepare(self) -> bool:
        with self._lock:  # else goals would keep the thread that gives signs of life for seconds
            return self.memory.prepare()

    def _failed(self, error: Exception) -> None:
        self.health.error("memory", f"memory failed: {type(error).__name__}: {error}", error)

    def _publish_places(self) -> None:
        if error := self.memory.map.store.error:
            self.health.error("store", str(error))
        with self._lock:
            if self.memory.map.revision == self._shown:
                return
            self._shown = self.memory.map.revision
            places, edges = self.memory.places(), list(self.memory.map.graph.edges.values())
            circles = self.memory.keep_away()
        header = conversions.header_at(self.get_clock().now().to_msg(), self.config.map_frame)
        self._places.publish(place_markers(places, header))
        self._graph.publish(memory_messages.graph_to_message(places, edges, header, self._encoder_id))
        self._keep_away.publish(memory_messages.keep_away_to_message(circles, header))


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(MemoryNode)


if __name__ == "__main__":
    sys.exit(main())
