// Socket.IO 2's build for browsers, in a browser of now: `node old_browser.mjs <server> <browser>`.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";

const [base, executablePath] = process.argv.slice(2);
const build = fileURLToPath(
  new URL("../node_modules/socket.io-client-2/dist/socket.io.js", import.meta.url));
const browser = await launch(executablePath);
try {
  for (const [options, kind] of [
    [{ transports: ["polling"] }, "xhr"],
    [{ transports: ["polling"], forceJSONP: true }, "script"],
    [{ transports: ["websocket"] }, ""],
    [{}, "xhr"],
  ]) {
    const page = await browser.newPage();
    const kinds = new Set();
    page.on("request", (request) =>
      request.url().includes("transport=polling") && kinds.add(request.resourceType()));
    await page.goto(`${base}/hello`);
    await page.addScriptTag({ path: build });
    const result = await page.evaluate(async (options) => {
      const socket = io("/EchoSocket", options);
      await new Promise((resolve, reject) => {
        socket.on("welcome", resolve);
        socket.on("error", reject);
        socket.on("connect_error", reject);
      });
      const text = "a\nb\\n \u2028 \u{1F600} </script>";
      const bytes = new Uint8Array([0, 1, 2, 255]);
      const answer = await new Promise((resolve) =>
        socket.emit("echo", text, bytes.buffer, (...args) => resolve(args)));
      if (!options.transports && socket.io.engine.transport.name !== "websocket") {
        await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
      }
      return {
        same: answer[0] === text,
        bytes: [...new Uint8Array(answer[1])],
        transport: socket.io.engine.transport.name,
        id: socket.id === `/EchoSocket#${socket.io.engine.id}`,
      };
    }, options);
    const transport = options.transports ? options.transports[0] : "websocket";
    assert.deepEqual(result, { same: true, bytes: [0, 1, 2, 255], transport, id: true });
    if (kind) assert.ok(kinds.has(kind), [...kinds].join());
    await page.close();
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
