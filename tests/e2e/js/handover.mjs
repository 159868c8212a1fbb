// Clients of several workers behind one port, whose requests come to any of them.

import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { pause } from "./presence.mjs";
import { once, open } from "./scenarios.mjs";

const KINDS = [["polling"], ["polling", "websocket"], ["websocket"]];

// Wait for a line, and for no other.
async function word() {
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.destroy();
}

async function talk(base, transports, number, options) {
  const socket = open(`${base}/EchoSocket`, { transports, ...options });
  await once(socket, "connect");
  for (let round = 0; round < 5; round++) {
    const said = [number, round, Buffer.alloc(1000, number)];
    const heard = await new Promise((resolve) =>
      socket.emit("echo", ...said, (...args) => resolve(args)));
    assert.deepEqual(heard, said);
  }
  const pid = await socket.emitWithAck("process");
  return { socket, pid };
}

async function crowdOf(base, count, options) {
  const all = [];
  for (let number = 0; number < count; number++) {
    for (const transports of KINDS) all.push(talk(base, transports, number, options));
  }
  const clients = await Promise.all(all);
  assert.ok(new Set(clients.map(({ pid }) => pid)).size > 1, "one worker has all of them");
  // Nearly all that may be sent, by the clients of long-polling.
  const long = "x".repeat(990_000);
  for (const { socket } of clients.slice(0, 3 * KINDS.length)) {
    assert.equal(await socket.emitWithAck("echo", long), long);
    // Each client has stayed where it was.
    assert.equal(socket.connected, true);
  }
  for (const { socket, pid } of clients) {
    assert.equal(await socket.emitWithAck("process"), pid);
  }
  console.log("ALL HEARD");
  await word();
  for (const { socket } of clients) socket.disconnect();
  // A request that is made when the agent is destroyed would keep this process.
  while (Object.keys(options.agent.sockets).length) await pause(20);
  options.agent.destroy();
}

// All sockets of this process share connections, as those behind a proxy do.
export async function crowd(base) {
  const { Agent } = base.startsWith("https") ? https : http;
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  await crowdOf(base, 12, { agent });
}

// Each request is a connection of its own.
export async function single(base) {
  const { Agent } = base.startsWith("https") ? https : http;
  const agent = new Agent({ keepAlive: false, rejectUnauthorized: false });
  await crowdOf(base, 6, { agent });
}

// A client of long-polling is let go when its worker is exchanged, and finds another.
export async function reload(base) {
  await exchanged(base, new http.Agent({ keepAlive: false }), ["polling"]);
}

// Its connections were handed to that worker, as those of a browser are.
export async function reloadAlive(base) {
  await exchanged(base, new http.Agent({ keepAlive: true }), ["polling", "websocket"]);
}

async function exchanged(base, agent, transports) {
  const clients = [];
  for (let number = 0; number < 8; number++) {
    const socket = open(`${base}/EchoSocket`, {
      transports, agent, reconnection: true, reconnectionDelay: 50,
    });
    const seen = { socket, ends: [], errors: [] };
    socket.on("disconnect", (reason) => seen.ends.push(reason));
    socket.on("connect_error", (error) => seen.errors.push(error.message));
    await once(socket, "connect");
    seen.pid = await socket.emitWithAck("process");
    clients.push(seen);
  }
  console.log("ALL HERE");
  await word();
  for (const { socket, pid, ends, errors } of clients) {
    if (!socket.connected) await once(socket, "connect");
    assert.notEqual(await socket.emitWithAck("process"), pid);
    assert.deepEqual(new Set(ends), new Set(["transport close"]));
    assert.deepEqual(errors, []);
    socket.disconnect();
  }
  while (Object.keys(agent.sockets).length) await pause(20);
  agent.destroy();
}
