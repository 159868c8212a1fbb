// Operators, middleware and namespaces made on demand, as the official client sees them.

import assert from "node:assert/strict";
import { once, open, TRANSPORTS } from "./scenarios.mjs";

// Each transport, and each way to the app.
async function everyWay(base, check) {
  for (const transports of TRANSPORTS) {
    await check((options) => open(`${base}/WordsSocket`, { transports, ...options }), transports);
    await check((options) => open(base, { path: "/WordsSocket/", transports, ...options }), transports);
  }
}

async function joined(connect, count, ...rooms) {
  const clients = [...Array(count)].map(() => connect());
  await Promise.all(clients.map((socket) => once(socket, "connect")));
  for (const socket of clients) await socket.emitWithAck("enter", ...rooms);
  return clients;
}

const leave = (...clients) => clients.forEach((socket) => socket.disconnect());

export async function acks(base) {
  await everyWay(base, async (connect) => {
    const room = `poll ${Math.random()}`;
    const clients = await joined(connect, 3, room);
    clients.forEach((socket, i) => socket.on("ready?", (bytes, answer) => {
      assert.deepEqual([...new Uint8Array(bytes)], [1]);
      if (i === 0) answer("yes");
      if (i === 1) answer("yes", "and no");
    }));
    // The third does not answer, however long the others take here.
    let answers = [];
    let missing = clients;
    for (let seconds = 0.3; seconds < 60 && missing.length > 1; seconds *= 2) {
      ({ answers, missing } = await clients[0].emitWithAck("poll", room, seconds));
    }
    assert.deepEqual(answers.map(String).sort(), ["yes", "yes,and no"]);
    assert.deepEqual(missing, [clients[2].id]);
    // It goes while it is waited for: nobody waits for a minute.
    const asked = once(clients[2], "ready?");
    const poll = clients[0].emitWithAck("poll", room, 60);
    const gone = clients[2].id;
    await asked;
    clients[2].disconnect();
    assert.deepEqual((await poll).missing, [gone]);
    leave(...clients);
  });
}

export async function timeouts(base) {
  await everyWay(base, async (connect) => {
    const socket = connect();
    await once(socket, "connect");
    assert.deepEqual(await socket.emitWithAck("ask_me", 0.05),
      { error: "no acknowledgement within 0.05 s" });
    socket.on("question", (answer) => answer("because"));
    assert.equal(await socket.emitWithAck("ask_me", 60), "because");
    // In the other direction: what is answered, refused, and answered by nobody.
    assert.equal(await socket.timeout(60_000).emitWithAck("echo", 1), 1);
    socket.off("question");
    await assert.rejects(socket.timeout(30).emitWithAck("ask_me", 0.5), /timed out/);
    assert.equal(await socket.emitWithAck("echo", "still here"), "still here");
    leave(socket);
  });
}

export async function volatile(base) {
  await everyWay(base, async (connect) => {
    const socket = connect();
    await once(socket, "connect");
    await socket.emitWithAck("echo");
    const positions = [];
    socket.on("position", (number) => positions.push(number));
    const end = once(socket, "the end");
    socket.emit("positions", 50);
    await end;
    // However many there were time for: in order, and none twice.
    assert.ok(positions.length <= 50);
    assert.deepEqual(positions, [...new Set(positions)].sort((a, b) => a - b));
    leave(socket);
  });
}

export async function rooms(base) {
  await everyWay(base, async (connect) => {
    const [red, blue, both] = [1, 2, 3].map((n) => `${n} ${Math.random()}`);
    const [a] = await joined(connect, 1, red);
    const [b] = await joined(connect, 1, blue);
    const [c] = await joined(connect, 1, red, blue);
    const heard = { a: [], b: [], c: [] };
    for (const [name, socket] of Object.entries({ a, b, c })) {
      socket.on("told", (text) => heard[name].push(text));
    }
    a.emit("tell", [red], [], 1);
    a.emit("tell", [red, blue], [], 2);
    a.emit("tell", [red], [blue], 3);
    a.emit("tell", [red, blue], [c.id], 4);
    a.emit("tell", [b.id], [], 5);
    const sockets = await a.emitWithAck("who", red);
    assert.deepEqual(sockets.map((s) => s.id), [a.id, c.id]);
    assert.deepEqual(sockets[1].rooms, [red, blue].sort());
    a.emit("move", red, both);
    a.emit("tell", [both], [], 6);
    a.emit("tell", [red], [], "nobody");
    // What the others ask goes another way, and may be faster.
    await a.emitWithAck("echo");
    assert.deepEqual((await b.emitWithAck("who", both)).map((s) => s.id), [a.id, c.id]);
    await Promise.all([a, b, c].map((socket) => socket.emitWithAck("echo")));
    assert.deepEqual(heard, { a: [1, 2, 3, 4, 6], b: [2, 4, 5], c: [1, 2, 6] });
    leave(a, b, c);
  });
}

