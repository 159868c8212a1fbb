// The chat example in a real browser: `node chat.mjs <scenario> <server> <browser> [<pictures>]`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import readline from "node:readline";
import { launch } from "./browser.mjs";
import { Proxy } from "./proxy.mjs";

const [name, base, executablePath, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const PASSWORD = "correct horse";
const DESK = { viewport: { width: 1100, height: 700 } };
const PHONE = { viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true };
const browser = await launch(executablePath);
const problems = [];
// What each page was sent by its WebSockets.
const sent = new Map();

// -- pages -----------------------------------------------------------------------

async function open(context, path, origin = base) {
  const page = await context.newPage();
  page.setDefaultTimeout(60000); // the machine may be busy
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (line) => {
    // A form that is refused is an error to the console, and a cut connection too.
    const expected = /status of (400|403|404|429)|net::ERR_|WebSocket connection/;
    if (line.type() === "error" && !expected.test(line.text())) problems.push(line.text());
  });
  sent.set(page, []);
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => sent.get(page).push(String(payload))));
  await page.goto(origin + path);
  return page;
}

async function fill(page, name, password = PASSWORD) {
  await page.fill("#name", name);
  await page.fill("#password", password);
  await page.press("#password", "Enter");
}

const inRoom = (page, title) => page.waitForSelector(`h1 >> text="${title}"`);

async function signUp(name, options = DESK, origin = base) {
  const context = await browser.newContext(options);
  const page = await open(context, "/signup", origin);
  await fill(page, name);
  await inRoom(page, "Lobby");
  return page;
}

async function logIn(name, options = DESK) {
  const context = await browser.newContext(options);
  const page = await open(context, "/login");
  await fill(page, name);
  await inRoom(page, "Lobby");
  return page;
}

async function say(page, text) {
  // Without its script a page takes the key for a line's end.
  await page.waitForLoadState();
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

const wasSent = (page, text) => sent.get(page).some((payload) => payload.includes(text));
const hears = (page, text) => page.waitForSelector(`#messages >> text="${text}"`);
const words = (page) => page.locator("#messages .words").allTextContents();
const online = (page) => page.locator("#people .online .name").allTextContents();
const unread = (page, place) => page.locator(`.places a:has(.name:text-is("${place}")) .unread b:visible`).allTextContents();

async function until(check) {
  for (let i = 0; ; i++) {
    try {
      return await check();
    } catch (error) {
      if (i === 600) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

// What a screen reader says of a field that is wrong, which has the focus.
async function wrong(page, id) {
  await page.waitForSelector(`#${id}[aria-invalid=true]:focus`);
  return page.evaluate((id) => {
    const ids = document.getElementById(id).getAttribute("aria-describedby").split(" ");
    return document.getElementById(ids[0]).textContent;
  }, id);
}

async function checkAccess(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  const found = violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html + node.failureSummary)]);
  assert.deepEqual(found, [], what);
}

async function checkWidth(page, what) {
  const small = await page.evaluate(() => {
    const elements = [...document.querySelectorAll("a, button, input, textarea")];
    return elements.filter((e) => e.checkVisibility() && e.type !== "hidden" && e.className !== "skip").map((e) => {
      const { width, height } = e.getBoundingClientRect();
      return width < 44 || height < 43.9 ? `${e.outerHTML.slice(0, 100)} ${width}x${height}` : "";
    }).filter(Boolean);
  });
  assert.deepEqual(small, [], what);
  const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= width, `${what} is ${wide} wide, in ${width}`);
}

// -- scenarios -------------------------------------------------------------------

