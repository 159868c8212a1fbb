// Clients that are sent more than they can take at once: `node run.mjs slow.<scenario> <server>`.

import assert from "node:assert/strict";
import { once, open } from "./scenarios.mjs";

// 10 MB: what the kernel keeps for who does not read, which is about 4, is no part of it.
const MANY = 250;

// Ask for it, and read nothing for a while: the thread sleeps.  By long-polling nothing is
// read between two requests anyway.
async function flood(socket) {
  socket.emit("flood", MANY);
  if (socket.io.engine.transport.name === "websocket") {
    await once(socket.io.engine, "drain");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  }
}

export async function closed(base) {
  // The server closes it for what waits, and it comes back.
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open(`${base}/EchoSocket`, {
      transports, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 50,
    });
    await once(socket, "welcome");
    const before = socket.id;
    const disconnected = once(socket, "disconnect");
    const back = once(socket, "welcome");
    await flood(socket);
    // Long-polling hears of it by a request that is refused, a WebSocket by its Close frame.
    assert.match((await disconnected)[0], /^transport (close|error)$/);
    await back;
    assert.notEqual(socket.id, before);
    assert.equal(await socket.emitWithAck("echo", 1), 1);
  }
}

export async function dropped(base) {
  // The newest come, in order and whole; what is missing was counted.
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open(`${base}/EchoSocket`, { transports });
    await once(socket, "welcome");
    const got = [];
    const last = new Promise((resolve) => {
      socket.on("flood", (number, bytes, text) => {
        assert.ok(Buffer.from(bytes).equals(Buffer.alloc(20_000, number)));
        assert.equal(text, "x".repeat(20_000));
        got.push(number);
        if (number === MANY - 1) resolve();
      });
    });
    await flood(socket);
    await last;
    assert.deepEqual(got, [...got].sort((a, b) => a - b));
    assert.ok(got.length < MANY, "nothing was dropped");
    assert.equal(await socket.emitWithAck("dropped"), MANY - got.length);
  }
}
