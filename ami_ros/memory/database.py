"""The SQLite file below `Store`: how it is opened, what is in it, how older versions become this one, and a checksum of
each row, so that a flipped bit is found and no row is silently wrong.

Checksums are CRC-32, which finds every change of up to 32 bits in a row, begun with the encoder: rows of another never
fit.
"""

from __future__ import annotations

import secrets
import sqlite3
import struct
import zlib
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.memory.replacing import settled
from ami_ros.memory.types import EDGES, Code

SCHEMA_VERSION = 5
APPLICATION_ID = 0x414D4931  # "AMI1": tells a memory from another program's SQLite file
PATIENCE = 5.0  # [s] that other processes may hold up a write, or the emptying of the log
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)  # what is raised for it; also where SQLite quotes what it found
# Each table, and its columns but for the checksum; robots that share memories count tables in this order.
TABLES = {
    "places": "id, latent, x, y, yaw, created, last_seen, visits, label, note, episode, surprise, keep_away",
    "thumbnails": "id, jpeg",
    "edges": ", ".join(EDGES.names or ()),
    "experience": "id, covariance, commands",
    "outlines": "id, outline",
    "measured": "start, stop, content",
}
_SUBMAPS = """
CREATE TABLE outlines (id INTEGER PRIMARY KEY, outline BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE measured (
    start INTEGER NOT NULL, stop INTEGER NOT NULL, content BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (start, stop)) WITHOUT ROWID
"""
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (
    id INTEGER PRIMARY KEY, latent BLOB NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    created REAL NOT NULL, last_seen REAL NOT NULL, visits INTEGER NOT NULL, label TEXT NOT NULL, note TEXT NOT NULL,
    episode INTEGER NOT NULL DEFAULT 0, surprise REAL NOT NULL DEFAULT 0, keep_away REAL NOT NULL DEFAULT 0,
    crc INTEGER NOT NULL DEFAULT 0);
CREATE TABLE thumbnails (id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, crc INTEGER NOT NULL DEFAULT 0);
CREATE TABLE experience (id INTEGER PRIMARY KEY, covariance BLOB, commands BLOB, crc INTEGER NOT NULL DEFAULT 0);
CREATE TABLE edges (
    start INTEGER NOT NULL, stop INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    traversals INTEGER NOT NULL, duration REAL NOT NULL, failures INTEGER NOT NULL, last_used REAL NOT NULL,
    crc INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (start, stop)) WITHOUT ROWID;
{_SUBMAPS}"""
# From each version to the next; nothing else knows the older ones.
_MIGRATIONS = {
    1: "ALTER TABLE places ADD COLUMN episode INTEGER NOT NULL DEFAULT 0",
    2: """
ALTER TABLE places ADD COLUMN surprise REAL NOT NULL DEFAULT 0;
ALTER TABLE places ADD COLUMN keep_away REAL NOT NULL DEFAULT 0;
CREATE TABLE experience (id INTEGER PRIMARY KEY, covariance BLOB, commands BLOB)
""",
    3: f"""
