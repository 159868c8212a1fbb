"""The chat's database: SQLite, in one file, and never in the reactor's thread."""

import sqlite3

from settings import DATABASE as PATH
from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThread

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE, password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE);
INSERT OR IGNORE INTO rooms VALUES ('Lobby', 'lobby');
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_of_room ON messages (room, id);
CREATE TABLE IF NOT EXISTS members (
    user TEXT NOT NULL, room TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, room)
);
"""


class Database:
    """A database, one transaction after another."""

    def __init__(self, path):
        self._turn = DeferredLock()
        self.open(path)

    def open(self, path, run=deferToThread):
        """Use a file; tests use ``":memory:"``, and a ``run`` that does not wait for a thread."""
        self._path, self._run, self._connection = path, run, None

    def do(self, work):
        """Call ``work(connection)`` in a thread, as one transaction; give a Deferred."""
        return self._turn.run(self._run, self._transact, work)

    def query(self, statement, *values):
        """Do one statement; give a Deferred of the rows."""
        return self.do(lambda connection: connection.execute(statement, values).fetchall())

    def _transact(self, work):
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            self._connection.executescript(SCHEMA)
        with self._connection as connection:
            return work(connection)


DATABASE = Database(PATH)
