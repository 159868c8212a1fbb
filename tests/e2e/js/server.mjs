// The official server, for Mojo's client: node server.mjs [<port>]. It says PORT <port>.
// What it answers is what tests/e2e/peers.py has the other servers answer too.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, {
  pingInterval: 25000,
  connectionStateRecovery: { maxDisconnectionDuration: 60000, skipMiddlewares: true },
});

function serve(socket) {
  socket.emit("welcome", { auth: socket.handshake.auth, query: socket.handshake.query.from ?? null });
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("ask_back", async (question, answer) => {
    answer("the answer was", await socket.timeout(5000).emitWithAck("question", question));
  });
  socket.on("message", (...args) => socket.send(...args));
  socket.on("headers", (answer) => {
    const { "x-token": token, cookie } = socket.handshake.headers;
    answer({ token, cookie });
  });
  socket.on("transport", (answer) => answer(socket.conn.transport.name));
  socket.on("leave_me", () => socket.disconnect());
  socket.on("drop", () => socket.conn.close());
  socket.on("later", (count) => {
    // Numbered events, and the end of the connection among them.
    for (let number = 0; number < count; number++) {
      if (number === Math.floor(count / 2)) socket.conn.close();
      io.of(socket.nsp.name).emit("number", number);
    }
  });
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer([...socket.rooms].filter((name) => name !== socket.id));
  });
  socket.on("rooms", (answer) => answer([...socket.rooms].filter((name) => name !== socket.id)));
  socket.on("lose_first", (number, answer) => {
    // Answers each event only at the second try.
    const tries = (socket.data.tries ??= {});
    tries[number] = (tries[number] ?? 0) + 1;
    if (tries[number] > 1) answer(number, tries[number]);
  });
}

io.on("connection", serve);
io.of("/other").on("connection", serve);
io.of("/admin").use((socket, next) => {
  if (socket.handshake.auth.password === "open sesame") return next();
  const error = new Error("wrong password");
  error.data = { hint: "caves" };
  next(error);
});
io.of("/admin").on("connection", serve);

http.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`PORT ${http.address().port}.`);
});
