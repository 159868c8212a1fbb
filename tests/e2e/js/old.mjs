// What the official client of Socket.IO 2 sees: `node old.mjs <scenario> <server>`.

import assert from "node:assert/strict";
import { io as newIo } from "socket.io-client";
import io from "socket.io-client-2";

const [name, base] = process.argv.slice(2);
const sockets = [];

function open(url, options = {}) {
  const socket = io(url, { forceNew: true, reconnection: false, ...options });
  sockets.push(socket);
  return socket;
}

function once(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, (...args) => resolve(args));
    if (event !== "error") socket.once("error", (error) => reject(new Error(JSON.stringify(error))));
  });
}

const ask = (socket, ...args) => new Promise((resolve) =>
  socket.emit(...args, (...answer) => resolve(answer)));

const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];

async function everyWay(check) {
  for (const transports of TRANSPORTS) {
    await check((options) => open(`${base}/EchoSocket`, options), transports, "/EchoSocket#");
    await check((options) => open(base, { path: "/EchoSocket/", ...options }), transports, "");
  }
  for (const transports of [["polling"], ["polling", "websocket"]]) {
    const base64 = (options) => open(`${base}/EchoSocket`, { forceBase64: true, ...options });
    await check(base64, transports, "/EchoSocket#");
  }
}

const scenarios = {
  async exchange() {
    await everyWay(async (connect, transports, prefix) => {
      const socket = connect({ transports });
      const [welcome] = await once(socket, "welcome");
      assert.deepEqual(welcome, { session: null, user: null, auth: {} });
      assert.equal(socket.id, prefix + socket.io.engine.id);
      const args = ["ü \u{1F600}\u2028", null, { a: [true] }];
      assert.deepEqual(await ask(socket, "echo", ...args), args);
      assert.deepEqual(await ask(socket, "with spaces", 5), [{ value: 5 }]);
      socket.on("question", (question, answer) => answer(`${question}!`));
      assert.deepEqual(await ask(socket, "ask_back", "why"), ["the answer was", "why!"]);
      socket.send("hi", 1);
      assert.deepEqual(await once(socket, "message"), ["hi", 1]);
      socket.emit("leave_me");
      assert.deepEqual(await once(socket, "disconnect"), ["io server disconnect"]);
    });
  },

  async binary() {
    await everyWay(async (connect, transports) => {
      const socket = connect({ transports });
      await once(socket, "welcome");
      const bytes = Buffer.from([0, 1, 2, 255]);
      const big = Buffer.alloc(200_000, 7);
      const answer = await ask(socket, "echo", bytes, { deep: [big] }, "€\u{1F600}");
      assert.deepEqual(Buffer.from(answer[0]), bytes);
      assert.deepEqual(Buffer.from(answer[1].deep[0]), big);
      assert.equal(answer[2], "€\u{1F600}");
      socket.send(bytes);
      assert.deepEqual(Buffer.from((await once(socket, "message"))[0]), bytes);
    });
  },

  async upgrade() {
    const socket = open(`${base}/EchoSocket`);
    const numbers = [];
    socket.on("number", (number) => numbers.push(number));
    const upgraded = new Promise((resolve) =>
      socket.io.once("open", () => socket.io.engine.once("upgrade", resolve)));
    await once(socket, "connect");
    const answers = [];
    for (let i = 0; i < 200; i++) {
      answers.push(ask(socket, "echo", i, Buffer.from([i])));
      if (i % 100 === 0) socket.emit("back", 100);
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const expected = [...Array(200).keys()].map((i) => [i, Buffer.from([i])]);
    assert.deepEqual(await Promise.all(answers), expected);
    await upgraded;
    assert.equal(socket.io.engine.transport.name, "websocket");
    assert.deepEqual(numbers, [...Array(100).keys(), ...Array(100).keys()]);
  },

  async namespaces() {
    for (const transports of TRANSPORTS) {
      const root = open(base, { transports });
      assert.deepEqual(await once(root, "root"), [{}]);
      assert.equal(root.id, root.io.engine.id);
      const admin = open(`${base}/EchoSocket/admin?password=open sesame`, { transports });
      await once(admin, "connect");
      assert.deepEqual(await ask(admin, "whoami"), ["/EchoSocket/admin"]);
      const refused = open(`${base}/EchoSocket/admin?password=guess`, { transports });
      assert.deepEqual(await once(refused, "error"), [{ hint: "caves" }]);
      const unknown = open(`${base}/NobodySocket`, { transports });
      assert.deepEqual(await once(unknown, "error"), ["Invalid namespace"]);
    }
  },

  async generations() {
    // One room, two generations.
    const old = open(`${base}/EchoSocket`);
    const young = newIo(`${base}/EchoSocket`, { forceNew: true, reconnection: false });
    sockets.push(young);
    await Promise.all([once(old, "welcome"), once(young, "welcome")]);
    for (const [one, other] of [[old, young], [young, old]]) {
      const heard = once(other, "others");
      one.emit("others", Buffer.from([1, 2]), "€");
      const [bytes, text] = await heard;
      assert.deepEqual([Buffer.from(bytes), text], [Buffer.from([1, 2]), "€"]);
    }
  },
};

try {
  await scenarios[name]();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
for (const socket of sockets) socket.close();
