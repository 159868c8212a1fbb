"""Does what its clients ask, in the whole cluster; js/mesh_server.mjs is the same in Node."""

from mojo import MojoSocketHandler, event


class MeshHandler(MojoSocketHandler):
    heard: list = []  # noqa: RUF012
    has_listeners = False

    def on_open(self, request):
        self.data["tag"] = request.auth.get("tag")
        if not MeshHandler.has_listeners:
            MeshHandler.has_listeners = True

            @self.namespace.on_server("hello")
            def hello(*args):
                self.heard.append(args)
                return {"mojo": list(args)}

    def whom(self, rooms, without, words):
        operator = self.namespace.to(*rooms) if rooms else self.namespace
        operator = operator.except_(*without) if without else operator
        operator = operator.volatile if words.get("volatile") else operator
        return operator.local if words.get("local") else operator

    @event
    def enter(self, *rooms):
        self.join(*rooms)
        return True

    @event
    def send_to(self, rooms, without, words, name, *args):
        self.whom(rooms, without, words).emit(name, *args)

    @event("broadcast")
    def to_others(self, name, *args):
        self.broadcast.emit(name, *args)

    @event(concurrent=True)
    async def ask(self, rooms, without, seconds, name, *args):
        operator = self.whom(rooms, without, {}).timeout(seconds)
        answers, missing = await operator.call(name, *args)
        return {"answers": answers, "missing": len(missing)}

    @event(concurrent=True)
    async def fetch(self, rooms, without):
        found = await self.whom(rooms, without, {}).fetch_sockets()
        sockets = [
            {
                "id": one.id,
                "rooms": sorted(one.rooms),
                "tag": one.data.get("tag"),
                "path": one.handshake.get("path"),
            }
            for one in found
        ]
        return {"sockets": sockets, "missing": found.missing}

    @event
    def sockets_join(self, rooms, without, entered):
        self.whom(rooms, without, {}).sockets_join(*entered)

    @event
    def sockets_leave(self, rooms, without, left):
        self.whom(rooms, without, {}).sockets_leave(*left)

    @event
    def sockets_disconnect(self, rooms, without, close):
        self.whom(rooms, without, {}).disconnect_sockets(close=close)

    @event
    def server_emit(self, name, *args):
        self.namespace.server_side_emit(name, *args)

    @event(concurrent=True)
    async def server_ask(self, name, *args):
        answers = await self.namespace.server_side_call(name, *args)
        return {"answers": list(answers), "missing": answers.missing}

    @event
    def what_was_heard(self):
        return self.heard

    @event
    def whoami(self):
        return self.user_id

    @event
    def revoke(self, user_id):
        self.mojo.revoke(user_id=user_id)

    @event
    def to_user(self, user_id, name):
        self.mojo.user(user_id).emit(name)

    def on_logout(self, reason):
        self.emit("logged out", reason)

    @event
    def stats(self):
        return self.mojo.stats.dump()


class SocketConnectionHandler(MeshHandler):
    __endpoints__ = {"/<name>": MeshHandler}  # noqa: RUF012
