// What makes the chat's pages live.  Without it they work all the same, one request at a time.

import { io } from "/socket.io/socket.io.esm.min.js";

const $ = (id) => document.getElementById(id);
const { user: me, room } = document.body.dataset;
const pageTitle = document.title;

const socket = io("/ChatSocket", {
  // An event is sent until it is answered, in order; the server handles it once, by its id.
  retries: Infinity,
  ackTimeout: 10000,
  // WebSocket first, and long-polling where there is something in its way: there is no time in
  // which a tab that is closed has given up the one and has not got the other yet.
  transports: ["websocket", "polling"],
  tryAllTransports: true,
});

// -- messages ------------------------------------------------------------------

const lastNumber = () => Number($("messages").lastElementChild?.dataset.id ?? 0);

function localTime(element, date) {
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  element.dateTime = date.toISOString();
  element.textContent = date.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
}

function makeMessage({ author, text, at }) {
  const item = $("message").content.firstElementChild.cloneNode(true);
  item.classList.toggle("mine", author === me);
  item.querySelector(".author").textContent = author;
  item.querySelector(".words").textContent = text;
  localTime(item.querySelector("time"), new Date(at));
  return item;
}

// Once, and where its number says: an answer and an event may both bring it, and in any order.
function show(message) {
  if ($(`m${message.id}`)) return;
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const item = makeMessage(message);
  item.id = `m${message.id}`;
  item.dataset.id = message.id;
  const after = [...$("messages").children].find((other) => other.dataset.id > message.id);
  $("messages").insertBefore(item, after ?? null);
  $("nothing")?.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function catchUp() {
  for (let last = lastNumber(), missed; missed?.length !== 0; last = missed.at(-1)?.id) {
    missed = await socket.emitWithAck("since", room, last);
    if (missed.error) return;
    missed.forEach(show);
  }
  markSeen();
}

// -- what is unread ----------------------------------------------------------------

const countOf = (mark) => Number(mark.querySelector("b").textContent);

function setCount(mark, count) {
  mark.hidden = count === 0;
  mark.querySelector("b").textContent = count;
}

function setUnread(key, count) {
  setCount(placeOf(key).querySelector(".unread"), count);
  showUnread();
}

function showUnread() {
  const all = [...document.querySelectorAll(".places .unread")].map(countOf).reduce((sum, count) => sum + count, 0);
  document.title = all ? `(${all}) ${pageTitle}` : pageTitle;
  if (room) setCount($("elsewhere"), all);
}

// What is seen is said at once, since the page may be left the next moment; but twice a second at most.
let seen = room ? lastNumber() : 0;
let resting = false;
function markSeen() {
  if (document.hidden || resting || seen === lastNumber()) return;
  seen = lastNumber();
  socket.emit("seen", room, seen);
  resting = true;
  setTimeout(() => { resting = false; markSeen(); }, 500);
}

// -- rooms and people ----------------------------------------------------------------

function addPlace(list, href, key, name) {
  const item = $("place").content.firstElementChild.cloneNode(true);
  const link = item.querySelector("a");
  link.href = href + encodeURIComponent(name);
  link.dataset.room = key;
  link.querySelector(".name").textContent = name;
  const after = [...list.children].find((other) => other.querySelector(".name").textContent.localeCompare(name) > 0);
  list.insertBefore(item, after ?? null);
  return link;
}

function addPerson(key, name) {
  const link = addPlace($("people"), "/with/", key, name);
  link.parentElement.dataset.user = name;
  return link;
}

// A room's link; the key of a private one is as the server makes it: "@ada,bob".
function placeOf(key) {
  const link = [...document.querySelectorAll(".places a")].find((other) => other.dataset.room === key);
  if (link) return link;
  if (!key.startsWith("@")) return addPlace($("rooms"), "/room/", key, key);
  return addPerson(key, key.slice(1).split(",").find((name) => name !== me) ?? me);
}

function setOnline(name, online) {
  const item = placeOf(`@${[...new Set([me, name])].sort().join(",")}`).parentElement;
  item.classList.toggle("online", online);
  item.querySelector(".state").textContent = online ? "online" : "offline";
}

// -- what the server says ------------------------------------------------------------

socket.on("connect", () => {
  $("status").textContent = "";
  // A connection that was recovered has got already what it missed.
  if (room && !socket.recovered) catchUp();
});

socket.on("disconnect", (reason) => {
  if (reason !== "io server disconnect") $("status").textContent = "Connection lost. Trying again\u2026";
});

socket.on("connect_error", (error) => {
  if (error.data?.code === "login_required") return leave("expired");
  $("status").textContent = "No connection. Trying again\u2026";
});

// The tab that logs out is on its way already: to send it to the login a second time would break off
// the request whose answer takes the cookie away.
let leaving = false;
addEventListener("submit", (event) => { leaving ||= event.target.action.endsWith("/logout"); });
function leave(reason) {
  if (leaving) return;
  leaving = true;
  location.assign(`/login?because=${encodeURIComponent(reason)}&next=${encodeURIComponent(location.pathname)}`);
}
socket.on("logged out", leave);

socket.on("said", (message) => {
  if (message.room === room) {
    show(message);
    stopTyping(message.author);
    return markSeen();
  }
  const mark = placeOf(message.room).querySelector(".unread");
  if (message.author !== me) setUnread(message.room, countOf(mark) + 1);
});

socket.on("unread", (counts) => {
  for (const [key, count] of Object.entries(counts)) setUnread(key, key === room ? 0 : count);
});
socket.on("seen", (key) => setUnread(key, 0));
socket.on("room", (name) => placeOf(name));
socket.on("people", (names) => {
  for (const name of new Set([...names, ...[...$("people").children].map((item) => item.dataset.user)])) {
    setOnline(name, names.includes(name));
  }
});
socket.on("online", (name) => setOnline(name, true));
socket.on("offline", (name) => setOnline(name, false));

let typing;
function stopTyping(name) {
  if ($("typing").textContent.startsWith(`${name} `)) $("typing").textContent = "";
}
socket.on("typing", (key, name) => {
  if (key !== room || name === me) return;
  $("typing").textContent = `${name} is typing\u2026`;
  clearTimeout(typing);
  typing = setTimeout(() => stopTyping(name), 3000);
});

// -- saying something ------------------------------------------------------------------

// What is not answered yet is kept, for the case that the page is left or loaded anew: for this
// user, since the next one in this tab may be somebody else.
const shelf = `said by ${me}`;
const waiting = new Map(JSON.parse(sessionStorage.getItem(shelf) ?? "[]"));
const keepWaiting = () => sessionStorage.setItem(shelf, JSON.stringify([...waiting]));
let lastTyped = 0;

function send(id, [key, text]) {
  const item = makeMessage({ author: me, text, at: Date.now() });
  item.querySelector("time").textContent = "sending\u2026";
  if (key === room) $("waiting").append(item);
  socket.emit("say", key, text, id, (error, answer) => {
    waiting.delete(id);
    keepWaiting();
    item.remove();
    if (answer.error) {
      ($("say-error") ?? $("status")).textContent = answer.error;
      if (key === room) $("text").value ||= text;
    } else if (key === room) {
      show(answer);
    }
  });
}

function say(event) {
  event.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`; // plain http has none
  $("text").value = "";
  $("text").focus();
  lastTyped = 0;
  $("say-error").textContent = "";
  waiting.set(id, [room, text]);
  keepWaiting();
  send(id, waiting.get(id));
  $("log").scrollTop = $("log").scrollHeight;
}

for (const [id, message] of waiting) send(id, message);
showUnread();

if (room) {
  for (const time of document.querySelectorAll("time")) localTime(time, new Date(time.dateTime));
  $("log").scrollTop = $("log").scrollHeight;
  $("say").addEventListener("submit", say);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $("say").requestSubmit();
    }
  });
  $("text").addEventListener("input", () => {
    if (Date.now() - lastTyped < 2000) return;
    lastTyped = Date.now();
    socket.volatile.emit("typing", room);
  });
  document.addEventListener("visibilitychange", markSeen);
  // Also what waits for its half a second, before the next page is asked for.
  for (const left of ["beforeunload", "pagehide"]) {
    addEventListener(left, () => { resting = false; markSeen(); });
  }
  // A phone would cover half of the page with its keyboard.
  if (matchMedia("(hover: hover)").matches) $("text").focus();
}
