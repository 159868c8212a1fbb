// What the official client sees.  Each scenario runs in a process of its own, as
// `node run.mjs <scenario> <address of the server>`, and fails by throwing.

import assert from "node:assert/strict";
import https from "node:https";
import { io } from "socket.io-client";
import msgpackParser from "socket.io-msgpack-parser";

const sockets = [];

export function open(url, options = {}) {
  const rejectUnauthorized = !process.env.SELF_SIGNED;
  const socket = io(url, { forceNew: true, reconnection: false, rejectUnauthorized, ...options });
  sockets.push(socket);
  return socket;
}

export function closeAll() {
  for (const socket of sockets) {
    // All that one connection carries.
    for (const one of Object.values(socket.io.nsps)) one.disconnect();
  }
}

export function once(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, (...args) => resolve(args));
    if (event !== "connect_error") socket.once("connect_error", reject);
  });
}

export const TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]];

// Each way to an app: as a namespace of the shared path, and as a path of its own.
export function ways(base) {
  return [
    (options) => open(`${base}/EchoSocket`, options),
    (options) => open(base, { path: "/EchoSocket/", ...options }),
  ];
}

async function everyWay(base, check) {
  for (const transports of TRANSPORTS) {
    for (const connect of ways(base)) await check(connect, transports);
  }
}

export async function exchange(base) {
  await everyWay(base, async (connect, transports) => {
    const socket = connect({ transports, auth: { token: "t" } });
    const [welcome] = await once(socket, "welcome");
    assert.deepEqual(welcome, { session: null, user: null, auth: { token: "t" } });
    assert.equal(socket.connected, true);
    assert.equal(socket.id.length, 20);

    assert.deepEqual(await socket.emitWithAck("echo", 1), 1);
    const several = await new Promise((resolve) =>
      socket.emit("echo", "ü \u{1F600}\u2028", null, { a: [true] }, (...args) => resolve(args)));
    assert.deepEqual(several, ["ü \u{1F600}\u2028", null, { a: [true] }]);
    const none = await new Promise((resolve) => socket.emit("echo", (...args) => resolve(args)));
    assert.deepEqual(none, []);
    assert.deepEqual(await socket.emitWithAck("with spaces", 5), { value: 5 });

    socket.on("question", (question, answer) => answer(`${question}!`));
    const back = await new Promise((resolve) =>
      socket.emit("ask_back", "why", (...args) => resolve(args)));
    assert.deepEqual(back, ["the answer was", "why!"]);

    socket.send("hi", 1);
    assert.deepEqual(await once(socket, "message"), ["hi", 1]);

    socket.emit("fail");
    assert.equal(await socket.emitWithAck("echo", "still here"), "still here");
  });
}

export async function binary(base) {
  await everyWay(base, async (connect, transports) => {
    const socket = connect({ transports });
    await once(socket, "welcome");
    const bytes = Buffer.from([0, 1, 2, 255]);
    const big = Buffer.alloc(200_000, 7);
    const answer = await new Promise((resolve) =>
      socket.emit("echo", bytes, { deep: [big] }, new Uint8Array([9]), (...args) => resolve(args)));
    assert.deepEqual(Buffer.from(answer[0]), bytes);
    assert.deepEqual(Buffer.from(answer[1].deep[0]), big);
    assert.deepEqual([...answer[2]], [9]);
    socket.send(bytes);
    const [message] = await once(socket, "message");
    assert.deepEqual(Buffer.from(message), bytes);
  });
}

