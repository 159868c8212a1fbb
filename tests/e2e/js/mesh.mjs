// A cluster of servers that are Node's and Mojo's, in any order: each scenario is given their addresses.

import assert from "node:assert/strict";
import net from "node:net";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { token } from "./logins.mjs";
import { once, open, TRANSPORTS } from "./scenarios.mjs";

// A client has a log of what it was sent, and answers with its tag.
function remember(socket) {
  socket.log = [];
  socket.onAny((name, ...args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    socket.log.push([name, ...args]);
    if (name === "question" && !socket.silent) answer?.(socket.tag);
  });
  return socket;
}

// Two clients of each server: "0a", "0b", "1a", ...  An address with names after "#" is of a proxy in front
// of servers; the ids of their sessions begin with these.
export async function clients(bases, count = 2, options = {}, namespace = "/MeshSocket") {
  const { origin, hash } = new URL(bases[0]);
  if (hash) return clientsBehind(origin + namespace, hash.slice(1), count, options);
  const sockets = [];
  for (const [number, base] of bases.entries()) {
    for (let i = 0; i < count; i++) {
      const tag = `${number}${"abc"[i]}`;
      const socket = open(base + namespace, { transports: ["websocket"], auth: { tag }, ...options });
      await once(socket, "connect");
      socket.tag = tag;
      sockets.push(remember(socket));
    }
  }
  return sockets;
}

