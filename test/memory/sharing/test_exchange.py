"""Robots that fetch each other's memories over a network that loses, delays and repeats letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.fleet import LossyNetwork
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_jpeg
from ami_ros.core.submaps import RAYS, Submap
from ami_ros.memory.sharing.exchange import Exchange, SharingConfig
from ami_ros.memory.sharing.letters import Kind, Letter, packed, plain, unpacked
from ami_ros.memory.sharing.rows import LARGEST, OwnRows
from ami_ros.memory.store import Store
from ami_ros.memory.types import OWN, Edge, Experience, PlaceRow, key_of
from harness.copies import digest_of

DIM, ENCODER = 8, "an encoder"
START = 1_000_000.0  # [s] clock of all robots
PICTURE = encode_jpeg(np.zeros((8, 8, 3), np.uint8))


def a_place(number: int, label: str = "", **more: Any) -> PlaceRow:
    """A place with all that may belong to one."""
    rng = np.random.default_rng(number)
    known = Experience(np.eye(3, dtype=np.float32), np.ones((4, 2), np.float32), a_submap(rng).pack())
    row = PlaceRow(
        number, rng.standard_normal(DIM).astype(np.float32), rng.standard_normal(3), START, START, 1, label,
        thumbnail=PICTURE, experience=known,
    )  # fmt: skip
    return replace(row, **more)


def a_submap(rng: np.random.Generator) -> Submap:
    """Some points, and free space."""
    return Submap(rng.uniform(-3, 3, (20, 2)), np.full(RAYS, 2.0))


class Robot:
    """One that drives, and shares what it learns."""

    def __init__(self, folder: Path, name: str, site: str = "here", encoder: str = ENCODER) -> None:
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        self.encoder = encoder
        self.open()
        self.site = site
        self.start()

    def open(self) -> None:
        """Its memory, which is made if it is not there."""
        self.store = Store(self.folder / "own.memory", self.encoder, DIM)
        self.store.begin_sharing()

    def start(self) -> None:
        """Its sharing begins, or begins anew."""
        config = SharingConfig(self.site, self.name)
        self.exchange = Exchange(config, OwnRows(self.folder / "own.memory"), self.folder / "site")

    def learn(self, *numbers: int, **more: Any) -> None:
        """Founds places, each with a way from the one before."""
        self.store.put_places([a_place(number, **more) for number in numbers])
        self.store.put_edges(
            Edge(i, j, np.ones(3), 1, 2.0, 0, START, np.eye(3)) for i, j in zip(numbers, numbers[1:], strict=False)
        )
        self.store.wait()

    def has(self, other: Robot) -> bool:
        """Whether its copy of the other's memory is whole."""
        path = self.folder / "site" / f"{other.name}.memory"
        own = other.exchange.own.rows()
        return path.exists() and own is not None and digest_of(path) == own.digest()

    def close(self) -> None:
        """Switches it off."""
        self.exchange.close()
        self.store.close()


class Network(LossyNetwork):
    """Between such robots."""

    def __init__(self, *robots: Robot, loss: float = 0.0, delay: float = 0.0) -> None:
        super().__init__({robot.name: robot.exchange for robot in robots}, loss, delay, 0, START)

    def restart(self, *robots: Robot) -> None:
        """Their sharing begins anew."""
        for robot in robots:
            robot.exchange.close()
            robot.start()
            self.exchanges[robot.name] = robot.exchange


def rows_of(robot: Robot) -> dict[str, Any]:
    """What it would send of its first places, whoever asked."""
    own = robot.exchange.own
    rows = own.rows()
    assert rows is not None
    found = [plain(key, row) for key in rows.keys(0, 4) if (row := rows.row(key)) is not None]
    return {"origin": robot.name, "version": 1 << 50, "identity": own.identity(), "rows": found}


Make = Callable[..., list[Robot]]


