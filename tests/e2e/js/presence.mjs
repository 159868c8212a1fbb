// Who is online, and who is in a room, as the official client sees it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { AGENT, ask, login, once, open, TRANSPORTS, visit } from "./scenarios.mjs";

// What docs/presence.rst tells pages to do.
const text = readFileSync(new URL("../../../docs/presence.rst", import.meta.url), "utf8");
const code = text.match(/^    function presence\([\s\S]*?^    \}$/m)[0];
const presence = new Function(`${code}; return presence;`)();

export const GRACE = 2000;
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function somebody(base, user) {
  const visitor = await visit(base);
  await login(base, visitor, user);
  return visitor;
}

// One tab in the lounge, with what it was told and the list that it keeps.
export async function tab(base, visitor, meta, options = {}) {
  const extraHeaders = { Cookie: visitor.cookie, ...AGENT };
  const socket = open(`${base}/LoungeSocket`, { extraHeaders, ...options });
  const told = [];
  socket.onAny((...event) => told.push(event));
  const people = presence(socket, "sofa", () => {});
  await once(socket, "connect");
  socket.emit("enter", meta);
  await once(socket, "presence_state");
  return { socket, told, people };
}

// Gone without a word, as a tab that is closed.
export function vanish({ socket }) {
  const { transport } = socket.io.engine;
  if (transport.name === "websocket") transport.ws.terminate();
  else socket.io.engine.close();
}

export const metasOf = (people, user) =>
  [...(people.get(user)?.values() ?? [])].map(({ ref, ...meta }) => meta);
export const take = ({ told }) => told.splice(0);
export const names = (events) => events.map(([name]) => name);

export async function until(condition) {
  for (let i = 0; !condition(); i++) {
    assert.ok(i < 10_000, `never: ${condition}`);
    await pause(10);
  }
}

// Two users, tabs that come, reload, and are closed in the same moment.
export async function tabs(base) {
  for (const transports of TRANSPORTS) {
    const [ada, bob] = [await somebody(base, "ada"), await somebody(base, "bob")];
    const witness = await tab(base, bob, { tab: "bob" }, { transports });
    take(witness);

    let first = await tab(base, ada, { tab: 1 }, { transports });
    await until(() => witness.told.length === 2);
    assert.deepEqual(new Set(names(take(witness))), new Set(["online", "presence_diff"]));
    const second = await tab(base, ada, { tab: 2 }, { transports });
    await until(() => witness.told.length === 1);
    assert.deepEqual(names(take(witness)), ["presence_diff"]);
    for (const { people } of [witness, first, second]) {
      assert.deepEqual(metasOf(people, "ada"), [{ tab: 1 }, { tab: 2 }]);
      assert.deepEqual(metasOf(people, "bob"), [{ tab: "bob" }]);
    }
    assert.deepEqual((await witness.socket.emitWithAck("user", "ada")).slice(0, 3), [true, 1, 2]);

    // A reload: nobody hears of it, then or later.
    vanish(first);
    await pause(GRACE / 8);
    first = await tab(base, ada, { tab: 1 }, { transports });
    assert.deepEqual(metasOf(first.people, "ada"), [{ tab: 1 }, { tab: 2 }]);
    await pause(GRACE * 1.5);
    assert.deepEqual(take(witness), []);

    first.socket.emit("change", { tab: "one" });
    await until(() => witness.told.length);
    assert.deepEqual(metasOf(witness.people, "ada").map((m) => m.tab).sort(), [2, "one"]);
    take(witness);

    // Both tabs in the same moment: one departure, after the grace time.  It is one message if the
    // server sees both ends in one turn, which depends on the machine.
    const began = Date.now();
    vanish(first);
    vanish(second);
    await pause(GRACE / 8);
    assert.deepEqual(take(witness), []);
    assert.equal((await witness.socket.emitWithAck("user", "ada"))[0], true);
    await until(() => !witness.people.has("ada") && names(witness.told).includes("offline"));
    assert.ok(Date.now() - began >= GRACE - 50);
    await pause(100);
    const last = take(witness);
    assert.equal(names(last).filter((name) => name === "offline").length, 1);
    const diffs = last.filter(([name]) => name === "presence_diff");
    assert.ok(diffs.every(([, room, { joins }]) => room === "sofa" && !Object.keys(joins).length));
    assert.equal(diffs.flatMap(([, , { leaves }]) => leaves.ada.metas).length, 2);
    assert.equal(diffs.length + 1, last.length);
    assert.deepEqual([...witness.people.keys()], ["bob"]);
    const [online, sessions, connections, seen] = await witness.socket.emitWithAck("user", "ada");
    assert.deepEqual([online, sessions, connections], [false, 0, 0]);
    assert.ok(Math.abs(seen * 1000 - began) < GRACE);
    witness.socket.disconnect();
    await pause(50);
  }
}

// Who leaves, or logs out, is gone at once.
export async function leaving(base) {
  const [ada, bob] = [await somebody(base, "ada"), await somebody(base, "bob")];
  const witness = await tab(base, bob, {});
  const adas = [await tab(base, ada, { tab: 1 }), await tab(base, ada, { tab: 2 })];
  await until(() => metasOf(witness.people, "ada").length === 2);
  take(witness);
  adas[0].socket.emit("go");
  await until(() => metasOf(witness.people, "ada").length === 1);
  adas[0].socket.emit("enter", { tab: 1 });
  await until(() => metasOf(witness.people, "ada").length === 2);
  take(witness);
  const began = Date.now();
  await ask(base, "/logout", ada, { method: "POST" });
  await until(() => names(witness.told).includes("offline"));
  assert.ok(Date.now() - began < GRACE);
  assert.deepEqual([...witness.people.keys()], ["bob"]);
  assert.ok(adas.every(({ socket }) => socket.connected));
  await pause(GRACE * 1.2);
  assert.deepEqual(names(take(witness)).sort(), ["offline", "presence_diff"]);
}

// A client that is recovered after the grace time is in its list again, by itself.
export async function recovered(base) {
  const [ada, bob] = [await somebody(base, "ada"), await somebody(base, "bob")];
  const witness = await tab(base, bob, {}, { transports: ["websocket"] });
  const away = await tab(base, ada, { tab: 1 }, {
    transports: ["websocket"], reconnection: true, randomizationFactor: 0,
    reconnectionDelay: GRACE * 2, reconnectionDelayMax: GRACE * 2,
  });
  await until(() => witness.people.has("ada"));
  const { id } = away.socket;
  vanish(away);
  await until(() => !witness.people.has("ada"));
  await once(away.socket, "presence_state");
  assert.deepEqual([away.socket.recovered, away.socket.id], [true, id]);
  await until(() => witness.people.has("ada"));
  assert.deepEqual(metasOf(witness.people, "ada"), [{ tab: 1 }]);
  assert.deepEqual([...away.people.keys()].sort(), ["ada", "bob"]);
}
