// Socket.IO's own server, as its documents have it:
// node node_server.cjs <folder with node_modules> [<Redis> <pubsub|streams>]
const http = require("node:http");
const path = require("node:path");

const [folder, redis, adapter] = process.argv.slice(2);
const installed = (name) => require(path.join(folder, "node_modules", name));
const { Server } = installed("socket.io");

async function join() {
  const { createClient } = installed("redis");
  const connect = async () => {
    const client = createClient({ url: redis });
    await client.connect();
    return client;
  };
  return adapter === "streams"
    ? installed("@socket.io/redis-streams-adapter").createAdapter(await connect())
    : installed("@socket.io/redis-adapter").createAdapter(await connect(), await connect());
}

async function main() {
  const server = http.createServer();
  const io = new Server(server, redis ? { adapter: await join() } : {});

  io.on("connection", (socket) => {
    socket.on("echo", (text, ack) => ack(text));
    socket.on("bin", (data, ack) => ack(data));
    socket.on("all", (text) => io.emit("all", text));
    socket.on("join", (room, ack) => {
      socket.join(room);
      ack("ok");
    });
    socket.on("room", (room, text) => io.to(room).emit("room", text));
  });

  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    console.log(`port ${server.address().port}`);
    if (redis) console.log("joined");
  });
}

main();