const scenarios = {
  // What is wrong with a form is said at the field, and what was right stays.
  async accounts() {
    const context = await browser.newContext(DESK);
    const page = await open(context, "/signup");
    await fill(page, "a b");
    assert.match(await wrong(page, "name"), /2 to 20 letters/);
    await fill(page, "Ada", "short");
    assert.match(await wrong(page, "password"), /8 characters or more/);
    assert.equal(await page.inputValue("#name"), "Ada");
    await fill(page, "Ada");
    await inRoom(page, "Lobby");
    assert.deepEqual(await online(page), ["Ada"]);

    const other = await open(await browser.newContext(DESK), "/signup");
    await fill(other, "aDA");
    assert.match(await wrong(other, "name"), /The name aDA is taken/);
    // The page that was wanted is shown after the login.
    await other.goto(`${base}/with/Ada`);
    assert.match(other.url(), /\/login\?next=/);
    for (const [name, password] of [["Ada", "wrong horse"], ["Nobody", PASSWORD]]) {
      await fill(other, name, password);
      assert.equal(await wrong(other, "password"), "The name or the password is wrong.");
    }
    await fill(other, "ada");
    await inRoom(other, "Ada");
    // Too many tries; the server of this test allows three.
    const thief = await open(await browser.newContext(DESK), "/login");
    for (let i = 0; i < 3; i++) {
      await fill(thief, "Ada", "wrong horse");
      await wrong(thief, "password");
    }
    await fill(thief, "Ada");
    assert.match(await wrong(thief, "password"), /Too many tries. Please wait for \d+ minutes?\./);
  },

  // Two people in a room, and a second one; a desk and a phone.
  async talk() {
    const ada = await signUp("Ada");
    const grace = await signUp("Grace", PHONE);
    await until(async () => assert.deepEqual(await online(ada), ["Ada", "Grace"]));
    await say(ada, "Hello <b>Grace</b>");
    await hears(grace, "Hello <b>Grace</b>");
    await grace.type("#text", "Hel");
    await ada.waitForSelector("#typing >> text=Grace is typing");
    await say(grace, "Hello Ada");
    for (const page of [ada, grace]) {
      await hears(page, "Hello Ada");
      assert.deepEqual(await words(page), ["Hello <b>Grace</b>", "Hello Ada"]);
    }
    assert.equal(await ada.textContent("#typing"), "");
    await ada.screenshot({ path: join(pictures, "chat-wide.png") });
    await grace.screenshot({ path: join(pictures, "chat-narrow.png") });

    // A room of their own; what is said elsewhere meanwhile is unread, also on the next page.
    await ada.fill("#room", "Garden");
    await ada.press("#room", "Enter");
    await inRoom(ada, "Garden");
    await until(async () => assert.equal(await grace.locator("#rooms .name").count(), 2));
    await say(grace, "Where are you?");
    await until(async () => assert.deepEqual(await unread(ada, "Lobby"), ["1"]));
    await until(async () => assert.match(await ada.title(), /^\(1\) Garden/));
    await say(ada, "Only flowers");
    await hears(ada, "Only flowers");
    await ada.reload();
    assert.deepEqual(await unread(ada, "Lobby"), ["1"]);
    await ada.click("#rooms >> text=Lobby");
    await hears(ada, "Where are you?");
    await until(async () => assert.deepEqual(await unread(ada, "Lobby"), []));
    assert.equal(await grace.locator('text="Only flowers"').count(), 0);
    await grace.click(".back");
    await grace.click("#rooms >> text=Garden");
    await hears(grace, "Only flowers");
  },

  // By whatever transport there is.
  async greet() {
    const ada = await signUp("Ada");
    const bob = await signUp("Bob");
    await say(ada, "Hello");
    await hears(bob, "Hello");
    await say(bob, "Hello yourself");
    await hears(ada, "Hello yourself");
  },

  // A private message is in all tabs and devices of both, and read on all when it is on one.
  async privately() {
    const ada = await signUp("Ada");
    const tab = await open(ada.context(), "/with/Bob").catch(() => null);
    await tab.waitForSelector("h1 >> text=404");
    const bob = await signUp("Bob");
    await tab.goto(`${base}/room/Lobby`);
    const phone = await logIn("Ada", PHONE);
    const eve = await signUp("Eve");
    await bob.click("#people >> text=Ada");
    await inRoom(bob, "Ada");
    await say(bob, "Psst");
    await hears(bob, "Psst");
    for (const page of [ada, tab]) {
      await until(async () => assert.deepEqual(await unread(page, "Bob"), ["1"]));
    }
    await until(async () => assert.equal(await phone.textContent("#elsewhere b"), "1"));
    await phone.click(".back");
    await phone.click("#people >> text=Bob");
    await hears(phone, "Psst");
    for (const page of [ada, tab]) {
      await until(async () => assert.deepEqual(await unread(page, "Bob"), []));
      await page.click("#people >> text=Bob");
      await hears(page, "Psst");
    }
    await say(phone, "Yes?");
    for (const page of [ada, tab, phone, bob]) await hears(page, "Yes?");
    assert.equal(await eve.locator(".unread:visible").count(), 0);
    await eve.goto(`${base}/with/Bob`);
    assert.deepEqual(await words(eve), []);
  },

  // Somebody comes once and goes once, with however many tabs; to load one anew is neither.
  async presence() {
    const bob = await signUp("Bob");
    const heard = [];
    const watch = () => new Promise((resolve) => bob.once("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        const [, name, user] = /^42\/ChatSocket,\["(online|offline)","([^"]*)"/.exec(payload) ?? [];
        if (name) heard.push(`${user} ${name}`);
        resolve();
      });
    }));
    // His first connection is there, and is not the one that is watched.
    await say(bob, "Is anybody here?");
    await hears(bob, "Is anybody here?");
    await Promise.all([watch(), bob.reload()]);
    const ada = await signUp("Ada");
    const tabs = [await open(ada.context(), "/room/Lobby"), await open(ada.context(), "/")];
    for (const page of [bob, ada, ...tabs]) {
      await until(async () => assert.deepEqual(await online(page), ["Ada", "Bob"]));
    }
    await Promise.all([ada.reload(), tabs[0].reload(), tabs[1].click("#rooms >> text=Lobby")]);
    await Promise.all(tabs.map((page) => page.close()));
    await ada.reload();
    await say(ada, "Still here");
    await hears(bob, "Still here");
    assert.deepEqual(heard, ["Ada online"]);
    const phone = await logIn("Ada", PHONE);
    await say(phone, "Here as well");
    await hears(bob, "Here as well");
    await Promise.all([ada.context().close(), phone.context().close()]);
    assert.deepEqual(await online(bob), ["Ada", "Bob"]);
    await until(async () => assert.deepEqual(await online(bob), ["Bob"]));
    // A logout needs no time of grace.
    const again = await logIn("Ada");
    await until(async () => assert.deepEqual(await online(bob), ["Ada", "Bob"]));
    await again.click("text=Log out");
    await again.waitForSelector("text=You have logged out.");
    const from = Date.now();
    await until(async () => assert.deepEqual(await online(bob), ["Bob"]));
    assert.ok(Date.now() - from < 5000, `${Date.now() - from} ms`);
    assert.deepEqual(heard, ["Ada online", "Ada offline", "Ada online", "Ada offline"]);
  },

  // Logging out in one tab takes the others along, before anything else comes to them.
  async logout() {
    const ada = await signUp("Ada");
    const tabs = [await open(ada.context(), "/room/Lobby"), await open(ada.context(), "/account")];
    const room = await open(ada.context(), "/");
    const phone = await logIn("Ada", PHONE);
    await until(async () => assert.deepEqual(await online(ada), ["Ada"]));
    await say(phone, "Before");
    for (const page of [tabs[0], room]) await until(() => assert.ok(wasSent(page, "Before")));
    const others = [tabs[0], room].map((page) => page.waitForSelector("text=You have logged out."));
    await ada.click("text=Log out");
    await ada.waitForSelector("text=You have logged out.");
    await say(phone, "After");
    await hears(phone, "After");
    await Promise.all(others);
    for (const page of [tabs[0], room]) assert.ok(!wasSent(page, "After"));
    // The page that only shows the account knows it when it is used, and nothing is done.
    await tabs[1].fill("#old", PASSWORD);
    await tabs[1].fill("#password", "another horse");
    await tabs[1].press("#password", "Enter");
    await tabs[1].waitForSelector("h1 >> text=403");
    // Her phone is another browser, and stays.
    await say(phone, "Still here");
    await hears(phone, "Still here");
    // Who goes back sees nothing of before; who logs in is where the tab was.
    await tabs[0].goBack();
    assert.match(tabs[0].url(), /\/login/);
    await fill(room, "Ada");
    await room.waitForURL(`${base}/`);
  },

  // The account's page ends the logins of all browsers, or of all but this one.
  async everywhere() {
    const ada = await signUp("Ada");
    const phone = await logIn("Ada", PHONE);
    const other = await logIn("Ada");
    const bob = await signUp("Bob");
    for (const page of [phone, other]) {
      await say(page, "Here");
      await page.waitForSelector("#messages .mine");
    }
    await ada.click("header >> text=Ada");
    await ada.waitForSelector("text=open in 2 other browsers");
    await ada.fill("#old", "wrong horse");
    await ada.fill("#password", "another horse");
    await ada.press("#password", "Enter");
    assert.equal(await wrong(ada, "old"), "This is not your password.");
    await ada.fill("#old", PASSWORD);
    await ada.fill("#password", "another horse");
    await ada.press("#password", "Enter");
    await ada.waitForSelector("text=Your password is changed");
    for (const page of [phone, other]) await page.waitForSelector("text=Your password was changed");
    await fill(phone, "Ada", "another horse");
    await fill(other, "Ada", "another horse");
    await inRoom(phone, "Lobby");
    await inRoom(other, "Lobby");
    await ada.goto(`${base}/account`);
    await say(bob, "Before");
    for (const page of [phone, other]) await until(() => assert.ok(wasSent(page, "Before")));
    const others = [phone, other].map((page) => page.waitForSelector("text=You have logged out."));
    await ada.click("text=Log out everywhere");
    await ada.waitForSelector("text=You have logged out.");
    await say(bob, "After");
    await hears(bob, "After");
    await Promise.all(others);
    for (const page of [phone, other]) assert.ok(!wasSent(page, "After"));
    await phone.goto(`${base}/room/Lobby`);
    assert.match(phone.url(), /\/login/);
  },

  // The network breaks while both talk: nothing is lost, doubled or out of order.
  async network() {
    const proxy = await Proxy.start(base);
    const ada = await signUp("Ada", DESK, proxy.origin);
    const bob = await signUp("Bob");
    await say(bob, "before");
    await hears(ada, "before");
    const all = ["before"];
    for (let cut = 0; cut < 3; cut++) {
      proxy.cut();
      await ada.waitForSelector("#status >> text=Connection lost");
      for (let i = 0; i < 5; i++) {
        await say(bob, `Bob ${cut} ${i}`);
        await say(ada, `Ada ${cut} ${i}`);
      }
      await hears(bob, `Bob ${cut} 4`);
      assert.equal(await ada.locator("#waiting li").count(), 5);
      proxy.mend();
      await hears(ada, `Bob ${cut} 4`);
      await hears(ada, `Ada ${cut} 4`);
      await hears(bob, `Ada ${cut} 4`);
      for (const name of ["Bob", "Ada"]) {
        for (let i = 0; i < 5; i++) all.push(`${name} ${cut} ${i}`);
      }
      await until(async () => assert.equal(await ada.locator("#waiting li").count(), 0));
      assert.equal(await ada.textContent("#status"), "");
      for (const page of [bob, ada]) assert.deepEqual(await words(page), all);
    }
    // What was not sent when the page is left is sent by the next one.
    proxy.cut();
    await ada.waitForSelector("#status >> text=Connection lost");
    await say(ada, "not yet");
    assert.equal(await bob.locator('text="not yet"').count(), 0);
    proxy.mend();
    await ada.goto(`${proxy.origin}/`);
    await hears(bob, "not yet");
    // But not if it is somebody else's: Ada's login has run out, and Eve is next.
    await ada.goto(`${proxy.origin}/room/Lobby`);
    await say(ada, "as Ada");
    await hears(ada, "as Ada");
    proxy.cut();
    await ada.waitForSelector("#status >> text=Connection lost");
    await say(ada, "by Ada alone");
    await ada.context().clearCookies();
    proxy.mend();
    await ada.waitForSelector("text=Please log in again");
    await ada.click("text=Make an account");
    await fill(ada, "Eve");
    await inRoom(ada, "Lobby");
    await say(ada, "by Eve");
    await hears(bob, "by Eve");
    assert.equal(await bob.locator('text="by Ada alone"').count(), 0);
    await ada.click("text=Log out");
    await fill(ada, "Ada");
    await hears(bob, "by Ada alone");
    await proxy.stop();
  },

  // The server is started anew: nobody is logged out, and nothing is lost.
  async restart() {
    const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const proxy = await Proxy.start(base);
    const ada = await signUp("Ada", DESK, proxy.origin);
    const bob = await signUp("Bob", PHONE, proxy.origin);
    await say(bob, "before");
    await hears(ada, "before");
    console.log("STOP");
    await lines.next();
    for (const page of [ada, bob]) await page.waitForSelector("#status >> text=Connection lost");
    await say(ada, "while it was away");
    console.log("START");
    proxy.target = (await lines.next()).value;
    await hears(bob, "while it was away");
    await say(bob, "after");
    await hears(ada, "after");
    for (const page of [ada, bob]) {
      assert.deepEqual(await words(page), ["before", "while it was away", "after"]);
    }
    await proxy.stop();
    process.stdin.destroy();
  },

  // From 320 pixels on nothing sticks out, and all can be touched.
  async phone() {
    const ada = await signUp("A".repeat(20));
    await ada.fill("#room", `W${"w".repeat(28)}W`);
    await ada.press("#room", "Enter");
    await inRoom(ada, `W${"w".repeat(28)}W`);
    await say(ada, "m".repeat(300));
    await hears(ada, "m".repeat(300));
    await say(ada, "https://example.com/".repeat(10));
    const path = new URL(ada.url()).pathname;
    for (const width of [320, 390]) {
      const bob = await signUp(`Bob${width}`, { ...PHONE, viewport: { width, height: 640 } });
      for (const page of ["/", "/room/Lobby", path, `/with/${"A".repeat(20)}`, "/account", "/room/none"]) {
        await bob.goto(base + page);
        await checkWidth(bob, `${page} at ${width}`);
      }
      await bob.goto(base + path);
      assert.ok(await bob.locator("#say button").isVisible());
      await bob.tap(".back");
      await bob.waitForURL(`${base}/`);
      await bob.context().clearCookies();
      for (const page of ["/login?because=logout", "/signup"]) {
        await bob.goto(base + page);
        await checkWidth(bob, `${page} at ${width}`);
      }
    }
  },

  // From the login to a private message without a mouse.
  async keyboard() {
    await signUp("Bob");
    const page = await open(await browser.newContext(DESK), "/login");
    const { keyboard } = page;
    const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim().replace(/\s+/g, " "));
    const tabTo = async (wanted, key = "Tab") => {
      const passed = [];
      while (!(await focus()).startsWith(wanted)) {
        passed.push(await focus());
        assert.ok(passed.length < 30, `no way to ${wanted}: ${passed}`);
        await keyboard.press(key);
      }
      // It is seen where the focus is.
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    };
    assert.equal(await focus(), "name");
    await tabTo("Make an account");
    await keyboard.press("Enter");
    await page.waitForSelector("h1 >> text=Make an account");
    await keyboard.type("Ada");
    await tabTo("password");
    await keyboard.type(PASSWORD);
    await keyboard.press("Enter");
    await inRoom(page, "Lobby");
    // One may speak at once.
    await page.waitForSelector("#text:focus");
    await keyboard.type("Hello");
    await keyboard.press("Shift+Enter");
    await keyboard.type("everybody");
    await keyboard.press("Enter");
    await page.waitForSelector("#messages li");
    assert.deepEqual(await words(page), ["Hello\neverybody"]);
    await tabTo("log", "Shift+Tab");
    await tabTo("Bob", "Shift+Tab");
    await keyboard.press("Enter");
    await inRoom(page, "Bob");
    await page.waitForSelector("#text:focus");
    await keyboard.type("Psst");
    await tabTo("Send");
    await keyboard.press("Enter");
    await hears(page, "Psst");
    assert.equal(await focus(), "text");
    // The first thing on the page leads past the lists.
    await page.evaluate(() => document.activeElement.blur());
    await page.reload();
    await page.waitForSelector("#text:focus");
    await tabTo("Skip to the message box", "Shift+Tab");
    await until(async () => assert.ok((await page.locator(".skip").boundingBox()).y >= 0));
    await keyboard.press("Enter");
    assert.equal(await focus(), "text");
    await tabTo("Log out", "Shift+Tab");
    await keyboard.press("Enter");
    await page.waitForSelector("text=You have logged out.");
  },

  // No rule of axe-core is broken: on a desk in light, on a phone in dark.
  async access() {
    for (const [who, options] of [["Ada", DESK], ["Grace", { ...PHONE, colorScheme: "dark" }]]) {
      const page = await signUp(who, options);
      await say(page, "Hello");
      await hears(page, "Hello");
      await checkAccess(page, `${who} in the Lobby`);
      for (const path of ["/", `/with/${who}`, "/account", "/room/none", "/room/Lobby"]) {
        await page.goto(base + path);
        await checkAccess(page, `${who} at ${path}`);
      }
      await page.click("text=Log out");
      await page.waitForSelector("text=You have logged out.");
      await checkAccess(page, `${who} at the login`);
      await fill(page, who, "wrong horse");
      await wrong(page, "password");
      await checkAccess(page, `${who} at the login with an error`);
      await page.goto(`${base}/signup`);
      await checkAccess(page, `${who} at the sign-up`);
    }
    // New messages are read out; who is typing is not.
    const page = await signUp("Bob");
    assert.equal(await page.getAttribute("#log", "role"), "log");
    assert.equal(await page.getAttribute("#log", "aria-live"), "polite");
    assert.equal(await page.locator("[aria-live]").count(), 1);
  },

  // Without a script the pages work, one request at a time.
  async plain() {
    const ada = await signUp("Ada", { ...DESK, javaScriptEnabled: false });
    const bob = await signUp("Bob");
    await ada.fill("#text", "Hello Bob");
    await ada.click("#say button");
    await hears(bob, "Hello Bob");
    await hears(ada, "Hello Bob");
    await say(bob, "Hello Ada");
    await hears(bob, "Hello Ada");
    await ada.reload();
    assert.deepEqual(await words(ada), ["Hello Bob", "Hello Ada"]);
    await ada.click("#people >> text=Bob");
    await ada.fill("#text", "Psst");
    await ada.click("#say button");
    await until(async () => assert.deepEqual(await unread(bob, "Ada"), ["1"]));
    await ada.click("text=Log out");
    await ada.waitForSelector("text=You have logged out.");
  },
};

try {
  await scenarios[name]();
  assert.deepEqual(problems, []);
} catch (error) {
  console.error(error, problems);
  process.exitCode = 1;
}
await browser.close();