export async function middleware(base) {
  await everyWay(base, async (connect) => {
    const refused = connect({ auth: { device: "stolen" } });
    const [error] = await once(refused, "connect_error");
    assert.equal(error.message, "unknown device");
    assert.deepEqual(error.data, { register: "/devices" });
    refused.auth = { device: "mine" };
    refused.connect();
    await once(refused, "connect");
    const socket = refused;
    assert.deepEqual(await socket.emitWithAck("admin reset"),
      { error: { message: "members only", data: { event: "admin reset" } } });
    const renamed = await new Promise((resolve) =>
      socket.emit("alias", 1, (...args) => resolve(args)));
    assert.deepEqual(renamed, ["renamed", 1]);
    assert.deepEqual(await socket.emitWithAck("no such thing", 1, 2),
      { error: "there is no event no such thing" });
    assert.deepEqual(await socket.emitWithAck("message", "hi"),
      { error: "there is no event message" });
    socket.emit("tell", [socket.id], [], "x");
    await once(socket, "told");
    assert.deepEqual(await socket.emitWithAck("what_was_sent"), ["told"]);
    leave(socket);
  });
}

export async function demand(base) {
  for (const transports of TRANSPORTS) {
    const id = Math.random().toString(36).slice(2);
    const shared = open(`${base}/WordsSocket/doc/${id}`, { transports });
    const app = open(base, { path: "/WordsSocket/", transports });
    const own = app.io.socket(`/doc/${id}`);
    const other = app.io.socket(`/doc/${id}-2`);
    await Promise.all([shared, own, other].map((socket) => once(socket, "connect")));
    for (const socket of [shared, own]) {
      assert.deepEqual(await socket.emitWithAck("where"),
        { name: `/WordsSocket/doc/${id}`, params: { id } });
    }
    const heard = [];
    other.on("edited", (text) => heard.push(text));
    const edited = once(shared, "edited");
    own.emit("edit", "x");
    assert.deepEqual(await edited, ["x"]);
    const everyone = [shared, own, other].map((socket) => once(socket, "edited"));
    own.emit("everywhere", "y");
    assert.deepEqual(await Promise.all(everyone), [["y"], ["y"], ["y"]]);
    assert.deepEqual(heard, ["y"]);

    const year = open(`${base}/WordsSocket/year-2026`, { transports });
    await once(year, "connect");
    assert.deepEqual((await year.emitWithAck("where")).params, { year: "2026" });
    const beta = app.io.socket("/beta-1", { auth: { tester: true } });
    await once(beta, "connect");
    assert.equal((await beta.emitWithAck("where")).name, "/WordsSocket/beta-1");
    for (const name of ["/doc", "/doc/1/2", "/year-26", "/beta-1"]) {
      const nobody = open(`${base}/WordsSocket${name}`, { transports });
      const [error] = await once(nobody, "connect_error");
      assert.equal(error.message, "Invalid namespace", name);
    }
    leave(shared, own, other, year, beta, app);
  }
}

export async function disconnecting(base) {
  for (const transports of TRANSPORTS) {
    const reconnecting = { transports, reconnection: true, reconnectionDelay: 5 };
    const boss = open(`${base}/WordsSocket`, { transports });
    await once(boss, "connect");
    for (const close of [false, true]) {
      const socket = open(`${base}/WordsSocket`, reconnecting);
      const beside = socket.io.socket("/EchoSocket");
      await Promise.all([once(socket, "connect"), once(beside, "connect")]);
      const room = `kicked ${Math.random()}`;
      await socket.emitWithAck("enter", room);
      const reasons = [];
      for (const each of [socket, beside]) each.on("disconnect", (reason) => reasons.push(reason));
      const ended = close ? once(beside, "disconnect") : once(socket, "disconnect");
      boss.emit("kick", room, close);
      await ended;
      if (close) {
        // Both were told: neither comes back, and the connection below them is gone.
        assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);
        let back = false;
        socket.io.on("reconnect_attempt", () => { back = true; });
        for (let i = 0; i < 5; i++) await boss.emitWithAck("echo");
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.deepEqual([back, socket.connected, beside.connected], [false, false, false]);
        assert.notEqual(socket.io._readyState, "open");
      } else {
        assert.deepEqual(reasons, ["io server disconnect"]);
        assert.equal(await beside.emitWithAck("echo", 1), 1);
        // It may come back when it wants to.
        socket.connect();
        await once(socket, "connect");
        assert.equal(await socket.emitWithAck("echo", 2), 2);
      }
      leave(socket, beside);
    }
    leave(boss);
  }
}
