"""Robots of one site fetch each other's memories, row by row, until all have the same.

Each robot tells all others, about once a second, what it has: its own memory, and copies of others, each with the sum
of its checksums. Who has something else of a memory asks: the robot that it is of, or, while that is away, one that has
a newer copy. Nobody notes who got what, so nothing has to be kept over losses, restarts and hours of separation.

A copy is a memory file in a folder, which this process alone writes. Whoever drives by it reads it; so nothing here can
hold up a robot.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.files import NAME, SUFFIX
from ami_ros.memory.sharing.letters import Kind, Letter, key_from, plain, row_from
from ami_ros.memory.sharing.replica_writer import ReplicaWriter
from ami_ros.memory.sharing.rows import Key, OwnRows, RowSet, told_as_errors
from ami_ros.memory.types import key_of as robot_key


@dataclass(frozen=True)
class ExchangeLimits:
    """How much one letter holds, and how long a robot is waited for."""

    buckets: int = 2000  # of a copy that is compared, about
    small: int = 4  # bits: a bucket has at least 16 ids
    keys: int = 1500  # in one letter
    most_keys: int = 40_000  # that one question is answered with; the next brings more
    room: int = 24_000  # bytes of rows in one letter, from which no more is added: one picture more has to fit
    away: float = 6.0  # [s] that nothing was heard of a robot after which others speak for it
    tries: int = 3  # of asking for rows, one after the other, until the pull begins anew
    origins: int = 256  # robots of a site


LIMITS = ExchangeLimits()


@dataclass(frozen=True)
class SharingConfig:
    """Who shares with whom, and how."""

    site: str  # robots of another are not listened to
    robot: str
    rate: float = 2e6  # bytes of rows that are sent in a second, at most
    patience: float = 2.0  # [s] without an answer after which is asked again
    clock_error: float = 30.0  # [s] by which another robot's clock may be off


@dataclass
class Peer:
    """Another robot, as it was last heard."""

    heard: float = float("-inf")  # steady time [s]
    places: int = 0  # of its own
    digest: int = 0
    refused: str = ""  # why its rows are not taken


@dataclass
class _Pull:
    """What is being fetched of one memory."""

    source: str
    version: int
    digest: int  # of the memory in that version
    deadline: float  # steady [s]
    wanted: dict[Key, int] = field(default_factory=dict)  # and the checksums that they shall have
    tries: int = 0  # questions that nobody has answered since the last answer


class Exchange:
    """One robot's side. Not thread-safe.

    Args:
        config: see there.
        own: the memory of this robot.
        folder: of the copies, made if it is not there.
    """

    def __init__(self, config: SharingConfig, own: OwnRows, folder: Path) -> None:
        self.config, self.own, self.folder = config, own, folder
        self.peers: dict[str, Peer] = {}
        self._instance = random.getrandbits(52)
        self._encoder: tuple[str, int] | None = None
        self._replicas: dict[str, ReplicaWriter] = {}
        self._digests: dict[str, tuple[int, int]] = {}  # of the copies, as long as they have not changed
        self._own_digest, self._version = (0, 0), 0
        self._pulls: dict[str, _Pull] = {}
        self._refused_rows: dict[tuple[str, Key], int] = {}  # their checksums
        self._refused: dict[str, str] = {}  # of memories that rows were refused of: the last one, and why
        self._settled: dict[str, int] = {}  # digests of memories that all was taken of that could be
        self._outbox: dict[str, dict[Key, None]] = {}  # rows that somebody wants, by whose they are

    def close(self) -> None:
        """Closes all files."""
        self.own.close()
        for replica in self._replicas.values():
            replica.close()

    @property
    def places(self) -> int:
        """Of this robot's own."""
        return self._own_digest[0]

    def copies(self) -> dict[str, int]:
        """Places that are here of each other robot."""
        return {robot: self._digest(robot)[0] for robot in self._replicas}

    def is_complete(self, robot: str) -> bool:
        """Whether all is here that the robot said it has."""
        return robot in self._replicas and self._digest(robot)[1] == self.peers.get(robot, Peer()).digest

    # What is sent

    def tick(self, now: float, steady: float) -> list[Letter]:
        """Once a second: what this robot has, and questions again that nobody answered.

        Args:
            now: the robot's clock [s].
            steady: time that nobody sets [s].
        """
        with told_as_errors():
            rows = self.own.rows()
            if rows is None:
                return []
            if self._encoder is None:
                self._encoder = self.own.meta()
                for path in sorted(self.folder.glob(f"*{SUFFIX}")):  # those that are there from the time before
                    robot = path.name.removesuffix(SUFFIX)
                    if NAME.fullmatch(robot) and robot != self.config.robot:
                        try:
                            self._replica(robot)
                        except AmiError as error:  # it is told again when that robot speaks
                            self._peer(robot).refused = str(error)
            if self.own.changed() and (digest := rows.digest()) != self._own_digest:
                self._own_digest, self._version = digest, max(self._version + 1, int(1000 * now))
            letters = [self._state(now)]
            for origin, pull in list(self._pulls.items()):
                if steady < pull.deadline:
                    continue
                if pull.tries == LIMITS.tries or not pull.wanted:  # nobody answers: the next state begins anew
                    del self._pulls[origin]
                    continue
                pull.tries, pull.deadline = pull.tries + 1, steady + self.config.patience
                letters += self._want(origin, pull, list(pull.wanted), now)
            return letters

    def send_rows(self, now: float, period: float) -> list[Letter]:
        """Rows that somebody wants, as many as may be sent in a `period` [s]."""
        letters, room = [], self.config.rate * period
        with told_as_errors():
            while self._outbox and room > 0:
                origin = next(iter(self._outbox))
                batch, size = self._batch(origin)
                room -= size
                if batch:
                    is_own = origin == self.config.robot
                    identity = self.own.identity() if is_own else self._replicas[origin].identity
                    about = {"version": self._version_of(origin), "identity": identity}
                    letters.append(self._letter("", now, Kind.ROWS, origin=origin, rows=batch, **about))
        return letters

    def _state(self, now: float) -> Letter:
        assert self._encoder is not None
        held = self._replicas.items()
        holds = {robot: [copy.version, *self._digest(robot), copy.identity] for robot, copy in held}
        holds = {robot: state for robot, state in holds.items() if state[0]}
        holds[self.config.robot] = [self._version, *self._own_digest, self.own.identity()]
        about = {"encoder": self._encoder[0], "schema": database.SCHEMA_VERSION, "instance": self._instance}
        about["refused"] = {name: peer.refused for name, peer in self.peers.items() if peer.refused}
        return self._letter("", now, Kind.STATE, holds=holds, **about)

    def _letter(self, to: str, now: float, kind: Kind, **content: object) -> Letter:
        return Letter(self.config.site, self.config.robot, to, now, kind, content)

    def _batch(self, origin: str) -> tuple[list[object], int]:
        """The next rows of a memory for one letter, which leave the outbox, and how many bytes they have."""
        waiting, rows = self._outbox[origin], self._rows_of(origin)
        batch: list[object] = []
        size = 0
        while waiting and size < LIMITS.room:
            key = next(iter(waiting))
            del waiting[key]
            if rows is not None and (row := rows.row(key)) is not None:
                size += 60 + sum(len(v) for v in row if isinstance(v, bytes))
                batch.append(plain(key, row))
        if not waiting:
            del self._outbox[origin]
        return batch, size

    # What is heard

    def take(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        """One letter; returns those that answer it. `AmiError`: it was refused, and by whom it was."""
        config = self.config
        if letter.site != config.site or self._encoder is None:
            return []
        if letter.robot == config.robot:
            if letter.kind is Kind.STATE and letter.content.get("instance") != self._instance:
                raise AmiError(f"two robots are called '{config.robot}': rename one")
            return []
        if letter.to not in ("", config.robot):
            return []
        try:
            self._check_sender(letter, now)
            with told_as_errors():
                answer = self._HANDLERS[letter.kind](self, letter, now, steady)
        except AmiError as error:
            self._peer(letter.robot).refused = str(error)
            raise AmiError(f"robot '{letter.robot}': {error}", error.code) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise AmiError(f"robot '{letter.robot}': its message makes no sense") from error
        return answer

    def _check_sender(self, letter: Letter, now: float) -> None:
        """Raises AmiError where nothing of that robot is wanted."""
        robot, off = letter.robot, letter.stamp - now
        if not NAME.fullmatch(robot):
            raise AmiError("a robot's name has 1 to 64 letters, digits, dots, dashes and underscores")
        for other in (self.config.robot, *self.peers):
            if other != robot and robot_key(other) == robot_key(robot):
                raise AmiError(f"its name and '{other}' have the same key: rename one")
        if abs(off) > self.config.clock_error:
            raise AmiError(f"its clock is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}: set the clocks")

    def _on_state(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        assert self._encoder is not None
        peer, holds = self._peer(letter.robot), letter.content["holds"]
        if letter.content["encoder"] != self._encoder[0]:
            raise AmiError(f"its model is {letter.content['encoder']}, here it is {self._encoder[0]}: use the same one")
        if letter.content["schema"] != database.SCHEMA_VERSION:
            raise AmiError("its ami_ros has another version of memory: update the older one")
        (_, peer.places, peer.digest), identity = map(int, holds[letter.robot][:3]), str(holds[letter.robot][3])
        replica = self._replica(letter.robot)
        if not replica.identity:
            replica.begin(identity)
        if replica.identity != identity:
            hint = f"give it a new name, or erase the copy {replica.path}"
            raise AmiError(f"its memory is another than the one that was copied: {hint}")
        peer.heard, peer.refused = steady, self._refused.get(letter.robot, "")
        letters = []
        for origin, (version, _, digest, identity) in list(holds.items())[: LIMITS.origins]:
            if origin == self.config.robot:
                if identity == self.own.identity():
                    self._version = max(self._version, int(version) + (digest != self._own_digest[1]))
            elif NAME.fullmatch(origin):
                replica = self._replica(origin)
                if not replica.identity:
                    replica.begin(str(identity))
                if replica.identity == identity:
                    letters += self._compare(origin, letter.robot, int(version), int(digest), now, steady)
        return letters

    def _compare(self, origin: str, source: str, version: int, digest: int, now: float, steady: float) -> list[Letter]:
        """Somebody has a memory in that version; asks where it is another than here."""
        replica = self._replica(origin)
        if source != origin:
            # Of a robot that is there, nobody else knows better.
            owner = self.peers.get(origin)
            if version <= replica.version or (owner and steady - owner.heard < LIMITS.away):
                return []
        if digest == self._digest(origin)[1]:
            self._pulls.pop(origin, None)
            self._refused.pop(origin, None)
            if replica.version != version:
                replica.complete(version)
            return []
        if origin in self._pulls or self._settled.get(origin) == digest:
            return []
        self._pulls[origin] = _Pull(source, version, digest, steady + self.config.patience)
        shift = max(LIMITS.small, (max(self._digest(origin)[0], 1) // LIMITS.buckets).bit_length())
        sums = [[bucket, total] for bucket, total in replica.rows.sums(shift).items()]
        return [self._letter(source, now, Kind.SUMS, origin=origin, shift=shift, sums=sums)]

    def _on_sums(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        origin, shift = str(letter.content["origin"]), int(letter.content["shift"])
        rows = self._rows_of(origin)
        if rows is None or not LIMITS.small <= shift < 40:
            return []
        theirs, mine = {int(b): int(s) for b, s in letter.content["sums"]}, rows.sums(shift)
        differing = [b for b in sorted({*theirs, *mine}) if theirs.get(b, 0) != mine.get(b, 0)]
        letters, buckets, keys, count = [], [], [], 0
        for number, bucket in enumerate(differing):
            found = rows.keys(bucket, shift)
            buckets.append(bucket)
            keys += [[*key, crc] for key, crc in found.items()]
            if len(keys) >= LIMITS.keys or number == len(differing) - 1 or len(buckets) >= LIMITS.keys:
                about = {"origin": origin, "version": self._version_of(origin), "shift": shift}
                letters.append(self._letter(letter.robot, now, Kind.KEYS, buckets=buckets, keys=keys, **about))
                count, buckets, keys = count + len(keys), [], []
                if count >= LIMITS.most_keys:
                    break
        return letters

    def _on_keys(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        content = letter.content
        origin, shift = str(content["origin"]), int(content["shift"])
        pull = self._pulls.get(origin)
        if pull is None or pull.source != letter.robot or int(content["version"]) < self._replicas[origin].version:
            return []
        there = {key_from(numbers[:3]): int(numbers[3]) for numbers in content["keys"]}
        here: dict[Key, int] = {}
        for bucket in content["buckets"]:
            here |= self._replicas[origin].rows.keys(int(bucket), shift)
        if gone := [key for key in here if key not in there]:
            self._replicas[origin].erase(gone)
            self._digests.pop(origin, None)
        differs = {key: crc for key, crc in there.items() if here.get(key) != crc}
        refused = self._refused_rows
        wanted = {key: crc for key, crc in differs.items() if refused.get((origin, key)) != crc}
        pull.wanted |= wanted
        pull.tries, pull.deadline = 0, steady + self.config.patience
        if not pull.wanted:  # what is left is what was refused
            self._settled[origin] = pull.digest
            del self._pulls[origin]
        return self._want(origin, pull, list(wanted), now)

    def _want(self, origin: str, pull: _Pull, keys: list[Key], now: float) -> list[Letter]:
        keys = sorted(keys, key=lambda key: (key.id, key.table))  # what belongs to a place comes with it
        parts = [keys[k : k + LIMITS.keys] for k in range(0, len(keys), LIMITS.keys)]
        return [self._letter(pull.source, now, Kind.WANT, origin=origin, keys=part) for part in parts]

    def _on_want(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        origin = str(letter.content["origin"])
        keys = {key_from(numbers): None for numbers in letter.content["keys"]}
        waiting = self._outbox.get(origin, {})
        if keys and self._rows_of(origin) is not None and len(waiting) < 4 * LIMITS.most_keys:
            self._outbox[origin] = waiting | keys
        return []

    def _on_rows(self, letter: Letter, now: float, steady: float) -> list[Letter]:
        content, origin = letter.content, str(letter.content["origin"])
        if origin == self.config.robot or not NAME.fullmatch(origin) or origin not in self._replicas:
            return []
        replica, pull = self._replicas[origin], self._pulls.get(origin)
        if content["identity"] != replica.identity:
            return []  # of a memory that is not the one copied here
        if letter.robot != origin and int(content["version"]) <= replica.version:
            return []  # a relay has nothing newer
        rows = dict(row_from(values) for values in content["rows"])
        wanted = pull.wanted if pull is not None else {}
        refused = ""
        for key, row in list(rows.items()):
            try:
                replica.check(key, row, now)
            except AmiError as error:
                refused = f"row of place {key.id} refused: {error}"
                if key in wanted:  # what nobody here has asked for is not worth a note
                    self._refused_rows[origin, key] = wanted.pop(key)
                del rows[key]
        left = replica.put(rows.items())
        self._digests.pop(origin, None)
        for key in rows.keys() - set(left):
            wanted.pop(key, None)
        if pull is not None:
            pull.tries, pull.deadline = 0, steady + self.config.patience
            if not pull.wanted:
                del self._pulls[origin]  # the next state tells whether that was all, where it has changed meanwhile
                if self._digest(origin)[1] == pull.digest:
                    replica.complete(pull.version)
        if refused:
            self._refused[origin] = refused
            raise AmiError(refused)
        return []

    _HANDLERS: ClassVar = {
        Kind.STATE: _on_state, Kind.SUMS: _on_sums, Kind.KEYS: _on_keys, Kind.WANT: _on_want, Kind.ROWS: _on_rows,
    }  # fmt: skip

    # Inside

    def _replica(self, origin: str) -> ReplicaWriter:
        if origin not in self._replicas:
            assert self._encoder is not None
            if len(self._replicas) >= LIMITS.origins:
                raise AmiError(f"more than {LIMITS.origins} robots: no copy is made of '{origin}'")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._replicas[origin] = ReplicaWriter(self.folder / f"{origin}{SUFFIX}", *self._encoder)
        return self._replicas[origin]

    def _rows_of(self, origin: str) -> RowSet | None:
        """What can be given to others of a memory; None: nothing."""
        if origin == self.config.robot:
            return self.own.rows()
        replica = self._replicas.get(origin)
        return replica.rows if replica is not None and replica.version else None

    def _version_of(self, origin: str) -> int:
        return self._version if origin == self.config.robot else self._replicas[origin].version

    def _digest(self, origin: str) -> tuple[int, int]:
        if origin not in self._digests:
            self._digests[origin] = self._replicas[origin].rows.digest()
        return self._digests[origin]

    def _peer(self, robot: str) -> Peer:
        if robot not in self.peers and len(self.peers) < LIMITS.origins and NAME.fullmatch(robot):
            self.peers[robot] = Peer()
        return self.peers.get(robot, Peer())
