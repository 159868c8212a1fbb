"""
Clients of a cluster to which a server of python-socketio belongs, and programs that write to it::

    python python_bridge.py <scenario> <redis> <Mojo> <Mojo> <python-socketio>

What is not to come is known not to have come by what was said after it, and did.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

import flask_socketio
import socketio

MESH = "/MeshSocket"
#: Seconds in which all is to have come.
SOON = 20


class Person:
    """A client; what it hears is in ``heard``, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: asyncio.Queue = asyncio.Queue()
        self.gone = asyncio.Event()
        self.client.on("*", self._hear, namespace=MESH)
        self.client.on("question", self._answer, namespace=MESH)
        self.client.on("disconnect", self._go, namespace=MESH)

    async def _hear(self, event: str, *args: Any) -> None:
        await self.heard.put((event, *args))

    async def _answer(self, *args: Any) -> list[Any]:
        return [f"{self.name} answers", *args]

    async def _go(self, *_: Any) -> None:
        self.gone.set()

    async def connect(self, base: str) -> Person:
        await self.client.connect(base, namespaces=[MESH], auth={"tag": self.name})
        await self.call("enter", "everybody", self.name)
        return self

    async def emit(self, name: str, *args: Any) -> None:
        await self.client.emit(name, args, namespace=MESH)

    async def call(self, name: str, *args: Any) -> Any:
        return await self.client.call(name, args, namespace=MESH, timeout=SOON)

    @property
    def sid(self) -> str:
        return self.client.get_sid(MESH)

    async def until(self, *last: Any) -> list[tuple]:
        """Give all that comes before something."""
        before = []
        while (got := await asyncio.wait_for(self.heard.get(), SOON)) != last:
            before.append(got)
        return before


class Cluster:
    """One client at each server: two are of Mojo, one of python-socketio."""

    def __init__(self, redis: str, *bases: str) -> None:
        self.redis = redis
        self.bases = bases

    async def start(self) -> Cluster:
        names = ("one", "two", "python")
        made = zip(names, self.bases, strict=True)
        self.people = [await Person(name).connect(base) for name, base in made]
        self.one, self.two, self.python = self.people
        await self.until_python_listens()
        return self

    async def until_python_listens(self) -> None:
        """Its server begins to when the first client has come, which nobody waits for."""
        script = socketio.RedisManager(self.redis, write_only=True)

        async def ask(event: str) -> None:
            await asyncio.to_thread(script.emit, event, None, MESH, self.python.sid)

        while True:
            await ask("are you there")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.python.heard.get(), 0.2)
                break
        await ask("you are")
        await self.python.until("you are")

    async def expect(self, said: Any, *expected: list[tuple]) -> None:
        """Await what says something, and then have each heard that, and nothing else."""
        await said
        for person, events in zip(self.people, expected, strict=True):
            heard = [await asyncio.wait_for(person.heard.get(), SOON) for _ in events]
            assert heard == events, (person.name, heard, events)

    async def nothing_more(self, speaker: Person) -> None:
        """Nobody has heard anything else; ``speaker`` is where the last was said."""
        await speaker.emit("send_to", [], [], {}, "the end")
        for person in self.people:
            assert await person.until("the end") == [], person.name


async def write(cluster: Cluster) -> None:
    """Programs that are no servers: those of python-socketio, and of Flask-SocketIO."""
    script = socketio.RedisManager(cluster.redis, write_only=True)
    flask = flask_socketio.SocketIO(message_queue=cluster.redis, channel="socketio")
    one, two = cluster.one, cluster.two

    def say() -> None:
        script.emit("all", {"ü": [1, None]}, namespace=MESH)
        script.emit("several", (1, "b", b"\x00\xff"), namespace=MESH)
        script.emit("for nobody", 1, namespace="/MeshSock")
        script.emit("for nobody", 1, namespace="/")
        script.emit("for nobody", 1, room="nobody is here", namespace=MESH)
        script.emit("to one", None, to=one.sid, namespace=MESH)
        script.emit("to rooms", 1, room=["two", "python"], namespace=MESH)
        script.emit("but one", b"\x00\xff", skip_sid=one.sid, namespace=MESH)
        script.enter_room(two.sid, MESH, "new")
        script.emit("new", 1, room="new", namespace=MESH)
        script.leave_room(two.sid, MESH, "new")
        script.emit("for nobody", 1, room="new", namespace=MESH)
        flask.emit("of Flask", ({"a": b"b"}, 2), namespace=MESH, to="everybody")
        flask.close_room("everybody", namespace=MESH)
        script.emit("for nobody", 1, room="everybody", namespace=MESH)
        script.emit("the end", namespace=MESH, data=None)

    first = [("all", {"ü": [1, None]}), ("several", 1, "b", b"\x00\xff")]
    flask_said, end = ("of Flask", {"a": b"b"}, 2), ("the end",)
    await cluster.expect(
        asyncio.to_thread(say),
        [*first, ("to one",), flask_said, end],
        [*first, ("to rooms", 1), ("but one", b"\x00\xff"), ("new", 1), flask_said, end],
        [*first, ("to rooms", 1), ("but one", b"\x00\xff"), flask_said, end],
    )