// Which server somebody comes to is the proxy's to say, so that some are too many: they do not join.
async function clientsBehind(url, names, count, options) {
  const found = [...names].map(() => []);
  const began = Date.now();
  for (let tries = 0; found.some((some) => some.length < count); tries++) {
    assert.ok(Date.now() < began + 100_000, `nobody comes to some of ${names}: ${found.map((some) => some.length)}`);
    const socket = open(url, { transports: TRANSPORTS[tries % 3], ...options });
    const joins = await new Promise((resolve, reject) => {
      // It is asked when the connection is there, and again when another one is.
      socket.auth = (send) => {
        if (socket.tag === undefined) {
          const number = names.indexOf(serverOf(socket));
          const there = found[number];
          if (there.length === count) return resolve(false);
          socket.tag = `${number}${"abc"[there.length]}`;
          there.push(remember(socket));
        }
        return send({ tag: socket.tag });
      };
      socket.once("connect", () => resolve(true));
      socket.once("connect_error", reject);
    });
    if (!joins) {
      socket.disconnect();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  return found.flat();
}

// The name of the server behind a proxy to which a client has come.
export const serverOf = (socket) => socket.io.engine.id.split(".")[0];

export async function until(condition, what) {
  for (let i = 0; !(await condition()); i++) {
    if (i > 4000) assert.fail(`not within 100 s: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

let marks = 0;

// Who has got something: everyone is sent a mark after it, from the same server, and it is waited for.
export async function heard(sockets, from, name) {
  const mark = `mark ${process.pid} ${++marks}`;
  from.emit("send_to", [], [], {}, mark);
  const has = (socket, event) => socket.log.some(([other]) => other === event);
  await until(() => sockets.every((socket) => !socket.connected || has(socket, mark)),
    () => `${mark}: ${sockets.map((socket) => `${socket.tag} ${has(socket, mark)}`)}`);
  const tags = sockets.filter((socket) => has(socket, name)).map((socket) => socket.tag);
  for (const socket of sockets) {
    assert.ok(socket.log.filter(([other]) => other === name).length < 2, `${name} came twice`);
    socket.log.length = 0;
  }
  return tags;
}

export const all = (sockets) => sockets.map((socket) => socket.tag);

// Whether a client is always ready for what is volatile: who polls is not, between two requests.
async function hasWebSocket(socket) {
  if (!socket.io.opts.transports.includes("websocket")) return false;
  await until(() => socket.io.engine.transport.name === "websocket", () => `${socket.tag} polls on`);
  // What leaves by the WebSocket is answered when the server has moved to it, too.
  await socket.emitWithAck("enter", "ready");
  return true;
}

// From each server to all of them.
export async function broadcasts(...bases) {
  const sockets = await clients(bases);
  const seconds = sockets.filter((socket) => socket.tag.endsWith("b"));
  for (const socket of seconds) await socket.emitWithAck("enter", "room");
  for (const socket of sockets.slice(0, 3)) await socket.emitWithAck("enter", "other");
  const ready = [];
  for (const socket of sockets) if (await hasWebSocket(socket)) ready.push(socket.tag);
  assert.ok(ready.length);
  for (const me of sockets.filter((socket) => socket.tag.endsWith("a"))) {
    const send = async (rooms, without, words = {}) => {
      me.emit("send_to", rooms, without, words, "x", 1);
      return heard(sockets, me, "x");
    };
    assert.deepEqual(await send([], []), all(sockets));
    const took = await send([], [], { volatile: true });
    assert.deepEqual(took.filter((tag) => ready.includes(tag)), ready);
    assert.deepEqual(await send([], [], { local: true }),
      all(sockets).filter((tag) => tag[0] === me.tag[0]));
    assert.deepEqual(await send(["room"], []), all(seconds));
    assert.deepEqual(await send(["room", "other"], []),
      all(sockets).filter((tag) => tag.endsWith("b") || tag[0] === "0" || tag === "1a"));
    assert.deepEqual(await send(["room"], ["other"]), all(seconds).filter((tag) => tag[0] !== "0"));
    assert.deepEqual(await send([], ["room"]), all(sockets).filter((tag) => tag.endsWith("a")));
    assert.deepEqual(await send([sockets.at(-1).id], []), [sockets.at(-1).tag]);
    assert.deepEqual(await send([sockets[0].id], []), ["0a"]);
    me.emit("broadcast", "x");
    assert.deepEqual(await heard(sockets, me, "x"), all(sockets).filter((tag) => tag !== me.tag));
  }
}

// What is sent comes as it was, bytes at any depth too.
export async function values(...bases) {
  const sockets = await clients(bases, 1);
  const sent = [
    "ü \u{1F600}\u2028", null, true, -1, 1.5, 2 ** 40, -(2 ** 52), "x".repeat(70000), [], {},
    [[1, [2]], { a: { b: [null] } }], Buffer.from([0, 1, 255]),
    { deep: [Buffer.alloc(300, 7), { more: Buffer.alloc(0) }] },
  ];
  for (const me of sockets) {
    me.emit("send_to", [], [], {}, "values", ...sent);
    await until(() => sockets.every((socket) => socket.log.length), () => "values");
    for (const socket of sockets) assert.deepEqual(socket.log.splice(0), [["values", ...sent]]);
  }
}

// Names that mean something to Redis.
export async function names(...bases) {
  const sockets = await clients(bases);
  const rooms = ["*", "a*", "ab", "a?", "[ab]", "a#b", "#", "a b", "ключ \u{1F511}", "\\*", "%",
    "r".repeat(1000), "mojo:user:ada", "mojo:room:x", "mojo:zzz", "mojo:both:ab", "1", "__proto__"];
  for (const [number, room] of rooms.entries()) {
    await sockets[number % sockets.length].emitWithAck("enter", room);
  }
  for (const me of [sockets[0], sockets.at(-1)]) {
    for (const [number, room] of rooms.entries()) {
      me.emit("send_to", [room], [], {}, "x");
      const tags = await heard(sockets, me, "x");
      const wanted = sockets[number % sockets.length].tag;
      // A room that begins as Mojo's own do is the same for Mojo's servers only.
      if (!room.startsWith("mojo:") || me.tag[0] === wanted[0]) assert.deepEqual(tags, [wanted], room);
    }
  }
}

// Namespaces whose names mean something to Redis; what Node's own adapter cannot listen to is Mojo's alone.
export async function namespaces(...bases) {
  const names = ["*", "a*", "ab", "a?", "a#b", "a", "#", "a b", "ключ \u{1F511}", "n".repeat(1000)];
  const alone = ["[ab]", "b", "a\\", "\\*"];
  const sockets = [];
  for (const [number, socket] of (await clients(bases, 1)).entries()) {
    for (const name of number === 1 ? names : [...names, ...alone]) {
      const child = socket.io.socket(`/MeshSocket/${name}`, { auth: { tag: socket.tag } });
      await once(child, "connect");
      child.tag = socket.tag;
      sockets.push(remember(child));
    }
  }
  const together = (socket) => sockets.filter((other) => other.nsp === socket.nsp);
  // A server is heard in a namespace that is new there when it has subscribed: who answers can be reached.
  for (const socket of sockets) {
    await until(async () => {
      const { answers } = await socket.emitWithAck("ask", [], [], 1, "question");
      return answers.length === together(socket).length;
    }, () => `not all answer in ${socket.nsp}`);
    socket.emit("send_to", [], [], {}, "x", socket.nsp, socket.tag);
  }
  const heardBy = (socket) => socket.log.filter(([name]) => name === "x").sort();
  await until(() => sockets.every((socket) => heardBy(socket).length >= together(socket).length),
    () => sockets.map((socket) => `${socket.nsp.slice(0, 20)} ${socket.tag} ${heardBy(socket).length}`));
  for (const socket of sockets) {
    const { answers, missing } = await socket.emitWithAck("ask", [], [], 60, "question");
    assert.deepEqual([answers.sort(), missing], [all(together(socket)), 0], socket.nsp);
    assert.deepEqual(heardBy(socket), all(together(socket)).map((tag) => ["x", socket.nsp, tag]));
  }
}

// From each server to each other: what is sent while the client is between them is had once.
export async function moved(...bases) {
  const [speaker, witness] = [bases[2], bases[1]].map((base) =>
    open(`${base}/MeshSocket`, { transports: ["websocket"] }));
  await Promise.all([speaker, witness].map((socket) => once(socket, "connect")));
  let last = 0;
  witness.on("number", (number) => { last = number; });
  for (const [from, to] of [[0, 2], [0, 1], [1, 0], [2, 0], [0, 0]]) {
    let port = new URL(bases[from]).port;
    let broken = false;
    const links = new Set();
    const proxy = net.createServer((near) => {
      if (broken) return near.destroy();
      const far = net.connect(Number(port), "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]]) {
        links.add(one);
        one.pipe(other);
        one.on("error", () => {});
        one.on("close", () => { links.delete(one); other.destroy(); });
      }
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    proxy.unref();
    const socket = open(`http://127.0.0.1:${proxy.address().port}/MeshSocket`, {
      transports: ["websocket"], reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50,
    });
    await once(socket, "connect");
    const got = [];
    socket.on("number", (number) => got.push(number));
    const { id } = socket;
    await socket.emitWithAck("enter", "room");
    let number = 0;
    const say = (rooms, count = 10) => {
      for (let i = 0; i < count; i++) speaker.emit("send_to", rooms, [], {}, "number", ++number);
    };
    say(["room"]);
    say([]);
    await until(() => got.length === 20, () => `${from} to ${to}: ${got}`);
    const gone = once(socket, "disconnect");
    broken = true;
    for (const link of links) link.destroy();
    await gone;
    say(["room"]);
    speaker.emit("send_to", ["elsewhere"], [], {}, "number", "not for it");
    say([id]);
    last = 0;
    say([], 700);
    // What Node's server has read for a client that comes back, and comes to itself later, it sends twice.
    await until(() => last === number, () => `${from} to ${to}: Node's server is at ${last} of ${number}`);
    port = new URL(bases[to]).port;
    const back = new Promise((resolve) => socket.once("connect", resolve));
    broken = false;
    await back;
    assert.deepEqual([socket.recovered, socket.id], [true, id], `${from} to ${to}`);
    say(["room"]);
    say([id]);
    await until(() => got.length >= number, () => `${from} to ${to}: ${got.length} of ${number}`);
    await socket.emitWithAck("enter", "room");
    assert.deepEqual(got, Array.from({ length: number }, (_, i) => i + 1), `${from} to ${to}`);
    socket.disconnect();
    proxy.close();
  }
}

export async function answers(...bases) {
  const sockets = await clients(bases);
  for (const me of sockets.filter((socket) => socket.tag.endsWith("a"))) {
    const whole = await me.emitWithAck("ask", [], [], 60, "question", 1);
    assert.deepEqual([whole.answers.sort(), whole.missing], [all(sockets).sort(), 0]);
    const some = await me.emitWithAck("ask", [], [sockets[0].id], 60, "question");
    assert.deepEqual([some.answers.sort(), some.missing], [all(sockets).slice(1).sort(), 0]);
    const one = await me.emitWithAck("ask", [sockets.at(-1).id], [], 60, "question");
    assert.deepEqual([one.answers, one.missing], [[sockets.at(-1).tag], 0]);
    assert.deepEqual(await me.emitWithAck("ask", ["nobody"], [], 5, "question"),
      { answers: [], missing: 0 });
    sockets[3].silent = true;
    // However long the others take here: it is one who is missing when the time is up.
    let late = { answers: [] };
    for (let seconds = 0.5; seconds < 60 && late.answers.length < sockets.length - 1; seconds *= 2) {
      late = await me.emitWithAck("ask", [], [], seconds, "question");
    }
    assert.deepEqual([late.answers.length, late.missing], [sockets.length - 1, 1]);
    sockets[3].silent = false;
  }
}

export async function sockets(...bases) {
  const sockets = await clients(bases);
  await sockets[1].emitWithAck("enter", "room");
  await sockets.at(-1).emitWithAck("enter", "room", "mojo:x");
  for (const me of sockets.filter((socket) => socket.tag.endsWith("a"))) {
    const everyone = await me.emitWithAck("fetch", [], []);
    assert.deepEqual(everyone.sockets.map((one) => one.tag).sort(), all(sockets));
    assert.equal(everyone.missing, 0);
    const found = await me.emitWithAck("fetch", ["room"], [sockets[1].id]);
    assert.equal(found.sockets.length, 1);
    const { id, tag, path, rooms } = found.sockets[0];
    assert.deepEqual([id, tag, path], [sockets.at(-1).id, sockets.at(-1).tag, "/socket.io/"]);
    assert.ok(rooms.includes("room") && rooms.includes(id));
  }
  const tags = async (me, room) =>
    (await me.emitWithAck("fetch", [room], [])).sockets.map((one) => one.tag).sort();
  for (const [number, me] of sockets.filter((socket) => socket.tag.endsWith("a")).entries()) {
    const room = `moved ${number}`;
    me.emit("sockets_join", ["room"], [], [room, "another"]);
    await until(async () => (await tags(me, room)).length === 2, () => "nobody has joined");
    assert.deepEqual(await tags(me, room), [sockets[1].tag, sockets.at(-1).tag]);
    me.emit("sockets_leave", [room], [sockets[1].id], [room]);
    await until(async () => (await tags(me, room)).length === 1, () => "nobody has left");
    assert.deepEqual(await tags(me, room), [sockets[1].tag]);
  }
  for (const me of sockets.filter((socket) => socket.tag.endsWith("a"))) {
    const victims = sockets.filter((socket) => socket.tag.endsWith("b") && socket.connected);
    const gone = once(victims[0], "disconnect");
    me.emit("sockets_disconnect", [victims[0].id], [], false);
    assert.deepEqual((await gone)[0], "io server disconnect");
  }
  sockets[0].emit("sockets_disconnect", [], [], true);
  await until(() => sockets.every((socket) => !socket.connected), () => "somebody is still here");
}

export async function servers(...bases) {
  const sockets = await clients(bases, 1);
  for (const [number, me] of sockets.entries()) {
    me.emit("server_emit", "hello", number, { a: ["ü"] });
    me.emit("server_emit", "nobody listens");
    await until(async () => {
      const others = sockets.filter((socket) => socket !== me);
      const lists = await Promise.all(others.map((one) => one.emitWithAck("what_was_heard")));
      return lists.every((list) => list.some((args) => args[0] === number));
    }, () => "not all have heard");
    const mine = await me.emitWithAck("what_was_heard");
    assert.ok(!mine.some((args) => args[0] === number));
    const { answers, missing } = await me.emitWithAck("server_ask", "hello", "how many?");
    assert.equal(missing, 0);
    assert.equal(answers.length, sockets.length - 1);
    for (const answer of answers) assert.deepEqual(Object.values(answer), [["how many?"]]);
  }
}

// Who is no server at all: mesh.emitter <socket of Redis> <servers>...
export async function emitter(path, ...bases) {
  const sockets = await clients(bases);
  await sockets[1].emitWithAck("enter", "room");
  await sockets.at(-1).emitWithAck("enter", "room");
  const client = createClient({ socket: { path } });
  await client.connect();
  const mesh = new Emitter(client).of("/MeshSocket");
  const got = (name) => sockets.filter((one) => one.log.some(([n]) => n === name)).map((one) => one.tag);
  mesh.emit("x", Buffer.from([1, 2]), { d: new Date(0), u: undefined });
  await until(() => got("x").length === sockets.length, () => got("x"));
  for (const socket of sockets) {
    const [, bytes, { d }] = socket.log.find(([name]) => name === "x");
    assert.deepEqual([[...bytes], d], [[1, 2], "1970-01-01T00:00:00.000Z"]);
  }
  mesh.to("room").emit("y");
  mesh.except("room").emit("z");
  await until(() => got("z").length === sockets.length - 2, () => got("z"));
  await until(() => got("y").length === 2, () => got("y"));
  assert.deepEqual(got("y"), [sockets[1].tag, sockets.at(-1).tag]);
  mesh.in("room").socketsJoin("second");
  mesh.to("second").emit("w");
  await until(() => got("w").length === 2, () => got("w"));
  mesh.in("second").socketsLeave("second");
  mesh.serverSideEmit("hello", "of the emitter");
  for (const socket of sockets) {
    await until(async () => (await socket.emitWithAck("what_was_heard")).flat().includes("of the emitter"),
      () => socket.tag);
  }
  mesh.to("second").emit("v");
  mesh.in("room").disconnectSockets(true);
  await until(() => !sockets[1].connected && !sockets.at(-1).connected, () => "they are still here");
  assert.deepEqual(got("v"), []);
  await client.quit();
}

// Whatever became of the connections to Redis: once all servers are up again, all clients are reached from each.
export async function reached(...bases) {
  const sockets = await clients(bases, 1);
  const mojos = sockets.filter((_, number) => number !== 1);
  const connections = async () => {
    const dumps = await Promise.all(mojos.map((socket) => socket.emitWithAck("stats")));
    return dumps.map((dump) => [dump.cluster_up, dump.cluster_reconnects]);
  };
  for (let round = 0; ; round++) {
    const before = await connections();
    console.log(`BREAK ${round}.`);
    const words = await new Promise((resolve) => process.stdin.once("data", resolve));
    if (words.toString().trim() === "end") break;
    await until(async () => {
      const now = await connections();
      return now.every(([up]) => up) && now.some(([, lost], number) => lost > before[number][1]);
    }, () => "not all are up");
    // Node's own client comes back when it does; who is asked for an answer is reached.
    await until(async () => {
      const { answers } = await sockets[1].emitWithAck("ask", [], [], 0.5, "question");
      return answers.length === sockets.length;
    }, () => "Node does not come back");
    for (const socket of sockets) socket.log.length = 0;
    for (const me of mojos) {
      me.emit("send_to", [], [], {}, "x");
      assert.deepEqual(await heard(sockets, me, "x"), all(sockets));
    }
  }
}

// Whatever others publish meanwhile: nobody is disconnected, and what is good arrives.
export async function bothered(...bases) {
  const sockets = await clients(bases, 1);
  const lost = [];
  for (const socket of sockets) socket.on("disconnect", (reason) => lost.push([socket.tag, reason]));
  for (let look = 0; ; look++) {
    console.log(`LOOK ${look}.`);
    const words = await new Promise((resolve) => process.stdin.once("data", resolve));
    if (words.toString().trim() === "end") break;
    for (const me of sockets) {
      me.emit("send_to", [], [], {}, "good");
      assert.deepEqual(await heard(sockets, me, "good"), all(sockets));
    }
    assert.deepEqual(lost, []);
  }
  for (const socket of sockets) {
    const { cluster_refused, cluster_reconnects } = await socket.emitWithAck("stats");
    console.log(`COUNTED ${socket.tag} ${cluster_refused} ${cluster_reconnects}.`);
  }
}

// What mojo.emitter sends, which test_mesh.py says: see there.
export async function python(...bases) {
  const sockets = await clients(bases);
  await sockets[1].emitWithAck("enter", "room");
  await sockets[3].emitWithAck("enter", "room");
  console.log("EMIT");
  const got = (name) => sockets.filter((one) => one.log.some(([n]) => n === name)).map((one) => one.tag);
  await until(() => got("last").length === sockets.length, () => got("last"));
  for (const socket of sockets) {
    const [, bytes, value] = socket.log.find(([name]) => name === "all");
    assert.deepEqual([[...bytes], value], [[0, 255], { a: ["ü", null] }]);
  }
  assert.deepEqual(got("room"), [sockets[1].tag, sockets[3].tag]);
  assert.deepEqual(got("others"), all(sockets).filter((tag) => tag !== sockets[1].tag && tag !== sockets[3].tag));
  assert.deepEqual(got("joined"), got("room"));
  for (const socket of sockets) {
    await until(async () => (await socket.emitWithAck("what_was_heard")).flat().includes("of Python"),
      () => socket.tag);
  }
  console.log("DISCONNECT");
  await until(() => !sockets[1].connected && !sockets[3].connected, () => "they are still here");
  assert.equal(sockets.filter((socket) => socket.connected).length, sockets.length - 2);
}

// Who somebody is, at two servers of Mojo's: the first and the last.
export async function logins(...bases) {
  const [here, there] = [bases[0], bases.at(-1)];
  const join = async (base, user) => {
    const [address, worker] = base.split("#");
    let socket;
    do {
      socket?.disconnect();
      socket = open(`${address}/MeshSocket`, {
        transports: ["websocket"], auth: user ? { token: token(user) } : {},
      });
      await once(socket, "connect");
    } while (worker && serverOf(socket) !== worker);
    socket.log = [];
    socket.onAny((...event) => socket.log.push(event));
    return socket;
  };
  const ada = [await join(here, "ada"), await join(there, "ada")];
  const bob = await join(there, "bob");
  const nobody = await join(here);
  nobody.emit("to_user", "ada", "for Ada");
  await until(() => ada.every((socket) => socket.log.length), () => "Ada has heard nothing");
  assert.deepEqual(bob.log, []);

  // That it is told is all that there is: nobody looks for it later.
  nobody.emit("revoke", "ada");
  await until(() => ada.every((socket) => socket.log.length === 2), () => "Ada is still logged in");
  for (const socket of ada) {
    assert.deepEqual(socket.log[1].slice(0, 2), ["logged out", "revoked"]);
    assert.equal(await socket.emitWithAck("whoami") ?? null, null);
  }
  assert.equal(await bob.emitWithAck("whoami"), "bob");
  nobody.emit("to_user", "ada", "for Ada again");
  nobody.emit("send_to", [], [], {}, "for all");
  await until(() => bob.log.length, () => "Bob has heard nothing");
  await until(() => ada[1].log.length === 3, () => ada[1].log);
  assert.deepEqual(ada[1].log[2][0], "for all");
}

// A worker dies under its client: the others' clients go on, and its own comes back to whoever there is.
export async function dying(base) {
  const sockets = await clients([`${base}#012`], 1, { transports: ["websocket"] });
  const gone = once(sockets[0], "disconnect");
  console.log(`DYING ${sockets[0].io.engine.id.split("-")[0]}.`);
  await gone;
  sockets[1].emit("send_to", [], [], {}, "x");
  assert.deepEqual(await heard(sockets.slice(1), sockets[1], "x"), all(sockets.slice(1)));
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.unref();
  const again = [...await clients([`${base}#012`], 1), ...sockets.slice(1)];
  again[0].emit("send_to", [], [], {}, "y");
  assert.deepEqual(await heard(again, again[0], "y"), all(again));
}

// All workers are exchanged: clients of every transport move on, each without an error in between.
export async function reloaded(base) {
  const sockets = [];
  const errors = [];
  for (const [number, transports] of [...TRANSPORTS, ...TRANSPORTS].entries()) {
    const socket = open(`${base}/MeshSocket`, {
      transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100,
    });
    await once(socket, "connect");
    socket.tag = `${number}`;
    socket.io.on("reconnect_error", (error) => errors.push([socket.tag, transports, error.message]));
    sockets.push(remember(socket));
  }
  console.log("CONNECTED");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.unref();
  const isNew = (socket) => socket.connected && /^\d\.2-/.test(socket.io.engine.id);
  await until(() => sockets.every(isNew), () => `moved: ${sockets.map((one) => one.io.engine?.id)}`);
  sockets[0].emit("send_to", [], [], {}, "x");
  assert.deepEqual(await heard(sockets, sockets[0], "x"), all(sockets));
  assert.deepEqual(errors, []);
}
