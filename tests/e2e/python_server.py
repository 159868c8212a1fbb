"""
The server of python-socketio, for Mojo's client: ``python python_server.py [<port>]``.

It says ``PORT <port>``; js/server.mjs and the test project answer the same events.
"""

from __future__ import annotations

import asyncio
import sys

import socketio
from aiohttp import web

NAMESPACES = ("/", "/admin")


def make_server() -> socketio.AsyncServer:
    server = socketio.AsyncServer(async_mode="aiohttp", namespaces=list(NAMESPACES))

    def serve(namespace: str) -> None:
        on = lambda name: server.on(name, namespace=namespace)  # noqa: E731

        @on("connect")
        async def connect(sid, environ, auth):
            if namespace == "/admin" and (auth or {}).get("password") != "open sesame":
                raise socketio.exceptions.ConnectionRefusedError(
                    "wrong password", {"hint": "caves"}
                )
            async with server.session(sid, namespace) as session:
                session.update(environ=environ)
            await server.emit("welcome", {"auth": auth or {}}, to=sid, namespace=namespace)

        @on("message")
        async def message(sid, *args):
            await server.send(args, to=sid, namespace=namespace)

        @on("echo")
        async def echo(sid, *args):
            return args

        @on("ask_back")
        async def ask_back(sid, question):
            answer = await server.call("question", question, to=sid, namespace=namespace)
            return "the answer was", answer

        @on("handshake")
        async def handshake(sid):
            environ = (await server.get_session(sid, namespace))["environ"]
            query = dict(part.split("=") for part in environ["QUERY_STRING"].split("&"))
            return {
                "token": environ.get("HTTP_X_TOKEN"),
                "cookie": environ.get("HTTP_COOKIE"),
                "room": query.get("room"),
            }

        @on("transport")
        async def transport(sid):
            return server.transport(sid, namespace)

        @on("whoami")
        async def whoami(sid):
            return namespace

        @on("leave_me")
        async def leave_me(sid):
            await server.disconnect(sid, namespace)

        @on("drop")
        async def drop(sid):
            await server.eio.disconnect(server.manager.eio_sid_from_sid(sid, namespace))

    for namespace in NAMESPACES:
        serve(namespace)
    return server


async def main(port: int) -> None:
    app = web.Application()
    make_server().attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"PORT {runner.addresses[0][1]}.", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
