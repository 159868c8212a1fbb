// Logins as pages and the official client see them.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { AGENT, ask, login, once, open, TRANSPORTS, visit } from "./scenarios.mjs";

const SECRET = "for bearer tokens alone: 0123456789 abcdef";
const LOGIN = { message: "Please log in", data: { code: "login_required" } };
const FORBIDDEN = { message: "Not allowed", data: { code: "forbidden" } };

export function token(user, seconds = 600, secret = SECRET, alg = "HS256") {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg, typ: "JWT" })}.${part({ sub: user, iat: now, exp: now + seconds })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

const join = (base, options) => open(`${base}/ClubSocket`, options);
const as = (visitor, more = {}) => ({ extraHeaders: { Cookie: visitor.cookie, ...AGENT }, ...more });

async function refused(base, options) {
  const [error] = await once(join(base, options), "connect_error");
  assert.deepEqual({ message: error.message, data: error.data }, LOGIN);
}

// Namespaces and events are for some; who is logged out is told why, and goes.
export async function guards(base) {
  for (const transports of TRANSPORTS) {
    const visitor = await visit(base);
    await refused(base, as(visitor, { transports }));
    for (const [user, answer] of [["bob", { error: FORBIDDEN }], ["ada", "closed"]]) {
      await login(base, visitor, user);
      const socket = join(base, as(visitor, { transports }));
      await once(socket, "connect");
      assert.equal(await socket.emitWithAck("me"), user === "ada" ? "Ada" : "Bob");
      assert.deepEqual(await socket.emitWithAck("close_up"), answer);
      const ends = Promise.all([once(socket, "logged out"), once(socket, "disconnect")]);
      const copy = { ...visitor };
      await ask(base, "/logout", visitor, { method: "POST" });
      assert.deepEqual((await ends).map(([reason]) => reason), ["logout", "io server disconnect"]);
      // Whoever kept the cookie has nothing of it.
      const kept = copy.cookie.split("; ").filter((c) => c.startsWith("logged_in=")).join("");
      assert.ok(kept.length > 100);
      await refused(base, { transports, extraHeaders: { Cookie: kept } });
    }
  }
}

// A client without cookies shows a token that another program made.
export async function tokens(base) {
  for (const transports of TRANSPORTS) {
    const socket = join(base, { transports, auth: { token: token("ada", 3) } });
    await once(socket, "connect");
    assert.equal(await socket.emitWithAck("me"), "Ada");
    for (const bad of [token("ada", -1), token("ada", 600, `not ${SECRET}`), token("ada", 600, SECRET, "none"), "x", 5]) {
      await refused(base, { transports, auth: { token: bad } });
    }
    const ends = await Promise.all([once(socket, "logged out"), once(socket, "disconnect")]);
    assert.deepEqual(ends.map(([reason]) => reason), ["expired", "io server disconnect"]);
  }
}

// Every browser of a user, wherever it is.
export async function everywhere(base) {
  const browsers = await Promise.all([visit(base), visit(base), visit(base)]);
  const users = ["ada", "ada", "bob"];
  for (const [i, user] of users.entries()) await login(base, browsers[i], user);
  const sockets = browsers.map((b) => join(base, as(b, { transports: ["websocket"] })));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const ends = Promise.all([once(sockets[0], "disconnect"), once(sockets[1], "disconnect")]);
  const body = new URLSearchParams({ everywhere: "yes" });
  await ask(base, "/logout", browsers[0], { method: "POST", body });
  await ends;
  await refused(base, as(browsers[1]));
  assert.equal(await sockets[2].emitWithAck("me"), "Bob");
}
