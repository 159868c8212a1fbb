// Clients whose connection breaks, and that come back: `node recovery.mjs <scenario> <server>`.
// Between them and the server is a proxy that can cut every connection at once.

import assert from "node:assert/strict";
import net from "node:net";
import { io } from "socket.io-client";

const [name, base] = process.argv.slice(2);
const { hostname, port } = new URL(base);
const open = new Set();
const sockets = [];
let swallow = false;
let broken = false;
// Called with what is swallowed.
let lost = () => {};

const proxy = net.createServer((near) => {
  if (broken) return near.destroy();
  const far = net.connect(Number(port), hostname);
  open.add(near).add(far);
  near.on("data", (data) => far.write(data));
  far.on("data", (data) => (swallow ? lost(String(data)) : near.write(data)));
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("close", () => { open.delete(one); if (!swallow) other.destroy(); });
    one.on("error", () => {});
  }
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
const through = `http://127.0.0.1:${proxy.address().port}`;

const cut = () => {
  broken = true;
  for (const socket of open) socket.destroy();
};
const mend = () => { broken = false; };
const once = (socket, event) => new Promise((resolve) => socket.once(event, resolve));

function connect(options) {
  const socket = io(`${through}/EchoSocket`, {
    forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, ...options,
  });
  sockets.push(socket);
  return socket;
}

async function eachTransport(check) {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    await check({ transports });
    for (const socket of sockets.splice(0)) socket.disconnect();
  }
}

const scenarios = {
  // All connections are cut in the middle of a thousand events: all arrive, once, in order.
  async stream() {
    await eachTransport(async (options) => {
      const socket = connect(options);
      await once(socket, "welcome");
      const { id } = socket;
      const numbers = [];
      let cuts = 0;
      const complete = new Promise((resolve) => socket.on("number", (number) => {
        numbers.push(number);
        if (numbers.length === 300 || numbers.length === 600) { cuts += 1; cut(); }
        if (number === 999) resolve();
      }));
      const back = [];
      socket.on("disconnect", mend);
      socket.on("connect", () => back.push([socket.recovered, socket.id]));
      socket.emit("stream", 1000);
      await complete;
      assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, i) => i));
      assert.equal(cuts, 2);
      assert.deepEqual(back, [[true, id], [true, id]]);
    });
  },

  // Rooms, and what is said in them meanwhile, by somebody else.
  async rooms() {
    await eachTransport(async (options) => {
      const other = io(`${base}/EchoSocket`, { forceNew: true, transports: ["websocket"] });
      sockets.push(other);
      const socket = connect(options);
      await Promise.all([once(socket, "welcome"), once(other, "welcome")]);
      assert.deepEqual(await socket.emitWithAck("enter", "garden"), ["garden"]);
      const told = [];
      socket.on("told", (...args) => told.push(args));
      const gone = once(socket, "disconnect");
      cut();
      await gone;
      other.emit("tell", "garden", { missed: true }, Buffer.from([1, 2]));
      await other.emitWithAck("echo");
      const back = once(socket, "connect");
      mend();
      await back;
      assert.equal(socket.recovered, true);
      assert.equal(told.length, 1);
      assert.deepEqual(told[0][0], { missed: true });
      assert.deepEqual(Buffer.from(told[0][1]), Buffer.from([1, 2]));
      other.emit("tell", "garden", "now");
      await once(socket, "told");
      assert.equal(told.length, 2);
    });
  },

  // No event had come before: the client knows no offset, and is recovered all the same.
  async zero() {
    await eachTransport(async (options) => {
      const socket = io(through, {
        forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, ...options,
      });
      sockets.push(socket);
      await once(socket, "connect");
      const { id } = socket;
      const gone = once(socket, "disconnect");
      cut();
      await gone;
      const back = once(socket, "connect");
      mend();
      await back;
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
    });
  },

  // The client is back while the server still takes its old connection for alive.
  async takeover() {
    await eachTransport(async (options) => {
      const socket = connect(options);
      await once(socket, "welcome");
      const { id } = socket;
      await socket.emitWithAck("enter", "garden");
      swallow = true; // from now on nothing reaches the client, and its end is not passed on
      const told = new Promise((resolve) => {
        lost = (data) => { if (data.includes("on its way")) resolve(); };
      });
      socket.emit("tell me", "on its way");
      await told;
      const heard = once(socket, "told");
      for (const end of [...open]) if (end.localPort === proxy.address().port) end.destroy();
      swallow = false;
      await once(socket, "connect");
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      assert.equal(await heard, "on its way");
      assert.deepEqual(await socket.emitWithAck("enter", "garden"), ["garden"]);
      assert.equal(await socket.emitWithAck("how many", "garden"), 1);
    });
  },

  // An event that the client sends again, as its answer got lost, is handled once.
  async retries() {
    await eachTransport(async (options) => {
      const socket = connect({ ...options, retries: 100, ackTimeout: 300 });
      await once(socket, "welcome");
      const order = `order-${Math.random()}`;
      swallow = true;
      const answer = new Promise((resolve) => socket.emit("buy", 3, order, (error, count) => {
        assert.equal(error, null);
        resolve(count);
      }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      const gone = once(socket, "disconnect");
      cut();
      await gone;
      swallow = false;
      mend();
      const count = await answer;
      assert.equal(await socket.emitWithAck("bought_of", order), 3);
      assert.equal(count, 3);
    });
  },
};

try {
  await scenarios[name]();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
for (const socket of sockets) socket.disconnect();
cut();
proxy.close();