@pytest.fixture
def robots(tmp_path: Path) -> Iterator[Make]:
    """Makes robots, and switches them off."""
    made: list[Robot] = []

    def make(*names: str, **more: str) -> list[Robot]:
        made.extend(Robot(tmp_path, name, **more) for name in names)
        return made[-len(names) :]

    yield make
    for robot in made:
        robot.close()


def all_have_all(*robots: Robot) -> bool:
    return all(a.has(b) for a in robots for b in robots if a is not b)


def test_three_robots_have_the_same_places_over_a_network_that_loses_a_fifth(robots: Make) -> None:
    three = robots("amr1", "amr2", "amr3")
    for number, robot in enumerate(three):
        robot.learn(*range(1, 60 + 40 * number))
    network = Network(*three, loss=0.2, delay=0.5)
    assert network.run(60.0, lambda: all_have_all(*three)) is not None
    assert not any(network.refused.values())


def test_what_was_learned_in_an_hour_apart_is_on_all_within_a_minute(robots: Make) -> None:
    three = robots("amr1", "amr2", "amr3")
    network = Network(*three, loss=0.2, delay=0.5)
    for robot in three:
        robot.learn(*range(1, 20))
    assert network.run(60.0, lambda: all_have_all(*three)) is not None
    network.apart = {"amr2"}
    for robot in three:
        robot.learn(*range(20, 900))
        robot.store.erase([5])
    network.run(3600.0 / 60)  # a minute stands for the hour: what it learned is there
    network.apart = set()
    assert network.run(60.0, lambda: all_have_all(*three)) is not None


