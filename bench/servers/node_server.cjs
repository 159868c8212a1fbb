// Socket.IO's own server, as its documents have it: node node_server.cjs <folder with node_modules>
const http = require("node:http");
const path = require("node:path");

const root = path.join(process.argv[2], "node_modules");
const { Server } = require(path.join(root, "socket.io"));

const server = http.createServer();
const io = new Server(server);

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
});
