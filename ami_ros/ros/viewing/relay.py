"""Stands between viewers and foxglove-sdk's server, and says what Lichtblick's 3D panel needs for its goals and poses.

It offers these tools only where `serverInfo` names a ROS distribution, which foxglove-sdk cannot be told in Python. And
it must know topics before that, if none: see NO_TOPICS. All else passes as it is.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any

from ami_ros.extras import need

PROTOCOL = "foxglove.sdk.v1"
MOST_BYTES = 1 << 18  # of what a viewer says at once: subscriptions to some thousand topics
# Lichtblick 1.28.1 (FoxgloveWebSocketPlayer) tells its panels of the distribution only once it has a list of topics. If
# they hear of it after `clientPublish`, it makes the 3D panel anew, and the old one takes back what the new advertised.
NO_TOPICS = json.dumps({"op": "advertise", "channels": []})
SILENT = logging.Logger("viewers", logging.CRITICAL)  # a stranger who speaks no WebSocket is no error of ours


class Relay:
    """Listens until `close`.

    Args:
        host: to listen at.
        port: likewise; 0: any.
        server: port of foxglove-sdk's server on this machine.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, host: str, port: int, server: int) -> None:
        self._connect = need("websockets.sync.client", "foxglove").connect
        self._address = f"ws://127.0.0.1:{server}"
        self._server = need("websockets.sync.server", "foxglove").serve(
            self._meet, host, port, subprotocols=[PROTOCOL], compression=None, max_size=MOST_BYTES, logger=SILENT
        )
        self.port = int(self._server.socket.getsockname()[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listens no more; who is there goes when the server does."""
        self._server.shutdown()

    def _meet(self, viewer: Any) -> None:
        """One viewer, on a thread of its own, until either side ends."""
        with self._connect(
            self._address, subprotocols=[PROTOCOL], compression=None, max_size=None, logger=SILENT
        ) as server:
            threading.Thread(target=_pass_on, args=(viewer, server), daemon=True).start()
            if not _is_foxglove(viewer.request.headers):  # which was never tried with more than the protocol says
                viewer.send(NO_TOPICS)
            viewer.send(with_distribution(server.recv()))
            _pass_on(server, viewer)


def with_distribution(hello: str | bytes) -> str:
    """A server's first message, `serverInfo`, with the distribution of ROS."""
    said = json.loads(hello)
    said["metadata"] = {**said.get("metadata", {}), "ROS_DISTRO": os.environ.get("ROS_DISTRO", "jazzy")}
    return json.dumps(said)


def _is_foxglove(headers: Any) -> bool:
    return any("foxglove" in headers.get(name, "").lower() for name in ("Origin", "User-Agent"))


def _pass_on(source: Any, target: Any) -> None:
    """Until one of the two is closed; then both are."""
    closed = need("websockets", "foxglove").ConnectionClosed
    try:
        for frame in source:
            target.send(frame)
    except closed:
        pass
    finally:
        source.close()
        target.close()
