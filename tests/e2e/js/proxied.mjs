// Behind a proxy with two nodes: `node run.mjs proxied.<scenario> <the proxy>`.

import assert from "node:assert/strict";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { once, open, TRANSPORTS } from "./scenarios.mjs";

const LONGER = 5_000_000;

export async function large(base) {
  // More than any buffer on the way, both ways and by each transport.
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open(`${base}/EchoSocket`, { transports });
    await once(socket, "welcome");
    const bytes = Buffer.alloc(LONGER, 0x5a);
    bytes.writeUInt32BE(0xdeadbeef, LONGER - 4);
    const answer = await socket.timeout(60_000).emitWithAck("echo", bytes);
    assert.ok(Buffer.from(answer).equals(bytes), transports[0]);
  }
}

export async function patient(base) {
  // A client that does not read for a second gets everything then, in order.
  const many = 200;
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open(`${base}/EchoSocket`, { transports });
    await once(socket, "welcome");
    const got = [];
    const last = new Promise((resolve) => socket.on("flood", (number, bytes, text) => {
      assert.equal(bytes.length + text.length, 40_000);
      if (got.push(number) === many) resolve();
    }));
    socket.emit("flood", many);
    if (transports[0] === "websocket") {
      await once(socket.io.engine, "drain");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    }
    await last;
    assert.deepEqual(got, [...Array(many).keys()]);
  }
}

function ask(method, url, body) {
  // A request whose body, if it has one, comes in ten pieces within half a second.
  return new Promise((resolve, reject) => {
    const headers = body ? { "Content-Length": body.length } : {};
    const request = https.request(url, { method, headers, rejectUnauthorized: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => { text += piece; });
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    request.on("error", reject);
    const size = Math.ceil((body?.length ?? 0) / 10);
    (async () => {
      for (let at = 0; body && at < body.length; at += size) {
        request.write(body.slice(at, at + size));
        await sleep(50);
      }
      request.end();
    })();
  });
}

export async function drip(base) {
  // A slow upload arrives whole.
  const url = `${base}/EchoSocket/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await ask("GET", url)).text.slice(1));
  assert.equal((await ask("POST", `${url}&sid=${sid}`, "40")).text, "ok");
  assert.match((await ask("GET", `${url}&sid=${sid}`)).text, /^40\{"sid"/);
  const text = "x".repeat(5000);
  assert.equal((await ask("POST", `${url}&sid=${sid}`, `420["echo","${text}"]`)).text, "ok");
  let answers = "";
  while (!answers.includes("430")) answers += (await ask("GET", `${url}&sid=${sid}`)).text;
  assert.ok(answers.endsWith(`430["${text}"]`));
}

export async function spread(base) {
  // New clients go to both nodes, and each of their requests to the right one.
  const nodes = new Set();
  for (let number = 0; number < 12; number++) {
    const socket = open(`${base}/EchoSocket`, { transports: TRANSPORTS[number % 3] });
    await once(socket, "welcome");
    const node = await socket.emitWithAck("process");
    nodes.add(node);
    for (let times = 0; times < 5; times++) {
      assert.equal(await socket.emitWithAck("process"), node);
    }
  }
  assert.equal(nodes.size, 2);
}

export async function drained(base) {
  // One node is stopped: its clients go to the other, and apps notice a reconnect.
  const clients = [];
  for (let number = 0; number < 18; number++) {
    const socket = open(`${base}/EchoSocket`, {
      transports: TRANSPORTS[number % 3], reconnection: true,
    });
    const client = { socket, reasons: [], errors: [], welcomes: 0 };
    socket.on("disconnect", (reason) => client.reasons.push(reason));
    socket.on("welcome", () => client.welcomes++);
    socket.io.on("reconnect_error", (error) => client.errors.push(error.description ?? error));
    await once(socket, "welcome");
    client.node = await socket.emitWithAck("process");
    clients.push(client);
  }
  assert.equal(new Set(clients.map((client) => client.node)).size, 2);
  const left = clients[0].node;
  console.log("STOP", left);
  // All the while they talk: what is sent between two nodes waits in the client.
  let asked = 0;
  let over = false;
  const talk = async ({ socket }) => {
    while (!over) {
      const number = asked++;
      const answer = await socket.timeout(20_000).emitWithAck("echo", number).catch(() => null);
      // A question to which the node that left owes the answer may be lost.
      assert.ok(answer === number || answer === null);
      await sleep(100);
    }
  };
  const talks = clients.map(talk);
  const moving = clients.filter((client) => client.node === left);
  while (!moving.every((client) => client.welcomes === 2)) await sleep(50);
  for (const { socket, node, reasons, errors } of clients) {
    const now = await socket.emitWithAck("process");
    assert.notEqual(now, left);
    assert.deepEqual(reasons, node === left ? ["transport close"] : []);
    assert.deepEqual(errors, []);
  }
  console.log("MOVED", moving.length);
  over = true;
  for (const { socket } of clients) socket.disconnect();
  await Promise.race([Promise.all(talks), sleep(1000)]);
  process.exit(0);
}
