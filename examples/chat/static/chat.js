"use strict";

const $ = (id) => document.getElementById(id);
const me = document.querySelector(".chat").dataset.user;
let room = sessionStorage.getItem("room") || "Lobby";

// The app's namespace on the shared path.  io({path: "/ChatSocket/"}) reaches the same app.
const socket = io("/ChatSocket");

function show(element, className) {
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  if (className) element.className = className;
  list.append(element);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function showMessage({ user, text, at }) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const date = new Date(at);
  time.dateTime = date.toISOString();
  time.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.append(time);
  if (user !== me) {
    const name = document.createElement("b");
    name.textContent = user;
    item.append(name);
  }
  item.append(text);
  show(item, user === me ? "mine" : "");
}

function showEvent(text) {
  const item = document.createElement("li");
  item.textContent = text;
  show(item, "event");
}

function setStatus(text, className) {
  $("status").textContent = text;
  $("status").className = className;
}

function enter(name) {
  socket.emit("enter", name, (answer) => {
    if (answer.error) return showEvent(answer.error);
    room = answer.room;
    sessionStorage.setItem("room", room);
    $("room").textContent = room;
    $("messages").replaceChildren();
    answer.messages.forEach(showMessage);
    markRoom();
  });
}

function markRoom() {
  for (const button of document.querySelectorAll("#rooms button")) {
    if (button.textContent === room) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

socket.on("connect", () => {
  setStatus("Connected", "on");
  enter(room);
});
socket.on("disconnect", () => setStatus("Connection lost, trying again\u2026", "off"));
socket.on("connect_error", (error) => {
  setStatus(error.message, "off");
  if (error.data && error.data.login) location.assign(error.data.login);
});
socket.on("said", showMessage);
socket.on("notice", showEvent);
socket.on("entered", (user) => showEvent(`${user} came in`));
socket.on("left", (user) => showEvent(`${user} left`));
// The tab that logs out is on its way to the login already: to send it there a second time
// would break off the request whose answer takes the cookie away.
let leaving = false;
$("logout").addEventListener("submit", () => { leaving = true; });
socket.on("logged out", () => {
  if (!leaving) location.assign("/login");
});
socket.on("people", (people) => {
  $("people").replaceChildren(...people.map((name) => {
    const item = document.createElement("li");
    item.textContent = name === me ? `${name} (you)` : name;
    return item;
  }));
});
socket.on("rooms", (names) => {
  $("rooms").replaceChildren(...names.map((name) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => enter(name));
    item.append(button);
    return item;
  }));
  markRoom();
});

let typingTimer;
socket.on("typing", (user) => {
  $("typing").textContent = `${user} is typing\u2026`;
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => { $("typing").textContent = ""; }, 2000);
});

$("new-room").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("room-name").value.trim()) enter($("room-name").value);
  $("room-name").value = "";
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  $("text").value = "";
  socket.emit("say", text, (answer) => {
    if (answer.error) showEvent(answer.error);
    else showMessage(answer);
  });
});

let lastTyped = 0;
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("say").requestSubmit();
  } else if (Date.now() - lastTyped > 1500) {
    lastTyped = Date.now();
    socket.volatile.emit("typing");
  }
});
