// Two people in two windows of a real browser: `node chat.mjs <server> <browser> <pictures>`.

import assert from "node:assert/strict";
import { join } from "node:path";
import { launch } from "./browser.mjs";

const [base, executablePath, pictures] = process.argv.slice(2);
const browser = await launch(executablePath);
const problems = [];

async function newPage(context, name) {
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("pageerror", (error) => problems.push(`${name}: ${error.message}`));
  page.on("console", (line) => line.type() === "error" && problems.push(`${name}: ${line.text()}`));
  return page;
}

async function comeIn(name, viewport) {
  const context = await browser.newContext({ viewport });
  const page = await newPage(context, name);
  await page.goto(base);
  assert.match(page.url(), /\/login/);
  await page.fill("#name", name);
  await page.click("text=Come in");
  await page.waitForSelector("#status.on");
  return page;
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const people = (page) => page.locator("#people li").allTextContents();
const until = async (check) => {
  for (let i = 0; ; i++) {
    try {
      return await check();
    } catch (error) {
      if (i === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};

try {
  const ada = await comeIn("Ada", { width: 1100, height: 700 });
  const grace = await comeIn("Grace", { width: 400, height: 800 });
  const upgraded = (page) => page.evaluate(() => new Promise((resolve) => {
    const { engine } = socket.io;
    if (engine.transport.name === "websocket") resolve();
    else engine.once("upgrade", resolve);
  }));
  await upgraded(ada);

  await say(ada, "Hello <b>Grace</b>");
  await grace.waitForSelector("text=Hello <b>Grace</b>");
  await say(grace, "Hello Ada");
  await ada.waitForSelector("#messages >> text=Hello Ada");
  await until(async () => {
    assert.deepEqual(await people(ada), ["Ada (you)", "Grace"]);
    assert.deepEqual(await people(grace), ["Ada", "Grace (you)"]);
  });
  await ada.screenshot({ path: join(pictures, "chat-wide.png") });
  await grace.screenshot({ path: join(pictures, "chat-narrow.png") });

  // A second tab of Ada's is the same visitor; closing it leaves her here.
  const tab = await newPage(ada.context(), "Ada's second tab");
  await tab.goto(base);
  await tab.waitForSelector("#status.on");
  await tab.waitForSelector("#messages >> text=Hello Ada");
  await until(async () => assert.deepEqual(await people(grace), ["Ada", "Grace (you)"]));
  await tab.close();
  await say(ada, "Still here");
  await grace.waitForSelector("#messages >> text=Still here");
  await until(async () => assert.deepEqual(await people(grace), ["Ada", "Grace (you)"]));

  // Another room.
  await grace.fill("#room-name", "Garden");
  await grace.press("#room-name", "Enter");
  await grace.waitForSelector("#room >> text=Garden");
  await until(async () => assert.deepEqual(await people(ada), ["Ada (you)"]));
  await say(ada, "Nobody hears this");
  await say(grace, "Only flowers");
  await grace.waitForSelector("#messages >> text=Only flowers");
  assert.equal(await grace.locator("text=Nobody hears this").count(), 0);
  await grace.click("#rooms >> text=Lobby");
  await grace.waitForSelector("#messages >> text=Nobody hears this");

  // Logging out in one tab takes the other along.
  const second = await newPage(ada.context(), "Ada's other tab");
  await second.goto(base);
  await second.waitForSelector("#status.on");
  await ada.click("text=Log out");
  await second.waitForURL(/\/login/);
  await until(async () => assert.deepEqual(await people(grace), ["Grace (you)"]));
  assert.deepEqual(problems, []);
} catch (error) {
  console.error(error, problems);
  process.exitCode = 1;
}
await browser.close();