export async function upgrade(base) {
  // Numbered events in both directions while the transport changes under them.
  for (const connect of ways(base)) {
    const socket = connect();
    const numbers = [];
    socket.on("number", (number) => numbers.push(number));
    const upgraded = new Promise((resolve) => socket.io.once("open", () => {
      assert.equal(socket.io.engine.transport.name, "polling");
      socket.io.engine.once("upgrade", resolve);
    }));
    await once(socket, "connect");
    const answers = [];
    for (let i = 0; i < 300; i++) {
      answers.push(socket.emitWithAck("echo", i));
      if (i % 100 === 0) socket.emit("back", 100);
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.deepEqual(await Promise.all(answers), [...Array(300).keys()]);
    await upgraded;
    assert.equal(socket.io.engine.transport.name, "websocket");
    const expected = [...Array(3)].flatMap(() => [...Array(100).keys()]);
    assert.deepEqual(numbers, expected);
  }
}

export async function namespaces(base) {
  for (const transports of TRANSPORTS) {
    const manager = { transports, forceNew: false, multiplex: true };
    const root = open(base, { ...manager, forceNew: true, auth: { who: "root" } });
    const echo = root.io.socket("/EchoSocket");
    const admin = root.io.socket("/EchoSocket/admin", { auth: { password: "open sesame" } });
    sockets.push(echo, admin);
    const [[auth]] = await Promise.all([once(root, "root"), once(echo, "welcome"), once(admin, "connect")]);
    assert.deepEqual(auth, { who: "root" });
    assert.notEqual(root.id, echo.id);
    assert.equal(await admin.emitWithAck("whoami"), "/EchoSocket/admin");
    const left = once(echo, "disconnect");
    echo.disconnect();
    assert.deepEqual((await left)[0], "io client disconnect");
    assert.equal(await admin.emitWithAck("whoami"), "/EchoSocket/admin");
    assert.equal(root.connected, true);
  }
}

export async function refusal(base) {
  for (const transports of TRANSPORTS) {
    const admin = open(`${base}/EchoSocket/admin`, { transports, auth: { password: "guess" } });
    const [error] = await once(admin, "connect_error");
    assert.equal(error.message, "wrong password");
    assert.deepEqual(error.data, { hint: "caves" });
    const unknown = open(`${base}/NobodySocket`, { transports });
    const [invalid] = await once(unknown, "connect_error");
    assert.equal(invalid.message, "Invalid namespace");
    const own = open(base, { path: "/EchoSocket/", transports, auth: {} });
    await once(own, "connect");
    const below = own.io.socket("/admin", { auth: { password: "open sesame" } });
    sockets.push(below);
    await once(below, "connect");
    assert.equal(await below.emitWithAck("whoami"), "/EchoSocket/admin");
  }
}

export async function rooms(base) {
  const [shared, own] = ways(base);
  const a = shared({ transports: ["websocket"] });
  const b = own({ transports: ["polling"] });
  const c = shared({ transports: ["polling"] });
  await Promise.all([a, b, c].map((socket) => once(socket, "welcome")));
  const heard = [[], [], []];
  [a, b, c].forEach((socket, i) => socket.onAny((event, ...args) => heard[i].push([event, ...args])));
  assert.deepEqual(await a.emitWithAck("enter", "room #1 *"), ["room #1 *"]);
  await b.emitWithAck("enter", "room #1 *");
  a.emit("tell", "room #1 *", "x", Buffer.from([1]));
  a.emit("others", 1);
  a.emit("everyone", 2);
  await Promise.all([a, b, c].map((socket) => new Promise((resolve) => {
    if (heard[[a, b, c].indexOf(socket)].some(([event]) => event === "everyone")) resolve();
    else socket.once("everyone", resolve);
  })));
  assert.deepEqual(heard[0], [["everyone", 2]]);
  assert.deepEqual(heard[1].map(([event]) => event), ["told", "others", "everyone"]);
  assert.deepEqual(heard[2], [["others", 1], ["everyone", 2]]);
}

export async function leaving(base) {
  await everyWay(base, async (connect, transports) => {
    const socket = connect({ transports });
    await once(socket, "welcome");
    const gone = once(socket, "disconnect");
    socket.emit("leave_me");
    assert.equal((await gone)[0], "io server disconnect");
  });
}

export async function reconnect(base) {
  for (const transports of TRANSPORTS) {
    const socket = open(`${base}/EchoSocket`, { transports, reconnection: true, reconnectionDelay: 10 });
    await once(socket, "welcome");
    const first = socket.id;
    const gone = once(socket, "disconnect");
    socket.emit("drop");
    const [reason] = await gone;
    assert.equal(reason, "transport close");
    await once(socket, "welcome");
    assert.notEqual(socket.id, first);
    assert.equal(await socket.emitWithAck("echo", 1), 1);
    socket.disconnect();
  }
}

export async function buffered(base) {
  // What is sent before the connection is there, and far more than one payload holds.
  const socket = open(`${base}/EchoSocket`, { transports: ["polling"] });
  const text = "x".repeat(1000);
  const answers = [...Array(2500).keys()].map((i) => socket.emitWithAck("echo", [i, text]));
  const values = await Promise.all(answers);
  assert.deepEqual(values.map(([i]) => i), [...Array(2500).keys()]);
}

export async function tooLong(base) {
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open(`${base}/EchoSocket`, { transports });
    await once(socket, "welcome");
    const other = open(`${base}/EchoSocket`, { transports });
    await once(other, "welcome");
    const gone = once(socket, "disconnect");
    socket.emit("echo", "x".repeat(1_100_000));
    const [reason] = await gone;
    assert.match(reason, /transport (close|error)/);
    assert.equal(await other.emitWithAck("echo", 1), 1);
  }
}

