"""What the chat remembers: who is in which room, and the last words said there."""

import re
import time
from collections import deque

ROOM_NAME = re.compile(r"[\w -]{1,30}")
USER_NAME = re.compile(r"[\w -]{1,20}")
LONGEST_MESSAGE = 2000
REMEMBERED = 50


class Room:
    """One room, which goes with the last one in it; its words stay."""

    def __init__(self, name):
        self.name = name
        self.messages = deque(maxlen=REMEMBERED)
        self._members = {}

    @property
    def people(self):
        """The names of those who are here, each once however many tabs they have."""
        return sorted(set(self._members.values()), key=str.casefold)

    def enter(self, cid, user):
        """Let a connection in; say whether the user is new here."""
        new = user not in self._members.values()
        self._members[cid] = user
        return new

    def leave(self, cid):
        """Let a connection out; say whether the user has left with it."""
        user = self._members.pop(cid, None)
        return user is not None and user not in self._members.values()

    def say(self, user, text):
        """Remember a message and give it as the clients get it."""
        message = {"user": user, "text": text, "at": int(time.time() * 1000)}
        self.messages.append(message)
        return message


class Rooms:
    """The rooms by name."""

    def __init__(self):
        self._rooms = {}

    def get(self, name):
        """Give a room, which begins to exist when it is asked for."""
        if name not in self._rooms:
            self._rooms[name] = Room(name)
        return self._rooms[name]

    @property
    def names(self):
        """The rooms that somebody is in, and the one that is always there."""
        used = {name for name, room in self._rooms.items() if room.people}
        return sorted(used | {"Lobby"}, key=str.casefold)


ROOMS = Rooms()
