// A Node server of a cluster: node mesh_server.mjs <socket of Redis> <redis|ioredis> <pubsub|streams> [recovery].
// It says PORT <port>, which is that of the environment, or a free one; with NAME ids of sessions begin with it.
// mesh/Apps/Mesh is the same in Mojo.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Server } from "socket.io";

const [path, library, format, recovery] = process.argv.slice(2);

async function connect() {
  if (library === "ioredis") return new Redis({ path });
  const client = createClient({ socket: { path } });
  client.on("error", () => {});
  await client.connect();
  return client;
}

const { createAdapter } = await import(
  format === "streams" ? "@socket.io/redis-streams-adapter" : "@socket.io/redis-adapter");
const http = createServer();
const io = new Server(http, {
  ...(recovery ? { connectionStateRecovery: {} } : {}),
  adapter: format === "streams"
    ? createAdapter(await connect()) : createAdapter(await connect(), await connect()),
});
const { NAME, PORT } = process.env;
if (NAME) io.engine.generateId = () => `${NAME}.${randomBytes(15).toString("base64url")}`;
const mesh = io.of("/MeshSocket");
const heard = [];

mesh.on("hello", (...args) => {
  const answer = typeof args.at(-1) === "function" ? args.pop() : () => {};
  heard.push(args);
  answer({ node: args });
});

function serve(socket) {
  const mesh = socket.nsp;
  const whom = (rooms, without, words) => {
    let operator = rooms.length ? mesh.to(rooms) : mesh;
    if (without.length) operator = operator.except(without);
    if (words.volatile) operator = operator.volatile;
    return words.local ? operator.local : operator;
  };

  socket.data.tag = socket.handshake.auth.tag;
  socket.on("enter", (...rooms) => {
    const answer = rooms.pop();
    socket.join(rooms);
    answer(true);
  });
  socket.on("send_to", (rooms, without, words, name, ...args) => {
    whom(rooms, without, words).emit(name, ...args);
  });
  socket.on("broadcast", (name, ...args) => socket.broadcast.emit(name, ...args));
  socket.on("ask", (rooms, without, seconds, name, ...args) => {
    const answer = args.pop();
    whom(rooms, without, {}).timeout(seconds * 1000).emit(name, ...args, (error, answers) =>
      answer({ answers, missing: error ? 1 : 0 }));
  });
  socket.on("fetch", async (rooms, without, answer) => {
    const found = await whom(rooms, without, {}).fetchSockets();
    answer({
      missing: 0,
      sockets: found.map(({ id, rooms, data, handshake }) => ({
        id, rooms: [...rooms].sort(), tag: data.tag, path: handshake.url.split("?")[0],
      })),
    });
  });
  socket.on("sockets_join", (rooms, without, entered) => whom(rooms, without, {}).socketsJoin(entered));
  socket.on("sockets_leave", (rooms, without, left) => whom(rooms, without, {}).socketsLeave(left));
  socket.on("sockets_disconnect", (rooms, without, close) =>
    whom(rooms, without, {}).disconnectSockets(close));
  socket.on("server_emit", (name, ...args) => mesh.serverSideEmit(name, ...args));
  socket.on("server_ask", (name, ...args) => {
    const answer = args.pop();
    mesh.serverSideEmit(name, ...args, (error, answers) =>
      answer({ answers, missing: error ? 1 : 0 }));
  });
  socket.on("what_was_heard", (answer) => answer(heard));
}

mesh.on("connection", serve);
io.of(/^\/MeshSocket\/.+$/).on("connection", serve);

http.listen(Number(PORT ?? 0), "127.0.0.1", () => console.log(`PORT ${http.address().port}.`));
