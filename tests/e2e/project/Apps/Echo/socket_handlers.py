"""What the official clients talk to."""

import os

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater

from mojo import ConnectionRefused, MojoSocketHandler, SessionUnavailable, event
from mojo.errors import SessionMoved


class AdminHandler(MojoSocketHandler):
    def on_open(self, request):
        if request.auth.get("password") != "open sesame":
            raise ConnectionRefused("wrong password", {"hint": "caves"})

    @event
    def whoami(self):
        return str(self.namespace)


class SocketConnectionHandler(MojoSocketHandler):
    __endpoints__ = {"/admin": AdminHandler}  # noqa: RUF012

    def on_open(self, request):
        self.emit(
            "welcome", {"session": self.session_id, "user": self.user_id, "auth": request.auth}
        )

    def on_message(self, *args):
        self.send(*args)

    def on_logout(self, reason):
        self.emit("logged out", reason, self.user_id)

    @event
    def echo(self, *args):
        return args

    @event("with spaces")
    async def later(self, value):
        await deferLater(reactor, 0.01)
        return {"value": value}

    @event
    @inlineCallbacks
    def ask_back(self, question):
        answer = yield self.call("question", question, timeout=60)
        return "the answer was", answer

    @event
    async def add(self, item):
        session = await self.load_session()
        session["cart"] = [*session.get("cart", []), item]
        await self.save_session()
        return {"cart": session["cart"], "session": self.session_id}

    @event
    async def put(self, key, value):
        try:
            (await self.load_session())[key] = value
            await self.save_session()
        except (SessionMoved, SessionUnavailable) as exc:
            return type(exc).__name__
        return True

    @event
    def where_from(self):
        return {"address": self.request.address, "secure": self.request.secure}

    @event
    def handshake(self):
        return {
            "token": self.request.headers.get("x-token"),
            "cookie": self.request.headers.get("cookie"),
            "room": self.request.get_argument("room"),
        }

    @event
    def process(self):
        return os.getpid()

    @event
    def transport(self):
        return self._connection.client.session.transport.name

    @event
    def back(self, count):
        """Send numbered events, to be counted on the other side."""
        for number in range(count):
            self.emit("number", number)

    @event(concurrent=True)
    async def stream(self, count):
        """Send numbered events, a few in each turn of the reactor."""
        for number in range(count):
            self.emit("number", number)
            if number % 10 == 9:
                await deferLater(reactor, 0.001)

    bought: dict = {}  # noqa: RUF012

    @event(idempotent=True)
    async def buy(self, count, order):
        await deferLater(reactor, 0.01)
        self.bought[order] = self.bought.get(order, 0) + count
        return self.bought[order]

    @event
    def bought_of(self, order):
        return self.bought.get(order, 0)

    @event("tell me")
    def tell_me(self, *args):
        self.emit("told", *args)

    @event("how many")
    async def how_many(self, room):
        return len(await self.namespace.to(room).fetch_sockets())

    @event
    def enter(self, room):
        self.join(room)
        return sorted(room for room in self.rooms if room != self.id)

    @event
    def tell(self, room, *args):
        self.to(room).emit("told", *args)

    @event
    def everyone(self, *args):
        self.namespace.emit("everyone", *args)

    @event
    def others(self, *args):
        self.broadcast.emit("others", *args)

    @event
    def fail(self):
        raise ValueError("as asked")

    @event
    def unsendable(self):
        return object()

    @event
    def flood(self, count):
        for number in range(count):
            self.emit("flood", number, bytes([number]) * 20_000, "x" * 20_000)

    @event("dropped")
    def how_many_were_dropped(self):
        return self.dropped

    @event
    def leave_me(self):
        self.close()

    @event
    def drop(self):
        """Break the connection under the client, which then comes back."""
        self._connection.client.session.close()