ALTER TABLE places ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE thumbnails ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experience ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
ALTER TABLE edges ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;
UPDATE places SET crc = place_crc({TABLES["places"]});
UPDATE thumbnails SET crc = blob_crc(id, jpeg);
UPDATE experience SET crc = blob_crc(id, covariance, commands);
UPDATE edges SET crc = edge_crc({TABLES["edges"]})
""",
    4: _SUBMAPS,
}


def given(*names: str) -> str:
    """A row of values that a statement is given, by `names`, so that it may use each more than once: numbered
    placeholders take no sequence from Python 3.14 on."""
    return "(SELECT " + ", ".join(f"? AS {name}" for name in names) + ")"


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection that may write; the file is made if it is not there. None: in RAM.

    Raises:
        AmiError: it is another program's, and was left as it is.
    """
    if path is None:
        return _lenient(sqlite3.connect(":memory:", check_same_thread=False))
    if path.exists() and path.stat().st_size:
        with closing(connect_to_read(path)) as probe:
            if not is_empty(probe):
                _refuse_others(probe, path)
    connection = _lenient(sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # acknowledged is on the disk, also after a power cut
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Readers of a WAL file write beside it; where they may not, nobody writes, and the file alone is the truth."""
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = _lenient(sqlite3.connect(address, uri=True, timeout=PATIENCE, check_same_thread=False))
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection
    except sqlite3.OperationalError:
        return _lenient(sqlite3.connect(f"{address}&immutable=1", uri=True, check_same_thread=False))


def _lenient(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Texts that are none are read all the same: their checksum tells."""
    connection.text_factory = lambda text: text.decode(errors="replace")
    return connection


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing has been made in it yet."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def create(connection: sqlite3.Connection, encoder_id: str, latent_dim: int) -> None:
    """Makes the tables, in one transaction, so that a kill leaves an empty file or a whole one."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        crc = str(seed_of(encoder_id, latent_dim))  # checks the others
        values = [("encoder_id", encoder_id), ("latent_dim", str(latent_dim)), ("crc", crc)]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", values)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def check(connection: sqlite3.Connection, path: Path | None, encoder_id: str, latent_dim: int) -> int:
    """The version of a memory.

    Raises:
        AmiError: not a memory, of a later version, or of another encoder (`Code.ENCODER_MISMATCH`).
        sqlite3.DatabaseError: what it says of itself is damaged.
    """
    _refuse_others(connection, path)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 1 <= version <= SCHEMA_VERSION:
        versions = f"version {version}, this program knows {SCHEMA_VERSION}"
        raise AmiError(f"the memory {path} has {versions}: use a newer ami_ros, or name another file")
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    found = meta.get("encoder_id", ""), meta.get("latent_dim", "")
    if version >= 4 and (meta.get("crc"),) != (str(zlib.crc32(" ".join(found).encode())),):
        raise sqlite3.DatabaseError("it does not say of which encoder it is")
    if found != (encoder_id, str(latent_dim)):
        raise AmiError(
            f"the memory {path} belongs to the encoder {meta.get('encoder_id')}, the model is {encoder_id}: "
            "use that model, name another file, or ./ami remember --reencode it",
            Code.ENCODER_MISMATCH,
        )
    return version


def _refuse_others(connection: sqlite3.Connection, path: Path | None) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if (found ^ APPLICATION_ID).bit_count() > 2:  # bits that may have flipped
        raise AmiError(f"{path} is no memory of places: name another file")
    if found != APPLICATION_ID:
        raise sqlite3.DatabaseError("it does not say that it is a memory")
    refuse_code(connection, path)


def refuse_code(connection: sqlite3.Connection, path: Path | None) -> None:
    """Raises AmiError where a file holds more than tables: what would run when it is read or written."""
    found = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
    if found is not None:
        raise AmiError(f"{path} is no memory of places, for it has a {found[0]}: name another file")


def migrate(connection: sqlite3.Connection, encoder_id: str, latent_dim: int) -> None:
    """Brings an older version up to this one, in one transaction: a kill leaves the old one or the new one."""
    register(connection, encoder_id, latent_dim)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
        for step in range(version, SCHEMA_VERSION):
            for statement in _MIGRATIONS[step].split(";"):
                connection.execute(statement)
        crc = str(seed_of(encoder_id, latent_dim))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('crc', ?)", (crc,))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def begin_sharing(connection: sqlite3.Connection, anew: bool = False) -> None:
    """A memory that others copy: it gets an identity, another one if begun `anew`, by which copies know what they are
    copies of. And checksums are kept beside the rows, too: else who sums them reads all pictures."""
    with connection:
        how = "REPLACE" if anew else "IGNORE"
        connection.execute(f"INSERT OR {how} INTO meta VALUES ('identity', ?)", (secrets.token_hex(8),))
        for table in ("places", "thumbnails", "experience", "outlines"):  # rows of ways are short
            connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_crc ON {table} (id, crc)")


def meta_value(connection: sqlite3.Connection, key: str) -> str:
    """What a memory says of itself under a key, such as the `identity` of one that is shared; empty: nothing."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return "" if found is None else str(found[0])


def is_sound(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds no fault with the whole file, in a third of the time that opening takes.

    It is the whole, for the log may have lost its end while it was copied to the file: rows are then in pages that no
    table leads to. Who found a picture that is not what was written has left word (`records.MARK_DAMAGED`).
    """
    try:
        if meta_value(connection, "damaged"):
            return False
        for table, columns in TABLES.items():  # a row that belongs to no place: its id has flipped
            strange = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE id NOT IN (SELECT id FROM places))"
            if columns.startswith("id, ") and connection.execute(strange).fetchone()[0]:
                return False
        return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except DAMAGE as error:
        if is_passing(error):
            raise
        return False


def is_passing(error: BaseException) -> bool:
    """Whether a file is locked, or its disk cannot be read: nothing is known of what is on it.

    That a table or column is not there is damage: where it is made has flipped. Python 3.10 cannot tell the two apart.
    """
    wrong_statement = 1  # https://sqlite.org/rescode.html
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) != wrong_statement


def meta_of(path: Path) -> tuple[str, int]:
    """Encoder id and latent length of a memory, whatever they are.

    Raises:
        AmiError: there is none.
    """
    path = settled(path)
    if not path.is_file():
        raise AmiError(f"there is no memory {path}")
    try:
        with closing(connect_to_read(path)) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise AmiError(f"{path} is no memory of places: name another file")
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            return meta["encoder_id"], int(meta["latent_dim"])
    except (sqlite3.Error, KeyError, ValueError) as error:
        raise AmiError(f"the memory {path} cannot be used: {error}; restore it from a copy") from error


# Checksums


def seed_of(encoder_id: str, latent_dim: int) -> int:
    """What the checksums of a memory begin with."""
    return zlib.crc32(f"{encoder_id} {latent_dim}".encode())


def register(connection: sqlite3.Connection, encoder_id: str, latent_dim: int) -> None:
    """Makes `place_crc`, `edge_crc`, `blob_crc` and `blob_fits` known to SQL."""
    seed = seed_of(encoder_id, latent_dim)
    for function in (place_crc, edge_crc, blob_crc):
        connection.create_function(function.__name__, -1, partial(function, seed), deterministic=True)
    connection.create_function("blob_fits", -1, lambda found, *values: fits(found, blob_crc, seed, *values))


def place_crc(seed: int, *values: object) -> int:
    """Of a place's values in the order of `TABLES`. SQLite keeps no -0.0, so it counts as 0."""
    place_id, latent, x, y, yaw, created, last_seen, visits, label, note, episode, surprise, keep_away = values
    # In the order of `types.NUMBERS`, then x, y, yaw; the latent comes behind them.
    numbers = place_id, created, last_seen, visits, episode, surprise, keep_away, x, y, yaw
    crc = zlib.crc32(latent, zlib.crc32(struct.pack("<qddqqddddd", *map(_plain, numbers)), seed))  # type: ignore[arg-type]
    return _with_texts(crc, str(label), str(note))


def edge_crc(seed: int, *values: object) -> int:
    """Of a way's values in the order of `types.EDGES`."""
    return zlib.crc32(struct.pack("<qqdddqdqd", *map(_plain, values)), seed)


def _plain(number: object) -> object:
    return number + 0.0 if isinstance(number, float) else number


def blob_crc(seed: int, row_id: int, *blobs: bytes | None) -> int:
    """Of an id, and what is kept under it."""
    crc = zlib.crc32(row_id.to_bytes(8, "little", signed=True), seed)
    for blob in blobs:
        crc = zlib.crc32(b"\0" if blob is None else blob, zlib.crc32(b"%d" % (-1 if blob is None else len(blob)), crc))
    return crc


def fits(found: object, function: object, seed: int, *values: object) -> bool:
    """Whether a checksum that was read is that of the values beside it, of whatever types these are."""
    try:
        return bool(found == function(seed, *values))  # type: ignore[operator]
    except (struct.error, TypeError, ValueError, OverflowError, AttributeError):
        return False


def blob_crcs(seed: int, ids: NDArray[np.int64], blobs: NDArray[np.void]) -> NDArray[np.int64]:
    """`blob_crc` of ids (n,) and the one blob of each (n,)."""
    length = b"%d" % blobs.itemsize
    rows = np.zeros(len(ids), [("id", "<i8"), ("length", f"V{len(length)}"), ("blob", blobs.dtype)])
    rows["id"], rows["length"], rows["blob"] = ids, np.void(length), blobs
    return row_crcs(seed, rows, {})


def row_crcs(seed: int, rows: NDArray[np.void], texts: Mapping[int, tuple[str, str]]) -> NDArray[np.int64]:
    """The checksums (n,) that many rows have to have.

    Args:
        seed: see `seed_of`.
        rows: (n,) of places, with the fields of `types.NUMBERS`, x, y, yaw and the latent's bytes, or of ways, with the
            fields of `types.EDGES`. The checksum that was read, the field `crc`, comes last and does not count.
        texts: label and note of the places that have one.
    """
    rows = rows.copy()
    for name in rows.dtype.names or ():
        if rows.dtype[name].kind == "f":
            rows[name] += 0.0
    size = rows.itemsize - (rows["crc"].itemsize if "crc" in (rows.dtype.names or ()) else 0)
    content, crc32 = memoryview(rows.tobytes()), zlib.crc32
    found = [crc32(content[start : start + size], seed) for start in range(0, len(content), rows.itemsize)]
    row_of = {place_id: k for k, place_id in enumerate(rows["id"].tolist())} if texts else {}
    for place_id in texts.keys() & row_of.keys():
        k = row_of[place_id]
        found[k] = _with_texts(found[k], *texts[place_id])
    return np.array(found, np.int64)


def _with_texts(crc: int, label: str, note: str) -> int:
    return zlib.crc32(f"{label}\0{note}".encode(errors="replace"), crc) if label or note else crc