export async function origins(base) {
  for (const transports of [["polling"], ["websocket"]]) {
    const foreign = open(`${base}/EchoSocket`, {
      transports, extraHeaders: { Origin: "https://evil.example" },
    });
    const [error] = await once(foreign, "connect_error");
    assert.match(error.message, /xhr poll error|websocket error/);
    const own = open(`${base}/EchoSocket`, { transports, extraHeaders: { Origin: base } });
    await once(own, "welcome");
  }
}

// -- visitors -----------------------------------------------------------------

// What browsers' pages and sockets have in common.
export const AGENT = { "User-Agent": "a browser" };

// Ask for a page as a browser with these cookies.
export async function ask(base, path, visitor, options = {}) {
  const headers = { ...AGENT, ...(visitor.cookie && { Cookie: visitor.cookie }) };
  const response = await fetch(`${base}${path}`, { headers, redirect: "manual", ...options });
  const jar = new Map((visitor.cookie || "").split("; ").filter(Boolean).map((c) => c.split(/=(.*)/s)));
  for (const set of response.headers.getSetCookie()) {
    const [name, value] = set.split(";")[0].split(/=(.*)/s);
    jar.set(name, value);
  }
  visitor.cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  return response;
}

export async function visit(base) {
  const visitor = {};
  visitor.id = (await (await ask(base, "/who", visitor)).json()).me;
  return visitor;
}

export async function login(base, visitor, user) {
  const body = new URLSearchParams({ user });
  assert.equal((await ask(base, "/login", visitor, { method: "POST", body })).status, 200);
  visitor.id = (await (await ask(base, "/who", visitor)).json()).me;
}

const who = async (base) => (await fetch(`${base}/who`)).json();

export async function registry(base) {
  const visitor = await visit(base);
  await login(base, visitor, "ada");
  const options = { extraHeaders: { Cookie: visitor.cookie } };
  const [shared, own] = ways(base);
  const first = shared({ ...options, transports: ["websocket"] });
  const second = own({ ...options, transports: ["polling"] });
  const anonymous = shared({ transports: ["polling"] });
  const [[a], [b]] = await Promise.all([first, second, anonymous].map((s) => once(s, "welcome")));
  assert.deepEqual([a.session, a.user], [visitor.id, "ada"]);
  assert.deepEqual([b.session, b.user], [visitor.id, "ada"]);
  let state = await who(base);
  assert.deepEqual(state.sessions, { [visitor.id]: 2 });
  assert.deepEqual(state.users, { ada: 2 });
  first.disconnect();
  second.emit("echo");
  for (let i = 0; state.users.ada !== 1; i++) {
    assert.ok(i < 100, JSON.stringify(state));
    state = await who(base);
  }
  assert.deepEqual(state.sessions, { [visitor.id]: 1 });
  assert.equal(await second.emitWithAck("echo", 1), 1);
}

