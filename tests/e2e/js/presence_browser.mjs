// Real tabs that reload and are closed: `node presence_browser.mjs <server> <browser>`.

import assert from "node:assert/strict";
import { launch } from "./browser.mjs";
import { somebody, tab, take, names, metasOf, until, pause, GRACE } from "./presence.mjs";
import { closeAll } from "./scenarios.mjs";

const [base, executablePath] = process.argv.slice(2);

// In a page: it enters the lounge, and is there when it knows who else is.
const enter = (page, transports) => page.evaluate((transports) => new Promise((resolve) => {
  window.socket = io("/LoungeSocket", { transports });
  socket.on("presence_state", (room, state) => resolve(Object.keys(state).sort()));
  socket.emit("enter", { tab: transports[0] });
}), transports);

const browser = await launch(executablePath);
try {
  const witness = await tab(base, await somebody(base, "bob"), {});
  const context = await browser.newContext();
  const pages = [];
  for (const transports of [["websocket"], ["polling"]]) {
    const page = await context.newPage();
    await page.goto(`${base}/hello`);
    if (!pages.length) {
      await page.evaluate(() => fetch("/login", { method: "POST", body: new URLSearchParams({ user: "ada" }) }));
      await page.reload();
    }
    assert.deepEqual(await enter(page, transports), ["ada", "bob"]);
    pages.push({ page, transports });
  }
  await until(() => metasOf(witness.people, "ada").length === 2);
  take(witness);

  // A reload, by either transport: nobody has gone and nobody has come, then or later.  Chromium may
  // keep the request of a page that polled, which is then missed when pings stop, and two until then.
  let missed = 0;
  witness.socket.on("presence_diff", () => { if (!witness.people.has("ada")) missed += 1; });
  for (const { page, transports } of pages) {
    await page.reload();
    assert.deepEqual(await enter(page, transports), ["ada", "bob"]);
  }
  await pause(GRACE * 1.5);
  await until(() => metasOf(witness.people, "ada").length === 2);
  assert.deepEqual(names(take(witness)).filter((name) => /line$/.test(name)), []);
  assert.equal(missed, 0);
  assert.deepEqual(metasOf(witness.people, "ada").map(({ tab }) => tab).sort(), ["polling", "websocket"]);

  // Both tabs in the same moment.
  const began = Date.now();
  await Promise.all(pages.map(({ page }) => page.close()));
  await until(() => !witness.people.has("ada") && names(witness.told).includes("offline"));
  assert.ok(Date.now() - began >= GRACE - 50);
  assert.equal(names(take(witness)).filter((name) => name === "offline").length, 1);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
closeAll();
