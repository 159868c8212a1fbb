// By nginx to four servers, two of Mojo's and then two of Node's, whose sessions' ids begin with their names:
// `node run.mjs mixed.<scenario> <nginx>#<names>`.

import assert from "node:assert/strict";
import { launch } from "./browser.mjs";
import { all, clients, heard, serverOf, until } from "./mesh.mjs";
import { once } from "./scenarios.mjs";

const AGAIN = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 200 };
const namesOf = (base) => new URL(base).hash.slice(1);

// Everybody hears what is sent from each server, once, and answers when asked from there.
async function joinedUp(sockets, names, ...others) {
  for (const name of names) {
    const me = sockets.find((socket) => serverOf(socket) === name);
    me.emit("send_to", [], [], {}, "x", name);
    assert.deepEqual(await heard(sockets, me, "x"), all(sockets), name);
    const { answers, missing } = await me.emitWithAck("ask", [], [], 60, "question");
    assert.deepEqual([answers.sort(), missing], [[...all(sockets), ...others].sort(), 0], name);
  }
}

// A page in a browser, whose socket comes to a certain server.
async function openPage(base, executablePath) {
  const browser = await launch(executablePath);
  const page = await browser.newPage();
  await page.goto(`${new URL(base).origin}/socket.io/socket.io.js`);
  await page.addScriptTag({ url: "/socket.io/socket.io.js" });
  await page.evaluate(async ([name, options]) => {
    for (let tries = 0; tries < 100; tries++) {
      const socket = io("/MeshSocket", { forceNew: true, ...options });
      const joins = await new Promise((resolve, reject) => {
        let wasThere = false;
        socket.auth = (send) => {
          wasThere ||= socket.io.engine.id.startsWith(`${name}.`);
          if (wasThere) send({ tag: "page" });
          else resolve(false);
        };
        socket.once("connect", () => resolve(true));
        socket.once("connect_error", reject);
      });
      if (joins) {
        window.socket = socket;
        window.log = [];
        socket.onAny((event, ...args) => {
          if (event === "question") args.at(-1)("page");
          else log.push([event, ...args]);
        });
        return;
      }
      socket.disconnect();
    }
    throw new Error(`the page does not come to ${name}`);
  }, [namesOf(base)[0], AGAIN]);
  await page.waitForFunction(() => socket.io.engine.transport.name === "websocket");
  return { browser, page };
}

// Clients that remember what becomes of their connections.
async function watched(base, count) {
  const sockets = await clients([base], count, AGAIN);
  for (const socket of sockets) {
    Object.assign(socket, { reasons: [], errors: [], numbers: [] });
    socket.on("disconnect", (reason) => socket.reasons.push(reason));
    socket.io.on("reconnect_error", (error) => socket.errors.push(error.description ?? error));
    socket.on("number", (number) => socket.numbers.push(number));
  }
  return sockets;
}

