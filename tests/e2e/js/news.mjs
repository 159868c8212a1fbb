// A page in a real browser that waits for news: `node news.mjs <server> <browser>`.
// It came by the app's own path, and moves from long-polling to WebSocket.

import { launch } from "./browser.mjs";

const [base, executablePath] = process.argv.slice(2);
const browser = await launch(executablePath);
try {
  const page = await browser.newPage();
  await page.goto(`${base}/hello`);
  const transport = await page.evaluate(() => new Promise((resolve, reject) => {
    window.news = new Promise((heard) => {
      window.socket = io({ path: "/EchoSocket/" });
      socket.on("announced", heard);
      socket.on("connect_error", reject);
      socket.io.on("open", () => socket.io.engine.on("upgrade", (to) => resolve(to.name)));
    });
  }));
  console.log("CONNECTED", transport);
  console.log("NEWS", await page.evaluate(() => window.news));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