export async function logout(base) {
  const visitor = await visit(base);
  await login(base, visitor, "grace");
  const options = { extraHeaders: { Cookie: visitor.cookie } };
  const [shared, own] = ways(base);
  const tabs = [shared({ ...options, transports: ["websocket"] }), own({ ...options, transports: ["polling"] })];
  await Promise.all(tabs.map((socket) => once(socket, "welcome")));
  const told = tabs.map((socket) => once(socket, "logged out"));
  await fetch(`${base}/logout`, { method: "POST", headers: { Cookie: visitor.cookie } });
  assert.deepEqual(await Promise.all(told), [["logout", null], ["logout", null]]);
  assert.deepEqual((await who(base)).users, {});
}

export async function broadcast(base) {
  // From the seed's page and from a plain Twisted resource, to every kind of client.
  const visitor = await visit(base);
  const options = { extraHeaders: { Cookie: visitor.cookie } };
  const clients = [];
  for (const transports of TRANSPORTS) {
    for (const connect of ways(base)) clients.push(connect({ ...options, transports }));
  }
  await Promise.all(clients.map((socket) => once(socket, "welcome")));
  const counts = clients.map(() => 0);
  clients.forEach((socket, i) => socket.on("announced", () => counts[i]++));
  const joined = clients.map((socket) => once(socket, "joinedStatus"));
  const page = await fetch(`${base}/hello`);
  assert.equal(page.status, 200);
  for (const [status] of await Promise.all(joined)) {
    assert.match(status.data, /^[\w-]{32} has joined the chat$/);
  }
  const heard = clients.map((socket) => once(socket, "announced"));
  const answer = await fetch(`${base}/announce/`, { method: "POST", body: "news" });
  assert.equal(await answer.text(), "announced");
  assert.deepEqual(await Promise.all(heard), clients.map(() => ["news"]));
  await Promise.all(clients.map((socket) => socket.emitWithAck("echo")));
  assert.deepEqual(counts, clients.map(() => 1));
}

export async function secure(base) {
  // Behind a proxy that is trusted, from an address that is not.
  const page = await fetch(`${base}/who`);
  for (const cookie of page.headers.getSetCookie()) assert.match(cookie, /; Secure; HttpOnly/);
  const agent = new https.Agent({ localAddress: "127.0.0.2" });
  for (const transports of TRANSPORTS) {
    const socket = open(`${base}/EchoSocket`, {
      transports, agent, extraHeaders: { Origin: base, "X-Forwarded-For": "6.6.6.6" },
    });
    await once(socket, "welcome");
    const from = await socket.emitWithAck("where_from");
    assert.deepEqual(from, { address: "127.0.0.2", secure: true });
  }
  const foreign = open(`${base}/EchoSocket`, {
    extraHeaders: { Origin: base.replace("https:", "http:") },
  });
  await once(foreign, "connect_error");
}

export async function waitForNews(base) {
  // Connects as a visitor, by WebSocket on the shared path, and waits.
  const visitor = await visit(base);
  const socket = open(`${base}/EchoSocket`, {
    transports: ["websocket"], extraHeaders: { Cookie: visitor.cookie },
  });
  await once(socket, "welcome");
  console.log("CONNECTED");
  console.log("NEWS", ...await once(socket, "announced"));
}

