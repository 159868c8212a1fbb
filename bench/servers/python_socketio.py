"""python-socketio, as its documents have it: python_socketio.py uvicorn|aiohttp."""

import asyncio
import socket
import sys

import socketio


def add_events(sio: socketio.AsyncServer) -> None:
    """Handle the five events."""

    @sio.on("echo")
    async def echo(sid, text):
        return text

    @sio.on("bin")
    async def blob(sid, data):
        return data

    @sio.on("all")
    async def everyone(sid, text):
        await sio.emit("all", text)

    @sio.on("join")
    async def join(sid, room):
        await sio.enter_room(sid, room)
        return "ok"

    @sio.on("room")
    async def tell(sid, room, text):
        await sio.emit("room", text, room=room)


def listening_socket() -> socket.socket:
    """Listen on a free port, and say which."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"port {listening.getsockname()[1]}", flush=True)
    return listening


def serve_uvicorn() -> None:
    """Serve by ASGI, on uvloop."""
    import uvicorn

    sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=2_000_000)
    add_events(sio)
    config = uvicorn.Config(
        socketio.ASGIApp(sio), loop="uvloop", http="httptools", log_level="warning", backlog=4096
    )
    asyncio.run(
        uvicorn.Server(config).serve(sockets=[listening_socket()]),
        loop_factory=config.get_loop_factory(),
    ) if sys.version_info >= (3, 12) else uvicorn.Server(config).run(sockets=[listening_socket()])


def serve_aiohttp() -> None:
    """Serve by aiohttp, on asyncio's own loop."""
    from aiohttp import web

    sio = socketio.AsyncServer(async_mode="aiohttp", max_http_buffer_size=2_000_000)
    add_events(sio)
    app = web.Application()
    sio.attach(app)
    web.run_app(app, sock=listening_socket(), print=None, access_log=None, backlog=4096)


if __name__ == "__main__":
    {"uvicorn": serve_uvicorn, "aiohttp": serve_aiohttp}[sys.argv[1]]()
