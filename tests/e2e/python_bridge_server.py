"""
A server of python-socketio on a Redis: ``python python_bridge_server.py <redis>``.

It says ``PORT <port>``; what its clients can have done is what mesh/ does for its own, by the words
of python-socketio.
"""

from __future__ import annotations

import asyncio
import sys

import socketio
from aiohttp import web

MESH = "/MeshSocket"


def make_server(redis: str) -> socketio.AsyncServer:
    manager = socketio.AsyncRedisManager(redis)
    server = socketio.AsyncServer(
        async_mode="aiohttp", client_manager=manager, namespaces=[MESH], async_handlers=True
    )
    on = lambda name: server.on(name, namespace=MESH)  # noqa: E731

    @on("enter")
    async def enter(sid, *rooms):
        for room in rooms:
            await server.enter_room(sid, room, namespace=MESH)
        return True

    @on("send_to")
    async def send_to(sid, rooms, without, words, name, *args):
        await server.emit(name, args, to=rooms or None, skip_sid=without or None, namespace=MESH)

    @on("broadcast")
    async def to_others(sid, name, *args):
        await server.emit(name, args, skip_sid=sid, namespace=MESH)

    @on("sockets_join")
    async def sockets_join(sid, sids, without, rooms):
        for one in sids:
            await server.enter_room(one, rooms[0], namespace=MESH)

    @on("sockets_leave")
    async def sockets_leave(sid, sids, without, rooms):
        for one in sids:
            await server.leave_room(one, rooms[0], namespace=MESH)

    @on("close_room")
    async def close_room(sid, room):
        await server.close_room(room, namespace=MESH)

    @on("sockets_disconnect")
    async def sockets_disconnect(sid, sids, without, close):
        for one in sids:
            await server.disconnect(one, namespace=MESH)

    @on("ask_one")
    async def ask_one(sid, other, name, *args):
        return await server.call(name, args, to=other, namespace=MESH, timeout=20)

    return server


async def main(redis: str) -> None:
    app = web.Application()
    make_server(redis).attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"PORT {runner.addresses[0][1]}.", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