export async function client(base) {
  for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"]) {
    const response = await fetch(`${base}/socket.io/${name}`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^application\/javascript/);
    assert.match(await response.text(), /Socket\.IO v4\./);
    const etag = response.headers.get("etag");
    const again = await fetch(`${base}/socket.io/${name}`, { headers: { "If-None-Match": etag } });
    assert.equal(again.status, 304);
  }
}

export async function shutdown(base) {
  // Connects, says so, and waits for the server to be stopped.
  const clients = [["websocket"], ["polling"]].map((transports) =>
    open(`${base}/EchoSocket`, { transports }));
  await Promise.all(clients.map((socket) => once(socket, "welcome")));
  const gone = clients.map((socket) => once(socket, "disconnect"));
  // The long-polling client's next GET is on its way: a page that is asked for after it,
  // and answered, means that the server has it.
  for (let times = 0; times < 2; times++) await (await fetch(`${base}/hello`)).text();
  console.log("CONNECTED");
  for (const [reason] of await Promise.all(gone)) assert.equal(reason, "transport close");
}

export async function msgpack(base) {
  const parser = msgpackParser;
  await everyWay(base, async (connect, transports) => {
    const socket = connect({ transports, parser, auth: { token: "t", raw: Buffer.from([1]) } });
    const [welcome] = await once(socket, "welcome");
    assert.deepEqual(welcome, {
      session: null, user: null, auth: { token: "t", raw: Buffer.from([1]) },
    });
    const echo = (...args) => new Promise((resolve) =>
      socket.emit("echo", ...args, (...answer) => resolve(answer)));
    assert.deepEqual(await echo(), []);
    const plain = [1, -1.5, "\u00fc \u{1F600}\u2028", null, { a: [true, { b: [] }] }, 2 ** 40];
    assert.deepEqual(await echo(...plain), plain);
    const bytes = Buffer.from([0, 1, 2, 255]);
    const big = Buffer.alloc(200_000, 7);
    assert.deepEqual(await echo(bytes, { deep: [big] }), [bytes, { deep: [big] }]);
    // The library's own types: undefined is None, and an ArrayBuffer is bytes, also when it is
    // as long as a Date.
    const date = new Date("2026-02-03T04:05:06.789Z");
    const old = new Date(-1);
    const [nothing, one, eight, ...dates] = await echo(
      undefined, new Uint8Array([9]).buffer, new Uint8Array(8).buffer, date, old);
    assert.equal(nothing, null);
    assert.deepEqual([one, eight], [Buffer.from([9]), Buffer.alloc(8)]);
    assert.deepEqual(dates, [date, old]);

    socket.on("question", (question, answer) => answer(Buffer.concat([question, question])));
    const back = await new Promise((resolve) =>
      socket.emit("ask_back", bytes, (...args) => resolve(args)));
    assert.deepEqual(back, ["the answer was", Buffer.concat([bytes, bytes])]);
    const heard = once(socket, "everyone");
    socket.emit("everyone", bytes);
    assert.deepEqual(await heard, [bytes]);
    socket.emit("fail");
    assert.equal(await socket.emitWithAck("echo", "still here"), "still here");
  });
  for (const transports of TRANSPORTS) {
    const echo = open(`${base}/EchoSocket`, { transports, parser });
    const admin = echo.io.socket("/EchoSocket/admin", { auth: { password: "open sesame" } });
    sockets.push(admin);
    await Promise.all([once(echo, "welcome"), once(admin, "connect")]);
    assert.equal(await admin.emitWithAck("whoami"), "/EchoSocket/admin");
    const left = once(admin, "disconnect");
    admin.disconnect();
    assert.equal((await left)[0], "io client disconnect");
    assert.equal(await echo.emitWithAck("echo", 1), 1);
    const gone = once(echo, "disconnect");
    echo.emit("leave_me");
    assert.equal((await gone)[0], "io server disconnect");

    const refused = open(`${base}/EchoSocket/admin`, { transports, parser, auth: { password: "guess" } });
    const [error] = await once(refused, "connect_error");
    assert.equal(error.message, "wrong password");
    assert.deepEqual(error.data, { hint: "caves" });
    const unknown = open(`${base}/NobodySocket`, { transports, parser });
    const [invalid] = await once(unknown, "connect_error");
    assert.equal(invalid.message, "Invalid namespace");
  }
}