async def serve(cluster: Cluster) -> None:
    """What the server of python-socketio says, Mojo's clients hear; and what it does, is done."""
    one, two, python = cluster.people
    said = ("said", {"a": [b"\x00\xff", "ü"]}, 2)
    await cluster.expect(python.emit("send_to", [], [], {}, *said), [said], [said], [said])
    await cluster.expect(python.emit("broadcast", *said), [said], [said], [])
    await cluster.expect(python.emit("send_to", ["two"], [], {}, *said), [], [said], [])
    await cluster.expect(
        python.emit("send_to", ["everybody"], [one.sid], {}, *said), [], [said], [said]
    )
    assert await python.call("ask_one", one.sid, "question", 1, "b") == ["one answers", 1, "b"]
    assert await python.call("ask_one", two.sid, "question") == ["two answers"]
    await python.emit("sockets_join", [one.sid, two.sid, "everybody"], [], ["new"])
    await cluster.expect(python.emit("send_to", ["new"], [], {}, "new", 1), *[[("new", 1)]] * 2, [])
    await python.emit("sockets_leave", [one.sid], [], ["new"])
    await cluster.expect(python.emit("send_to", ["new"], [], {}, "new", 2), [], [("new", 2)], [])
    await python.emit("close_room", "new")
    await python.emit("send_to", ["new"], [], {}, "for nobody")
    await cluster.nothing_more(python)
    await python.emit("sockets_disconnect", ["everybody", two.sid], [], False)
    await asyncio.wait_for(two.gone.wait(), SOON)
    await cluster.expect(python.emit("send_to", [], [], {}, "x"), [("x",)], [], [("x",)])


async def tell(cluster: Cluster) -> None:
    """What Mojo's servers say and do, to clients of python-socketio."""
    one, two, python = cluster.people
    said = ("said", {"a": [b"\x00\xff", "ü"]}, 2)
    await cluster.expect(one.emit("send_to", [], [], {}, *said), [said], [said], [said])
    await cluster.expect(one.emit("broadcast", *said), [], [said], [said])
    await cluster.expect(one.emit("send_to", ["python"], [], {}, *said), [], [], [said])
    to_all = one.emit("send_to", ["two", "python", "one"], [one.sid], {"volatile": True}, *said)
    await cluster.expect(to_all, [], [said], [said])
    # Rooms cannot be left out there, nor clients asked, nor what is said to this server alone.
    await cluster.expect(one.emit("send_to", [], ["python"], {}, *said), [said], [said], [])
    await cluster.expect(one.emit("send_to", [], [], {"local": True}, *said), [said], [], [])
    asked = await one.call("ask", ["everybody"], [], SOON, "question", 1)
    # Of two servers either may be the first.
    asked["answers"].sort()
    assert asked == {"answers": [["one answers", 1], ["two answers", 1]], "missing": 0}, asked
    await one.emit("sockets_join", [python.sid, two.sid], [], ["new"])
    await cluster.expect(one.emit("send_to", ["new"], [], {}, "n", 1), [], [("n", 1)], [("n", 1)])
    await one.emit("sockets_leave", [python.sid], [], ["new"])
    await cluster.expect(one.emit("send_to", ["new"], [], {}, "n", 2), [], [("n", 2)], [])
    await one.emit("sockets_leave", ["everybody"], [], ["everybody"])
    await one.emit("send_to", ["everybody"], [], {}, "for nobody")
    await one.emit("sockets_disconnect", ["python"], [], False)
    await cluster.nothing_more(one)
    await one.emit("sockets_disconnect", [python.sid], [], False)
    await asyncio.wait_for(python.gone.wait(), SOON)
    await cluster.expect(one.emit("send_to", [], [], {}, "x"), [("x",)], [("x",)], [])


async def document(cluster: Cluster) -> None:
    """Somebody else runs a command of the documents."""
    print("READY.", flush=True)
    for person in cluster.people:
        assert await person.until("said", "hello from a task") == []


SCENARIOS = {"write": write, "serve": serve, "tell": tell, "document": document}


async def main(scenario: str, redis: str, *bases: str) -> None:
    cluster = await Cluster(redis, *bases).start()
    await SCENARIOS[scenario](cluster)
    for person in cluster.people:
        await person.client.disconnect()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 60))
