"""The chat's connections: one object for each tab."""

from Apps.Chat.rooms import LONGEST_MESSAGE, ROOM_NAME, ROOMS

from mojo import ConnectionRefused, MojoSocketHandler, event


class SocketConnectionHandler(MojoSocketHandler):
    def on_open(self, request):
        if self.user_id is None:
            raise ConnectionRefused("Please log in first.", {"login": "/login"})

    @event
    def enter(self, name):
        """Enter a room, leaving the one before; the answer is what to show."""
        name = name.strip() if isinstance(name, str) else ""
        if not ROOM_NAME.fullmatch(name):
            return {"error": "A room's name has 1 to 30 letters, digits, spaces or dashes."}
        self._leave_room()
        room = ROOMS.get(name)
        self.data["room"] = room
        self.join(f"room {name}")
        if room.enter(self.id, self.user_id):
            self.to(f"room {name}").emit("entered", self.user_id)
        self._tell_who_is_here(room)
        return {"room": name, "you": self.user_id, "messages": list(room.messages)}

    @event
    def say(self, text):
        """Say something to the room; the answer is the message as all others get it."""
        room = self.data.get("room")
        text = text.strip() if isinstance(text, str) else ""
        if room is None:
            return {"error": "Enter a room first."}
        if not text or len(text) > LONGEST_MESSAGE:
            return {"error": f"A message has 1 to {LONGEST_MESSAGE} characters."}
        message = room.say(self.user_id, text)
        self.to(f"room {room.name}").emit("said", message)
        return message

    @event
    def typing(self):
        room = self.data.get("room")
        if room is not None:
            self.to(f"room {room.name}").emit("typing", self.user_id)

    def on_logout(self, reason):
        self.emit("logged out")
        self.close()

    def on_close(self, reason):
        self._leave_room()

    def _leave_room(self):
        room = self.data.pop("room", None)
        if room is not None:
            self.leave(f"room {room.name}")
            if room.leave(self.id):
                who = self.request.user_id
                self.namespace.to(f"room {room.name}").emit("left", who)
            self._tell_who_is_here(room)

    def _tell_who_is_here(self, room):
        self.namespace.to(f"room {room.name}").emit("people", room.people)
        self.namespace.emit("rooms", ROOMS.names)
