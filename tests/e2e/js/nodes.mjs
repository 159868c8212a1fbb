// Who is online where there are several servers, of which some go.

import assert from "node:assert/strict";
import { ask, once } from "./scenarios.mjs";
import { GRACE, metasOf, pause, somebody, tab, take, until, vanish } from "./presence.mjs";

const stay = { reconnection: false };
const about = (events, name) => events.filter((event) => event[0] === name).map((event) => event[1]);
const now = () => performance.now() / 1000;

async function ready(bases, ...users) {
  const visitors = {};
  for (const user of ["bob", ...users]) visitors[user] = await somebody(bases.at(-1), user);
  const witness = await tab(bases.at(-1), visitors.bob, { tab: "bob" });
  // It may be another server that tells of him, and a moment later.
  await until(() => about(witness.told, "online").includes("bob"));
  return { visitors, witness };
}

// A client of the first server is in the list of one at the last, and online there.
export async function everywhere(...bases) {
  const { visitors, witness } = await ready(bases, "ada");
  take(witness);
  const ada = await tab(bases[0], visitors.ada, { tab: "ada" }, stay);
  assert.deepEqual(metasOf(ada.people, "bob"), [{ tab: "bob" }]);
  await until(() => metasOf(witness.people, "ada").length);
  assert.deepEqual(metasOf(witness.people, "ada"), [{ tab: "ada" }]);
  await until(() => about(witness.told, "online").length);
  ada.socket.disconnect();
  await until(() => about(witness.told, "offline").length);
  await pause(300);
  assert.deepEqual(about(witness.told, "online"), ["ada"]);
  assert.deepEqual(about(witness.told, "offline"), ["ada"]);
  assert.equal(witness.people.has("ada"), false);
  witness.socket.disconnect();
}

// Who goes from server to server is never offline.
export async function moves(...bases) {
  const { visitors, witness } = await ready(bases, "ada");
  let ada = await tab(bases[0], visitors.ada, { tab: 0 }, stay);
  await until(() => about(witness.told, "online").includes("ada"));
  take(witness);
  for (let i = 1; i < 5; i++) {
    const gone = once(ada.socket, "disconnect");
    vanish(ada);
    await gone;
    await pause(GRACE / 4);
    ada = await tab(bases[i % bases.length], visitors.ada, { tab: i }, stay);
    await pause(GRACE);
  }
  await pause(GRACE);
  const told = take(witness);
  assert.deepEqual(about(told, "offline"), []);
  assert.deepEqual(about(told, "online"), []);
  assert.deepEqual(metasOf(witness.people, "ada"), [{ tab: 4 }]);
  ada.socket.disconnect();
  await until(() => about(witness.told, "offline").includes("ada"));
  witness.socket.disconnect();
}

// The first server is killed: who was there is offline in time, once, unless they are elsewhere.
export async function killed(seconds, ...bases) {
  const { visitors, witness } = await ready(bases, "ada", "eve");
  const ada = await tab(bases[0], visitors.ada, { tab: "ada" }, stay);
  const eve = await tab(bases[0], visitors.eve, { tab: "eve" }, stay);
  await until(() => about(witness.told, "online").length === 2 + 1);
  await until(() => witness.people.has("ada") && witness.people.has("eve"));
  take(witness);
  console.log("KILL");
  await Promise.all([once(ada.socket, "disconnect"), once(eve.socket, "disconnect")]);
  const began = now();
  await pause(500);
  const again = await tab(bases[1], visitors.eve, { tab: "eve again" }, stay);
  await until(() => about(witness.told, "offline").length);
  const took = now() - began;
  assert.ok(took < Number(seconds), `it took ${took} s`);
  await until(() => !witness.people.has("ada"));
  await pause(1500);
  assert.deepEqual(about(witness.told, "offline"), ["ada"]);
  assert.deepEqual(about(witness.told, "online"), []);
  assert.deepEqual(metasOf(witness.people, "eve"), [{ tab: "eve again" }]);
  console.log(`GONE after ${took.toFixed(1)} s`);
  again.socket.disconnect();
  witness.socket.disconnect();
}

// The first server is stopped: who was there is offline after the grace time, and not before.
export async function stopped(...bases) {
  const { visitors, witness } = await ready(bases, "ada", "eve");
  const ada = await tab(bases[0], visitors.ada, { tab: "ada" }, stay);
  const eve = await tab(bases[0], visitors.eve, { tab: "eve" }, stay);
  await until(() => about(witness.told, "online").length === 2 + 1);
  take(witness);
  console.log("STOP");
  await Promise.all([once(ada.socket, "disconnect"), once(eve.socket, "disconnect")]);
  const began = now();
  const again = await tab(bases[1], visitors.eve, { tab: "eve again" }, stay);
  await until(() => about(witness.told, "offline").length);
  const took = (now() - began) * 1000;
  assert.ok(took > GRACE - 100 && took < GRACE + 2000, `it took ${took} ms`);
  await pause(1500);
  assert.deepEqual(about(witness.told, "offline"), ["ada"]);
  assert.deepEqual(about(witness.told, "online"), []);
  assert.deepEqual(metasOf(witness.people, "eve"), [{ tab: "eve again" }]);
  again.socket.disconnect();
  witness.socket.disconnect();
}

// Who has logged out is nobody with a copy of the cookie, whichever server it comes to.
export async function copied(...bases) {
  const ada = await somebody(bases[0], "ada");
  console.log(`GOOD ${ada.cookie}.`);
  const eve = await somebody(bases[0], "eve");
  console.log(`BAD ${eve.cookie}.`);
  await ask(bases[0], "/logout", { ...eve }, { method: "POST" });
}

export async function keyOf(base, cookie) {
  const one = await tab(base, { cookie }, { tab: 1 }, stay);
  console.log(`KEYS ${[...one.people.keys()].map((key) => key.slice(0, 6))}.`);
  one.socket.disconnect();
}
