"""
Clients of python-socketio in a cluster: ``python python_mesh.py <server or proxy>``.

One for each transport, wherever the proxy sends it.
"""

from __future__ import annotations

import asyncio
import sys

import socketio

MESH = "/MeshSocket"
TRANSPORTS = (["polling"], ["websocket"], None)


async def join(base: str, transports: list[str] | None) -> tuple[socketio.AsyncClient, list]:
    client = socketio.AsyncClient(reconnection=False)
    heard: list = []
    client.on("said", lambda *args: heard.append(args), namespace=MESH)
    client.on("question", lambda *args: ["of Python", *args], namespace=MESH)
    await client.connect(base, namespaces=[MESH], transports=transports, auth={"tag": "python"})
    assert await client.call("enter", "python", namespace=MESH) is True
    return client, heard


async def check(base: str) -> None:
    people = [await join(base, transports) for transports in TRANSPORTS]
    for number, (me, _) in enumerate(people):
        await me.emit("send_to", (["python"], [], {}, "said", number, b"\x00\xff"), namespace=MESH)
        answer = await me.call("ask", (["python"], [], 60, "question", 1), namespace=MESH)
        assert answer == {"answers": [["of Python", 1]] * 3, "missing": 0}, answer
        found = await me.call("fetch", (["python"], []), namespace=MESH)
        assert [one["tag"] for one in found["sockets"]] == ["python"] * 3, found
        # It was asked after it was told, by the same server: whoever answered has heard.
        for _, heard in people:
            assert heard == [(number, b"\x00\xff")], (number, heard)
            heard.clear()
    for client, _ in people:
        await client.disconnect()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(check(sys.argv[1]), 100))
