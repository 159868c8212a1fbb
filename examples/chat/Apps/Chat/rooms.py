"""
Rooms, and what was said in them.

A room is known by its key.  Of a public one that is its name, ``"Lobby"``; the private one of two
people is ``"@ada,bob"``, whose signs no name can have.  So there is one way to keep what was said,
to tell what is unread, and to say something.
"""

import re
import time

from Apps.Chat.database import DATABASE

NAME = re.compile(r"\w([\w -]{0,28}\w)?")
LONGEST_TEXT = 2000
PAGE = 50  # messages that are shown, or caught up with, at once
KEPT = 1000  # messages of a room that are kept
MOST_ROOMS = 200


def private(one, other):
    """Give the key of the room of two people."""
    # In the order that scripts have too, which make keys as well.
    return "@" + ",".join(sorted({one, other}, key=lambda name: name.encode("utf-16-be")))


def people_of(key):
    """Give the two people of a private room; nobody for a public one."""
    return key[1:].split(",") if key.startswith("@") else []


def other(key, user):
    """Give the one with whom somebody is in a private room."""
    return next((name for name in people_of(key) if name != user), user)


async def find(name):
    """Give the key of a public room, however its letters are typed; ``None`` if there is none."""
    rows = await DATABASE.query("SELECT name FROM rooms WHERE folded = ?", name.casefold())
    return rows[0][0] if rows else None


async def make(name):
    """
    Make a public room, unless there is one of the name; tell whether it is new.

    Raises:
        ValueError: it cannot be made.
    """
    if not NAME.fullmatch(name):
        raise ValueError("a room's name has 1 to 30 letters, digits, spaces or dashes")
    if await find(name) is not None:
        return False
    ((number,),) = await DATABASE.query("SELECT COUNT(*) FROM rooms")
    if number >= MOST_ROOMS:
        raise ValueError(f"there are {number} rooms already, and that is enough")
    # Somebody may have made it this moment.
    await DATABASE.query("INSERT OR IGNORE INTO rooms VALUES (?, ?)", name, name.casefold())
    return True


async def enter(user, key):
    """Make somebody a member of a room, who has seen all that was said there."""
    await DATABASE.query(
        "INSERT INTO members VALUES (?1, ?2, (SELECT COALESCE(MAX(id), 0) FROM messages"
        " WHERE room = ?2)) ON CONFLICT DO UPDATE SET seen = excluded.seen",
        user,
        key,
    )


async def is_member(user, key):
    """Tell whether somebody may read and speak in a room; whatever a client says may be asked."""
    if not isinstance(key, str) or not key.isprintable():
        return False
    if people_of(key):
        return user in people_of(key)
    return bool(
        await DATABASE.query("SELECT 1 FROM members WHERE user = ? AND room = ?", user, key)
    )


async def public_rooms_of(user):
    """Give the public rooms that somebody is a member of."""
    rows = await DATABASE.query(
        "SELECT room FROM members WHERE user = ? AND room NOT LIKE '@%'", user
    )
    return [key for (key,) in rows]


async def unread(user):
    """Give all public rooms and somebody's private ones, and how much is unread in each."""
    rows = await DATABASE.query(
        "SELECT places.key, COUNT(messages.id) FROM ("
        " SELECT name AS key FROM rooms UNION"
        " SELECT room FROM members WHERE user = ?1 AND room LIKE '@%') AS places"
        " LEFT JOIN members ON members.room = places.key AND members.user = ?1"
        " LEFT JOIN messages ON messages.room = places.key AND messages.id > members.seen"
        " GROUP BY places.key ORDER BY places.key COLLATE NOCASE",
        user,
    )
    return dict(rows)


async def say(key, author, text):
    """Keep a message; give it as clients get it."""
    at = int(time.time() * 1000)

    def keep(connection):
        number = connection.execute(
            "INSERT INTO messages (room, author, text, at) VALUES (?, ?, ?, ?)",
            (key, author, text, at),
        ).lastrowid
        connection.executemany(
            "INSERT OR IGNORE INTO members (user, room) VALUES (?, ?)",
            [(name, key) for name in people_of(key)],
        )
        connection.execute(
            "UPDATE members SET seen = ? WHERE user = ? AND room = ?", (number, author, key)
        )
        connection.execute(
            "DELETE FROM messages WHERE room = ?1 AND id <= (SELECT id FROM messages"
            " WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (key, KEPT),
        )
        return number

    return _message(await DATABASE.do(keep), key, author, text, at)


async def last(key, before=None):
    """Give the last messages of a room, or the last before one; the oldest comes first."""
    rows = await DATABASE.query(
        "SELECT id, room, author, text, at FROM messages"
        " WHERE room = ? AND id < ? ORDER BY id DESC LIMIT ?",
        key,
        before or 2**62,
        PAGE,
    )
    return [_message(*row) for row in reversed(rows)]


async def since(key, number):
    """Give the first messages of a room after one."""
    rows = await DATABASE.query(
        "SELECT id, room, author, text, at FROM messages"
        " WHERE room = ? AND id > ? ORDER BY id LIMIT ?",
        key,
        number,
        PAGE,
    )
    return [_message(*row) for row in rows]


async def seen(user, key, number):
    """Note that somebody has read a room up to a message."""
    await DATABASE.query(
        "UPDATE members SET seen = MAX(seen, ?) WHERE user = ? AND room = ?", number, user, key
    )


def _message(number, key, author, text, at):
    return {"id": number, "room": key, "author": author, "text": text, "at": at}
