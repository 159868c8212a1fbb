// What is kept of visitors, as pages and the official client see it.

import assert from "node:assert/strict";
import { AGENT, ask, login, once, open, TRANSPORTS, visit, ways } from "./scenarios.mjs";

const as = (visitor, more = {}) => ({ extraHeaders: { Cookie: visitor.cookie, ...AGENT }, ...more });
const cart = async (base, visitor) => (await ask(base, "/cart", visitor)).json();

// A login changes the session's id, and live connections do not notice.
export async function moving(base) {
  for (const transports of TRANSPORTS) {
    for (const connect of ways(base)) {
      const visitor = await visit(base);
      const former = { ...visitor };
      const socket = connect(as(visitor, { transports }));
      const planted = connect({
        transports, extraHeaders: { Cookie: visitor.cookie, "User-Agent": "somebody else" },
      });
      await Promise.all([once(socket, "welcome"), once(planted, "welcome")]);
      assert.deepEqual(await socket.emitWithAck("add", "tea"), { cart: ["tea"], session: visitor.id });
      assert.deepEqual(await cart(base, visitor), { cart: ["tea"] });

      const gone = once(planted, "disconnect");
      await login(base, visitor, "ada");
      assert.notEqual(visitor.id, former.id);
      assert.match((await gone)[0], /transport (close|error)/);
      assert.deepEqual(
        await socket.emitWithAck("add", "milk"), { cart: ["tea", "milk"], session: visitor.id });
      assert.deepEqual(await cart(base, visitor), { cart: ["tea", "milk"] });

      // The former cookie: a page is sent again, a client has to try again.
      const page = await ask(base, "/cart?a=b", { ...former });
      assert.deepEqual([page.status, page.headers.get("location")], [307, "/cart?a=b"]);
      const again = connect(as(former, { transports }));
      await once(again, "connect_error");
      const back = connect(as(visitor, { transports }));
      await once(back, "welcome");
      socket.disconnect();
      back.disconnect();
    }
  }
}

// A client that tries by itself comes back, once its browser has the new cookie.
export async function comingBack(base) {
  const visitor = await visit(base);
  const options = as(visitor, {
    transports: ["websocket"], reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 50,
  });
  const headers = { Cookie: visitor.cookie, "User-Agent": "another network" };
  const socket = open(`${base}/EchoSocket`, { ...options, extraHeaders: headers });
  await once(socket, "welcome");
  const tries = new Promise((resolve) => {
    let count = 0;
    socket.io.on("reconnect_error", () => { if (++count === 2) resolve(); });
  });
  await login(base, visitor, "ada");
  await tries;
  headers.Cookie = visitor.cookie;
  const [welcome] = await once(socket, "welcome");
  assert.deepEqual([welcome.session, welcome.user], [visitor.id, "ada"]);
}

// Two processes and one Redis.
export async function shared(here, there) {
  const visitor = await visit(here);
  const sockets = [here, there].map((base) =>
    open(`${base}/EchoSocket`, as(visitor, { transports: ["websocket"] })));
  await Promise.all(sockets.map((socket) => once(socket, "welcome")));

  // Two tabs write at the same moment, many times: nothing is lost.
  const writes = [];
  for (let i = 0; i < 40; i++) writes.push(sockets[i % 2].emitWithAck("put", `k${i}`, i));
  assert.deepEqual(new Set(await Promise.all(writes)), new Set([true]));
  for (const base of [here, there]) {
    const kept = await (await ask(base, "/kept", visitor)).json();
    assert.deepEqual(kept, Object.fromEntries([...Array(40)].map((_, i) => [`k${i}`, i])));
  }

  // A login here: the other process has it at once, and nothing for the former cookie.
  const former = { ...visitor };
  await login(here, visitor, "ada");
  assert.equal((await (await ask(there, "/kept", visitor)).json()).k39, 39);
  assert.equal((await ask(there, "/kept", { ...former })).status, 307);
  assert.equal(await sockets[1].emitWithAck("put", "late", 1), "SessionMoved");
  assert.equal(await sockets[0].emitWithAck("put", "late", 1), true);

  // Without Redis: pages that need it say so, the others and live connections go on.
  console.log("STOP REDIS");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  assert.equal((await ask(here, "/kept", visitor)).status, 503);
  assert.equal((await ask(here, "/who", visitor)).status, 200);
  assert.equal(await sockets[0].emitWithAck("echo", 1), 1);
  assert.equal(await sockets[0].emitWithAck("put", "x", 1), "SessionUnavailable");
  console.log("START REDIS");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  for (let i = 0; (await ask(here, "/kept", visitor)).status !== 200; i++) {
    assert.ok(i < 2000);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(await sockets[0].emitWithAck("put", "x", 1), true);
}