export async function checked(base, parserName) {
  // Arguments that are checked by annotations, and answers of types that no format has.
  const parser = parserName === "msgpack" ? msgpackParser : undefined;
  for (const transports of TRANSPORTS) {
    const socket = open(`${base}/ShopSocket`, { transports, parser });
    await once(socket, "connect");
    assert.equal(await socket.emitWithAck("count", 1), 2);
    const photo = Buffer.from([1, 255]);
    const receipt = await socket.emitWithAck(
      "buy", [{ name: "tea", price: "1.10", photo }, { name: "tea", price: 2 }], "2026-01-02");
    assert.deepEqual(receipt, {
      number: "00000000-0000-0000-0000-000000000001",
      day: "2026-01-02",
      total: "3.10",
      names: ["tea"],
      photos: [photo, null],
    });
    const refused = async (...args) => (await socket.emitWithAck(...args)).error;
    assert.deepEqual(await refused("count", "1"), {
      message: "invalid arguments",
      data: [{ argument: "number", problem: "Input should be a valid integer" }],
    });
    assert.deepEqual(await refused("count"), {
      message: "invalid arguments",
      data: [{ argument: "number", problem: "Argument required" }],
    });
    const { data } = await refused("buy", [{ name: "tea" }], "2026-01-02", "more");
    assert.deepEqual(data.map((problem) => problem.argument), ["items", "3"]);
    socket.emit("count", "without an acknowledgement");
    assert.equal(await socket.emitWithAck("count", 2), 3);
  }
}

export async function deflate(base) {
  // Messages packed by either side, small and large, on one WebSocket.
  const socket = open(`${base}/EchoSocket`, { transports: ["websocket"] });
  await once(socket, "welcome");
  assert.match(socket.io.engine.transport.ws.extensions, /permessage-deflate/);
  for (const length of [1, 2000, 900_000]) {
    const text = "€".repeat(length / 3 + 1);
    const bytes = Buffer.alloc(length, "abc");
    const [echo, binary] = await new Promise((resolve) =>
      socket.emit("echo", text, bytes, (...args) => resolve(args)));
    assert.equal(echo, text);
    assert.ok(bytes.equals(Buffer.from(binary)));
  }
  const closed = once(socket, "disconnect");
  socket.emit("echo", "x".repeat(1_000_001));
  assert.deepEqual((await closed)[0], "transport close");
}

export async function hooks(base) {
  for (const transports of TRANSPORTS) {
    const socket = open(`${base}/EchoSocket`, { transports });
    await once(socket, "welcome");
    assert.match(socket.io.engine.id, /^here-/);
    assert.equal(await socket.emitWithAck("echo", 1), 1);
  }
  for (const transport of ["polling", "websocket"]) {
    const socket = open(`${base}/EchoSocket`, { transports: [transport], query: { banned: 1 } });
    const [error] = await once(socket, "connect_error");
    assert.equal(error.message, transport === "polling" ? "xhr poll error" : "websocket error");
    if (transport === "polling") assert.equal(error.context.status, 403);
  }
  const refusal = await fetch(`${base}/socket.io/?EIO=4&transport=polling&banned=1`);
  assert.equal(refusal.status, 403);
  assert.deepEqual(await refusal.json(), { code: 4, message: "You are banned" });
  const response = await fetch(`${base}/socket.io/?EIO=4&transport=polling`);
  assert.equal(response.headers.get("x-server"), "here");
  assert.match(
    response.headers.get("set-cookie"), /^lb=here-[\w-]{20}; Path=\/; HttpOnly; SameSite=Lax$/);
}