def test_a_copy_is_an_ordinary_memory_with_pictures_submaps_and_ways(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(1, 2, 3, label="")
    assert Network(one, two).run(20.0, lambda: two.has(one) and one.has(two)) is not None
    copy = Store(two.folder / "site" / "amr1.memory", ENCODER, DIM, read_only=True)
    places, ways = copy.load()
    assert not copy.notice and [place.id for place in places] == [1, 2, 3] and len(ways) == 2
    assert copy.thumbnail(2) == PICTURE and ways[0].covariance is not None
    known = a_place(2).experience
    assert known is not None and copy.experience([2])[2].submap == known.submap
    copy.close()


def test_what_changes_or_is_forgotten_changes_and_goes_on_all(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    network = Network(one, two)
    one.learn(*range(1, 40))
    assert network.run(20.0, lambda: two.has(one)) is not None
    one.store.put_places([a_place(7, label="dock")])
    one.store.erase([9, 10])
    assert network.run(20.0, lambda: two.has(one)) is not None
    copy = Store(two.folder / "site" / "amr1.memory", ENCODER, DIM, read_only=True)
    found = {place.id: place.label for place in copy.load()[0]}
    copy.close()
    assert found[7] == "dock" and 9 not in found and 10 not in found


def test_a_robot_learns_of_one_that_is_away_from_one_that_had_met_it(robots: Make) -> None:
    one, two, three = robots("amr1", "amr2", "amr3")
    one.learn(*range(1, 30))
    network = Network(one, two, three)
    network.apart = {"amr3"}
    assert network.run(20.0, lambda: two.has(one)) is not None
    network.apart = {"amr1"}
    assert network.run(40.0, lambda: three.has(one)) is not None


def test_places_of_others_are_not_shared_as_ones_own_but_ways_to_them_are(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    foreign = (key_of("amr2") << 32) + 4
    assert foreign > OWN
    one.learn(1, 2)
    one.store.put_places([a_place(foreign)])
    one.store.put_edges([Edge(2, foreign, np.zeros(3), 1, 1.0, 0, START), Edge(foreign, foreign + 1, np.zeros(3))])
    one.store.wait()
    assert Network(one, two).run(20.0, lambda: two.has(one)) is not None
    keys = two.exchange._replicas["amr1"].rows
    assert keys.digest()[0] == 2
    rows = [keys.row(key) for bucket in keys.sums(4) for key in keys.keys(bucket, 4) if key.stop == foreign]
    assert len(rows) == 1


def test_after_a_restart_nothing_is_sent_twice(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 200))
    network = Network(one, two)
    assert network.run(30.0, lambda: two.has(one) and one.has(two)) is not None
    network.restart(one, two)
    network.bytes = 0
    network.run(10.0)
    assert two.has(one) and network.bytes < 10_000


def test_a_picture_that_fits_into_no_letter_is_left_out_and_its_place_is_not(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    large = encode_jpeg(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    assert len(large) > LARGEST
    one.learn(1, 2, 3)
    one.learn(4, thumbnail=large)
    assert Network(one, two).run(20.0, lambda: two.has(one)) is not None
    copy = Store(two.folder / "site" / "amr1.memory", ENCODER, DIM, read_only=True)
    assert len(copy.load()[0]) == 4 and copy.thumbnail(4) == b"" and copy.thumbnail(3) == PICTURE
    copy.close()


def test_one_changed_place_of_many_costs_little(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 1500))
    network = Network(one, two)
    assert network.run(60.0, lambda: two.has(one)) is not None
    network.bytes = 0
    one.learn(1500)
    assert network.run(20.0, lambda: two.has(one)) is not None
    assert network.bytes < 30_000


def test_a_robot_that_begins_anew_after_its_clock_went_back_is_believed(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 10))
    network = Network(one, two)
    assert network.run(20.0, lambda: two.has(one)) is not None
    network.restart(one)
    network.ahead = {"amr1": -1000.0, "amr2": -1000.0}
    one.store.put_places([a_place(3, created=START - 2000, last_seen=START - 2000)])
    one.store.erase([4])
    assert network.run(30.0, lambda: two.has(one)) is not None


def test_a_robot_that_lost_its_memory_does_not_take_it_from_the_others(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 40))
    network = Network(one, two)
    assert network.run(20.0, lambda: two.has(one)) is not None
    one.close()
    for file in one.folder.glob("own.memory*"):
        file.unlink()
    one.open()
    one.learn(1, 2)
    network.restart(one)
    network.run(10.0)
    assert any("its memory is another than the one that was copied" in line for line in network.refused["amr2"])
    rows = Letter("here", "amr1", "", network.clock("amr1"), Kind.ROWS, rows_of(one))
    assert two.exchange.take(rows, network.clock("amr2"), network.time) == []
    copy = Store(two.folder / "site" / "amr1.memory", ENCODER, DIM, read_only=True)
    assert len(copy.load()[0]) == 39
    copy.close()


# Bad input


def test_a_robot_with_another_model_is_refused_by_name_and_the_others_go_on(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    (odd,) = robots("odd", encoder="another")
    for robot in (one, two, odd):
        robot.learn(1, 2, 3)
    network = Network(one, two, odd)
    assert network.run(20.0, lambda: two.has(one) and one.has(two)) is not None
    assert any("robot 'odd': its model is another" in line for line in network.refused["amr1"])
    assert not (one.folder / "site" / "odd.memory").exists()


def test_a_robot_whose_clock_is_an_hour_off_is_refused_until_it_is_set(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(1, 2)
    network = Network(one, two)
    network.ahead["amr1"] = 3600.0
    network.run(10.0)
    assert any("robot 'amr1': its clock is 3600 s ahead" in line for line in network.refused["amr2"])
    assert not two.has(one)
    network.ahead["amr1"] = 0.0
    assert network.run(20.0, lambda: two.has(one)) is not None
    assert two.exchange.peers["amr1"].refused == ""


def test_a_memory_of_another_site_is_not_listened_to(robots: Make) -> None:
    (one,) = robots("amr1")
    (two,) = robots("amr2", site="elsewhere")
    one.learn(1)
    Network(one, two).run(10.0)
    assert not two.has(one) and not two.exchange.peers


@pytest.mark.parametrize(
    ("poison", "words"),
    [
        ("UPDATE places SET x = 1e999, crc = place_crc({places}) WHERE id = 5", "not finite"),
        ("UPDATE thumbnails SET jpeg = x'00', crc = blob_crc(id, x'00') WHERE id = 5", "picture"),
        ("UPDATE outlines SET outline = x'00', crc = blob_crc(id, x'00') WHERE id = 5", "submap"),
        ("UPDATE places SET x = 3.0 WHERE id = 5", "checksum"),
        ("UPDATE places SET created = 1e9, crc = place_crc({places}) WHERE id = 5", "future"),
    ],
)
def test_a_poisoned_row_is_refused_by_name_and_all_others_arrive(robots: Make, poison: str, words: str) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 30))
    one.store.close()
    with_poison(one.folder / "own.memory", poison)
    network = Network(one, two)
    network.run(20.0)
    assert any("robot 'amr1': row of place 5 refused" in line and words in line for line in network.refused["amr2"])
    copy = Store(two.folder / "site" / "amr1.memory", ENCODER, DIM, read_only=True)
    assert not copy.notice and {place.id for place in copy.load()[0]} >= set(range(1, 30)) - {5}
    copy.close()
    network.bytes = 0
    network.run(10.0)
    assert network.bytes < 10_000  # it is not asked for again and again


def with_poison(path: Path, statement: str) -> None:
    """Changes a memory as no robot of ours would."""
    from contextlib import closing

    from ami_ros.memory import database
    from ami_ros.memory.database import register

    with closing(database.connect(path)) as connection:
        register(connection, ENCODER, DIM)
        places = database.TABLES["places"]
        places = places.replace(", x,", ", 1e999,") if "1e999" in statement else places
        places = places.replace("created", "1e9") if "created" in statement else places
        with connection:
            connection.execute(statement.format(places=places))


def test_two_robots_of_one_name_are_told_and_not_shared(robots: Make, tmp_path: Path) -> None:
    (one,) = robots("amr1")
    (tmp_path / "other").mkdir()
    twin = Robot(tmp_path / "other", "amr1")
    one.learn(1)
    twin.learn(2)
    (letter,) = [*twin.exchange.tick(START, 0.0)]
    assert one.exchange.tick(START, 0.0)
    with pytest.raises(AmiError, match="two robots are called 'amr1'"):
        one.exchange.take(letter, START, 0.0)
    twin.close()


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("content", [{}, {"origin": 3}, {"origin": "../x", "holds": {"a": 1}}, {"holds": [1]}])
def test_letters_that_make_no_sense_are_refused_by_name(robots: Make, kind: Kind, content: dict[str, Any]) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(1)
    network = Network(one, two)
    assert network.run(20.0, lambda: two.has(one) and one.has(two)) is not None
    letter = Letter("here", "amr2", "amr1", START + network.time, kind, content)
    try:
        assert one.exchange.take(letter, START + network.time, network.time) == []
    except AmiError as error:
        assert "robot 'amr2'" in str(error)
    assert two.has(one) and one.has(two)


@pytest.mark.parametrize("data", [b"", b"nothing", packed({"a": 1})[:-3], b"x\x9c" + bytes(40)])
def test_content_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(AmiError, match="damaged"):
        unpacked(data)


def test_a_small_letter_that_unpacks_to_gigabytes_is_refused() -> None:
    with pytest.raises(AmiError, match="too large"):
        unpacked(packed({"a": "0" * 20_000_000}))


def test_a_full_disk_is_told_and_what_is_there_stays(robots: Make) -> None:
    one, two = robots("amr1", "amr2")
    one.learn(*range(1, 50))
    network = Network(one, two)
    assert network.run(20.0, lambda: two.has(one)) is not None
    two.exchange._replicas["amr1"]._connection.execute("PRAGMA max_page_count = 1")
    one.learn(*range(50, 400))
    network.run(10.0)
    assert any("cannot be written" in line and "full" in line for line in network.refused["amr2"])
    two.exchange._replicas["amr1"]._connection.execute("PRAGMA max_page_count = 1000000")
    assert network.run(40.0, lambda: two.has(one)) is not None
