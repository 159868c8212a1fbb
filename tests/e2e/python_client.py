"""
The python-socketio client: ``python python_client.py <server> [<cookie>]``.

It fails by an exception; with a cookie it waits for news instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from uuid import uuid4

import socketio

TRANSPORTS = (["polling"], ["websocket"], None)


async def check(base: str, namespace: str, path: str, transports: list[str] | None) -> None:
    client = socketio.AsyncClient(reconnection=False)
    heard: asyncio.Queue = asyncio.Queue()
    for name in ("welcome", "message"):
        client.on(
            name, lambda *args, name=name: heard.put_nowait((name, args)), namespace=namespace
        )
    # What the client before said to everyone may come to this one, which is elsewhere.
    word = uuid4().hex
    client.on("everyone", lambda said: said == word and heard.put_nowait(said), namespace=namespace)
    client.on("question", lambda question: f"{question}!", namespace=namespace)
    await client.connect(
        base, socketio_path=path, namespaces=[namespace], transports=transports, auth={"token": "t"}
    )
    assert await heard.get() == (
        "welcome",
        ({"session": None, "user": None, "auth": {"token": "t"}},),
    )
    answer = await client.call("echo", {"a": [1, "ü", b"\x00\xff"]}, namespace=namespace)
    assert answer == {"a": [1, "ü", b"\x00\xff"]}, answer
    assert tuple(await client.call("echo", (1, 2), namespace=namespace)) == (1, 2)
    answer = await client.call("ask_back", "why", namespace=namespace)
    assert tuple(answer) == ("the answer was", "why!"), answer
    await client.send("hi", namespace=namespace)
    assert await heard.get() == ("message", ("hi",))
    await client.emit("everyone", word, namespace=namespace)
    assert await heard.get() == word
    await client.disconnect()


async def check_refusal(base: str) -> None:
    client = socketio.AsyncClient(reconnection=False)
    refused: asyncio.Future = asyncio.get_running_loop().create_future()
    client.on("connect_error", refused.set_result, namespace="/EchoSocket/admin")
    with contextlib.suppress(socketio.exceptions.ConnectionError):
        await client.connect(base, namespaces=["/EchoSocket/admin"], auth={"password": "guess"})
    error = await refused
    assert error == {"message": "wrong password", "data": {"hint": "caves"}}, error


async def check_words(base: str, transports: list[str] | None) -> None:
    """Middleware, a refused event, a question to many, and a namespace made on demand."""
    client = socketio.AsyncClient(reconnection=False)
    words, document = "/WordsSocket", "/WordsSocket/doc/7"
    client.on("ready?", lambda data: ("yes", data), namespace=words)
    client.on("question", lambda: "because", namespace=words)
    kicked: asyncio.Future = asyncio.get_running_loop().create_future()
    client.on("disconnect", kicked.set_result, namespace=words)
    await client.connect(base, namespaces=[words, document], transports=transports)
    answer = await client.call("where", namespace=document)
    assert answer == {"name": document, "params": {"id": "7"}}, answer
    await client.call("enter", "python", namespace=words)
    answer = await client.call("poll", ("python", 60), namespace=words)
    assert answer == {"answers": [["yes", b"\x01"]], "missing": []}, answer
    assert await client.call("ask_me", 60, namespace=words) == "because"
    answer = await client.call("admin reset", namespace=words)
    assert answer == {"error": {"message": "members only", "data": {"event": "admin reset"}}}
    answer = await client.call("nonsense", namespace=words)
    assert answer == {"error": "there is no event nonsense"}, answer
    await client.emit("kick", ("python", False), namespace=words)
    assert await kicked == "server disconnect", kicked
    assert (await client.call("where", namespace=document))["params"] == {"id": "7"}
    await client.disconnect()


async def wait_for_news(base: str, cookie: str) -> None:
    """Connect as a visitor, by long-polling on the app's own path; say what is announced."""
    client = socketio.AsyncClient(reconnection=False)
    news: asyncio.Future = asyncio.get_running_loop().create_future()
    client.on("announced", news.set_result)
    await client.connect(
        base, socketio_path="EchoSocket", transports=["polling"], headers={"Cookie": cookie}
    )
    print("CONNECTED", flush=True)
    print("NEWS", await news, flush=True)
    await client.disconnect()


async def main() -> None:
    base, *cookie = sys.argv[1:]
    if cookie:
        await wait_for_news(base, cookie[0])
        return
    for transports in TRANSPORTS:
        await check(base, "/EchoSocket", "socket.io", transports)
        await check(base, "/", "EchoSocket", transports)
        await check_words(base, transports)
    await check_refusal(base)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), 100))
