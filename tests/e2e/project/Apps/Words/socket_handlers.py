"""Operators, middleware and namespaces made on demand, as clients see them."""

import re

from mojo import AckTimeout, ConnectionRefused, EventRefused, MojoSocketHandler, event


def known_device(handler):
    if handler.request.auth.get("device") == "stolen":
        raise ConnectionRefused("unknown device", {"register": "/devices"})


async def members_only(handler, event):
    if event.name.startswith("admin "):
        raise EventRefused("members only", {"event": event.name})
    if event.name == "alias":
        event.name, event.args = "echo", ["renamed", *event.args]


class DocumentHandler(MojoSocketHandler):
    @event
    def where(self):
        return {"name": str(self.namespace), "params": dict(self.params)}

    @event
    def edit(self, text):
        self.broadcast.emit("edited", text)

    @event
    def everywhere(self, text):
        self.mojo.of("/WordsSocket/doc/<id>").emit("edited", text)


def testers(name, auth):
    return name.startswith("/beta") and auth.get("tester") is True


class SocketConnectionHandler(MojoSocketHandler):
    middleware = [known_device]  # noqa: RUF012
    event_middleware = [members_only]  # noqa: RUF012
    __endpoints__ = {  # noqa: RUF012
        "/doc/<id>": DocumentHandler,
        re.compile(r"/year-(?P<year>\d{4})"): DocumentHandler,
        testers: DocumentHandler,
    }

    def on_open(self, request):
        self.sent = []
        self.on_any_outgoing(lambda name, *args: self.sent.append(name))

    @event
    def echo(self, *args):
        return args

    @event
    def enter(self, *rooms):
        self.join(*rooms)
        return sorted(self.rooms - {self.id})

    @event
    def tell(self, rooms, excluded, text):
        self.namespace.to(*rooms).except_(*excluded).emit("told", text)

    @event(concurrent=True)
    async def poll(self, room, seconds):
        answers, missing = await self.namespace.to(room).timeout(seconds).call("ready?", b"\x01")
        return {"answers": answers, "missing": missing}

    @event(concurrent=True)
    async def ask_me(self, seconds):
        try:
            return await self.timeout(seconds).call("question")
        except AckTimeout as exc:
            return {"error": str(exc)}

    @event
    def positions(self, count):
        for number in range(count):
            self.volatile.emit("position", number)
        self.emit("the end")

    @event
    async def who(self, room):
        found = await self.namespace.to(room).fetch_sockets()
        return [{"id": s.id, "rooms": sorted(s.rooms - {s.id})} for s in found]

    @event
    def move(self, room, new):
        self.namespace.to(room).sockets_join(new)
        self.namespace.to(room).sockets_leave(room)

    @event
    def kick(self, room, close):
        self.namespace.to(room).disconnect_sockets(close=close)

    @event
    def what_was_sent(self):
        return self.sent

    @event("*")
    def anything_else(self, name, *args):
        return {"error": f"there is no event {name}"}