// One of Mojo's servers is killed, started again, and then the other one is stopped: whoever was there goes on
// elsewhere.  With "recovered" those who are told to go miss nothing.
export async function moving(base, executablePath, recovered) {
  const names = namesOf(base);
  const sockets = await watched(base, 3);
  const { browser, page } = await openPage(base, executablePath);
  try {
    await joinedUp(sockets, names, "page");
    const move = async (word, name, whileTheyDo = () => {}) => {
      const moving = sockets.filter((socket) => serverOf(socket) === name);
      for (const socket of moving) Object.assign(socket, { reasons: [], errors: [] });
      console.log(`${word} ${name}.`);
      await until(async () => {
        await whileTheyDo();
        return moving.every((socket) => socket.reasons.length && socket.connected);
      }, () => moving.map(({ tag, connected, reasons, errors }) => [tag, connected, reasons, errors]));
      assert.ok(moving.length && moving.every((socket) => serverOf(socket) !== name));
      return moving;
    };

    await move("KILL", names[0]);
    await page.waitForFunction(() => socket.connected && log.splice(0));
    await joinedUp(sockets, names.slice(1), "page");
    console.log(`START ${names[0]}.`);
    await new Promise((resolve) => process.stdin.once("data", resolve));
    sockets.push(...await watched(base, 1));
    await joinedUp(sockets, names, "page");

    const speaker = sockets.find((socket) => serverOf(socket) === names.at(-1));
    let number = 0;
    const stopped = await move("STOP", names[1], async () => {
      speaker.emit("send_to", [], [], {}, "number", ++number);
      await speaker.emitWithAck("enter", "somewhere");
    });
    for (const { reasons, errors } of stopped) {
      assert.deepEqual([reasons, errors], [["transport close"], []]);
    }
    await joinedUp(sockets, names.replace(names[1], ""), "page");
    for (const socket of sockets.filter((socket) => recovered || !stopped.includes(socket))) {
      assert.deepEqual(socket.numbers, Array.from({ length: number }, (_, i) => i + 1), socket.tag);
      assert.equal(Boolean(socket.recovered), Boolean(recovered) && stopped.includes(socket), socket.tag);
    }
    speaker.emit("send_to", [], [], {}, "bytes", Buffer.from([0, 255]));
    await page.waitForFunction(() => log.some(([event, bytes]) =>
      event === "bytes" && String([...new Uint8Array(bytes)]) === "0,255"));
  } finally {
    await browser.close();
  }
}

// A client whose connection breaks again and again, until it was at each of the servers: it is the same one at each,
// and gets what it missed, once and in order.
export async function recovered(base) {
  const names = namesOf(base);
  const speakers = await clients([base], 1, AGAIN);
  const [socket] = await clients([base], 1, AGAIN);
  const { id } = socket;
  const got = [];
  socket.on("number", (number) => got.push(number));
  await socket.emitWithAck("enter", "room");
  let number = 0;
  const say = async (speaker, rooms) => {
    for (let i = 0; i < 10; i++) speaker.emit("send_to", rooms, [], {}, "number", ++number);
    speaker.emit("send_to", ["elsewhere"], [], {}, "number", "not for it");
    await speaker.emitWithAck("enter", "somewhere");
  };
  await say(speakers[0], ["room"]);
  const seen = new Set(serverOf(socket));
  for (let round = 1; seen.size < names.length; round++) {
    assert.ok(round < 100, `it was at ${[...seen]}`);
    const speaker = speakers[round % names.length];
    socket.io.reconnection(false);
    const gone = once(socket, "disconnect");
    socket.io.engine.close();
    await gone;
    await until(async () => !(await speaker.emitWithAck("fetch", [id], [])).sockets.length, () => "it is still there");
    await say(speaker, ["room"]);
    await say(speaker, [id]);
    await say(speaker, []);
    socket.io.reconnection(true);
    const back = once(socket, "connect");
    socket.connect();
    await back;
    assert.deepEqual([socket.recovered, socket.id], [true, id], `${[...seen]} to ${serverOf(socket)}`);
    seen.add(serverOf(socket));
    await say(speaker, ["room"]);
    await until(() => got.length >= number, () => `${got} of ${number}`);
    assert.deepEqual(got, Array.from({ length: number }, (_, i) => i + 1));
  }
}

// The app of the documents, by whatever servers there are; behind nginx a script has its say too.
export async function chat(...bases) {
  const { origin, hash } = new URL(bases[0]);
  assert.match(await (await fetch(`${origin}/`)).text(), /io\("\/ChatSocket"\)/);
  assert.ok((await fetch(`${origin}/socket.io/socket.io.min.js`)).ok);
  const sockets = await clients(bases, 1, {}, "/ChatSocket");
  const heard = (text) => sockets.filter(({ log }) => log.some(([name, said]) => name === "said" && said === text));
  for (const me of sockets) {
    await me.emitWithAck("say", me.tag);
    const others = sockets.filter((socket) => socket !== me);
    await until(() => heard(me.tag).length >= others.length, () => `${me.tag}: ${all(heard(me.tag))}`);
    assert.deepEqual(heard(me.tag), others);
  }
  if (!hash) return;
  console.log("EMIT");
  await until(() => heard("hello from a script").length === sockets.length, () => "not all heard of the script");
}
